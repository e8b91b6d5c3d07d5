extension Array where Element == UInt8 {
  /// Appends the octets of `span` in one copy.
  package mutating func append(copying span: Span<UInt8>) {
    // The pointer is used inside the closure only; the standard library has no safe bulk copy from a span yet.
    unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}
