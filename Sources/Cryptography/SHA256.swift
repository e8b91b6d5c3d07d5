internal import COpenSSL

/// SHA-256 of bytes that come piece by piece, whose state can be stored and taken up again by another process.
///
/// By OpenSSL, which uses the processor's own instructions for it; libsodium takes five times as long.
public struct SHA256: Sendable {
  /// The length of a hash, in bytes.
  public static let length = Int(SHA256_DIGEST_LENGTH)

  /// The length of a stored state, in bytes.
  public static let stateLength = 8 * 4 + 8 + 64

  private static let blockBytes = UInt64(SHA256_CBLOCK)

  private var context = SHA256_CTX()

  public init() {
    SHA256_Init(&context)
  }

  /// Takes up a stored state.
  /// - Returns: nil if it has another length. A state is not checked beyond that: guard it as you store it.
  public init?(storedState: [UInt8]) {
    guard storedState.count == Self.stateLength else { return nil }
    self.init()
    withUnsafeMutableBytes(of: &context.h) { words in
      for word in 0..<8 {
        words.storeBytes(
          of: Self.bigEndian(storedState[(word * 4)..<(word * 4 + 4)]), toByteOffset: word * 4, as: UInt32.self)
      }
    }
    let bits: UInt64 = Self.bigEndian(storedState[32..<40])
    (context.Nh, context.Nl) = (UInt32(truncatingIfNeeded: bits >> 32), UInt32(truncatingIfNeeded: bits))
    context.num = UInt32(bits / 8 % Self.blockBytes)
    withUnsafeMutableBytes(of: &context.data) { $0.copyBytes(from: storedState[40...]) }
  }

  /// The state as bytes, the same on every machine: the words of the hash, the number of bits so far, and the block that
  /// is not full yet. It tells the last bytes of what was hashed.
  public var storedState: [UInt8] {
    var context = context
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.stateLength)
    withUnsafeBytes(of: &context.h) { words in
      for word in words.bindMemory(to: UInt32.self) { withUnsafeBytes(of: word.bigEndian) { bytes += $0 } }
    }
    let bits = UInt64(context.Nh) << 32 | UInt64(context.Nl)
    withUnsafeBytes(of: bits.bigEndian) { bytes += $0 }
    withUnsafeBytes(of: &context.data) { bytes += $0 }
    return bytes
  }

  /// Adds bytes to what is hashed.
  public mutating func update(_ bytes: [UInt8]) {
    SHA256_Update(&context, bytes, bytes.count)
  }

  /// The hash of all bytes so far; more may follow.
  public func hash() -> [UInt8] {
    var context = context
    var output = [UInt8](repeating: 0, count: Self.length)
    SHA256_Final(&output, &context)
    return output
  }

  private static func bigEndian<Word: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Word {
    bytes.reduce(0) { $0 << 8 | Word($1) }
  }
}
