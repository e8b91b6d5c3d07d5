internal import CSodium

/// SHA-256 of bytes that come piece by piece, whose state can be stored and taken up again by another process.
public struct SHA256: Sendable {
  /// The length of a hash, in bytes.
  public static let length = Int(crypto_hash_sha256_BYTES)

  /// The length of a stored state, in bytes.
  public static let stateLength = 8 * 4 + 8 + 64

  private var state = crypto_hash_sha256_state()

  public init() {
    Sodium.prepare()
    crypto_hash_sha256_init(&state)
  }

  /// Takes up a stored state.
  /// - Returns: nil if it has another length. A state is not checked beyond that: guard it as you store it.
  public init?(storedState: [UInt8]) {
    guard storedState.count == Self.stateLength else { return nil }
    Sodium.prepare()
    withUnsafeMutableBytes(of: &state.state) { words in
      for word in 0..<8 {
        words.storeBytes(
          of: Self.bigEndian(storedState[(word * 4)..<(word * 4 + 4)]), toByteOffset: word * 4, as: UInt32.self)
      }
    }
    state.count = Self.bigEndian(storedState[32..<40])
    withUnsafeMutableBytes(of: &state.buf) { $0.copyBytes(from: storedState[40...]) }
  }

  /// The state as bytes, the same on every machine. It tells the last 64 bytes of what was hashed.
  public var storedState: [UInt8] {
    var state = state
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.stateLength)
    withUnsafeBytes(of: &state.state) { words in
      for word in words.bindMemory(to: UInt32.self) { withUnsafeBytes(of: word.bigEndian) { bytes += $0 } }
    }
    withUnsafeBytes(of: state.count.bigEndian) { bytes += $0 }
    withUnsafeBytes(of: &state.buf) { bytes += $0 }
    return bytes
  }

  /// Adds bytes to what is hashed.
  public mutating func update(_ bytes: [UInt8]) {
    crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count))
  }

  /// The hash of all bytes so far; more may follow.
  public func hash() -> [UInt8] {
    var state = state
    var output = [UInt8](repeating: 0, count: Self.length)
    crypto_hash_sha256_final(&state, &output)
    return output
  }

  private static func bigEndian<Word: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Word {
    bytes.reduce(0) { $0 << 8 | Word($1) }
  }
}
