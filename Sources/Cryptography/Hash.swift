internal import CSodium

/// Cryptographic hashes, without and with a key.
public enum Hash {
  /// The usual length of a BLAKE2b hash here: 256 bits.
  public static let standardLength = 32

  /// What BLAKE2b takes as the lengths of keys and hashes, in bytes.
  private static let lengths = 16...64

  /// BLAKE2b. With a key it is a message authentication code.
  /// - Parameters:
  ///   - key: 16 to 64 bytes.
  ///   - length: 16 to 64 bytes; anything else is a bug and traps, as does a key of another length.
  public static func blake2b(_ bytes: [UInt8], key: SecretKey? = nil, length: Int = standardLength) -> [UInt8] {
    Sodium.prepare()
    precondition(lengths.contains(length), "BLAKE2b gives 16 to 64 bytes")
    var output = [UInt8](repeating: 0, count: length)
    if let key {
      precondition(lengths.contains(key.count), "BLAKE2b takes keys of 16 to 64 bytes")
      key.withPointer { _ = crypto_generichash(&output, length, bytes, UInt64(bytes.count), $0, key.count) }
    } else {
      crypto_generichash(&output, length, bytes, UInt64(bytes.count), nil, 0)
    }
    return output
  }

  /// SHA-256, for protocols that ask for it.
  public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var hash = SHA256()
    hash.update(bytes)
    return hash.hash()
  }

  /// HMAC-SHA-256 with a key of any length, for protocols that ask for it.
  public static func hmacSHA256(_ bytes: [UInt8], key: SecretKey) -> [UInt8] {
    Sodium.prepare()
    var state = crypto_auth_hmacsha256_state()
    key.withPointer { _ = crypto_auth_hmacsha256_init(&state, $0, key.count) }
    crypto_auth_hmacsha256_update(&state, bytes, UInt64(bytes.count))
    var output = [UInt8](repeating: 0, count: Int(crypto_auth_hmacsha256_BYTES))
    crypto_auth_hmacsha256_final(&state, &output)
    sodium_memzero(&state, MemoryLayout<crypto_auth_hmacsha256_state>.size)
    return output
  }
}
