extension Int64 {
  /// The eight octets, highest first.
  package var bigEndianBytes: [UInt8] {
    stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> Int64($0)) }
  }

  /// Eight octets, highest first.
  package init(bigEndian bytes: some Collection<UInt8>) {
    precondition(bytes.count == 8, "a 64-bit number has eight octets")
    self = Int64(bitPattern: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }
}
