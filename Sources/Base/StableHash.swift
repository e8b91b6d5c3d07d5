/// A hash that is the same in every process and every version, for checksums and keys that are stored.
///
/// FNV-1a, 64 bits: guards against accidents, not against an adversary.
public struct StableHash: Sendable {
  @usableFromInline var state: UInt64 = 0xcbf2_9ce4_8422_2325

  @inlinable public init() {}

  /// Adds bytes to what is hashed.
  @inlinable
  public mutating func combine(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
  }

  /// The hash of all bytes so far, as a signed number that fits a SQL integer.
  public var value: Int64 { Int64(bitPattern: state) }

  /// The hash of a text's UTF-8 bytes.
  public static func of(_ text: String) -> Int64 {
    var hash = StableHash()
    hash.combine(text.utf8)
    return hash.value
  }
}
