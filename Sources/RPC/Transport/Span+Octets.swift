extension Array where Element == UInt8 {
  // The pointers are used inside the closures only; the standard library has no safe bulk copy from a span yet.

  /// An array of the octets of `span`.
  init(copying span: Span<UInt8>) {
    self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
  }

  /// Appends the octets of `span` in one copy.
  package mutating func append(copying span: Span<UInt8>) {
    unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}

extension Span<UInt8> {
  /// Whether the two hold the same octets, compared eight at a time.
  package func hasSameOctets(as other: Span<UInt8>) -> Bool {
    unsafe other.bytes.withUnsafeBytes { unsafe hasSameOctets(as: $0) }
  }

  /// The same for a text that is part of the program: quicker, as nobody has to find out how it is stored.
  func hasSameOctets(as text: StaticString) -> Bool {
    text.withUTF8Buffer { unsafe hasSameOctets(as: UnsafeRawBufferPointer($0)) }
  }

  private func hasSameOctets(as others: UnsafeRawBufferPointer) -> Bool {
    guard count == others.count else { return false }
    let word = MemoryLayout<UInt64>.size
    var position = 0
    // The offsets are within both, as their counts are equal.
    unsafe bytes.withUnsafeBytes { mine in
      while count - position >= word,
        unsafe mine.loadUnaligned(fromByteOffset: position, as: UInt64.self)
          == others.loadUnaligned(fromByteOffset: position, as: UInt64.self)
      {
        position += word
      }
      while position < count, unsafe mine[position] == others[position] { position += 1 }
    }
    return position == count
  }
}
