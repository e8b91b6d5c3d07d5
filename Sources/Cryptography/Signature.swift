internal import CSodium

/// Ed25519: signatures that anybody can check with the public key.
public struct SigningKey: Sendable {
  private let secret: SecretKey

  /// 32 bytes.
  public let publicKey: [UInt8]

  /// The same seed always gives the same pair.
  /// - Parameter seed: 32 bytes.
  /// - Throws: `CryptographyError.wrongLength`.
  public init(seed: SecretKey) throws(CryptographyError) {
    Sodium.prepare()
    guard seed.count == Int(crypto_sign_SEEDBYTES) else { throw .wrongLength }
    var publicKey = [UInt8](repeating: 0, count: Int(crypto_sign_PUBLICKEYBYTES))
    var secret = [UInt8](repeating: 0, count: Int(crypto_sign_SECRETKEYBYTES))
    defer { wipe(&secret) }
    seed.withPointer { _ = crypto_sign_seed_keypair(&publicKey, &secret, $0) }
    self.publicKey = publicKey
    self.secret = SecretKey(secret)
  }

  /// The signature of a message, 64 bytes.
  public func sign(_ message: [UInt8]) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: Int(crypto_sign_BYTES))
    secret.withPointer { _ = crypto_sign_detached(&signature, nil, message, UInt64(message.count), $0) }
    return signature
  }

  /// Whether `signature` is that of `message` by the owner of `publicKey`. False for wrong lengths, too.
  public static func isValid(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
    Sodium.prepare()
    guard signature.count == Int(crypto_sign_BYTES), publicKey.count == Int(crypto_sign_PUBLICKEYBYTES) else {
      return false
    }
    return crypto_sign_verify_detached(signature, message, UInt64(message.count), publicKey) == 0
  }
}
