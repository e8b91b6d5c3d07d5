internal import CSodium

/// Authenticated encryption (XChaCha20-Poly1305) with random nonces: seal as much as you like with one key.
public struct SealingKey: Sendable {
  private let secret: SecretKey

  private static let nonceLength = Int(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
  private static let tagLength = Int(crypto_aead_xchacha20poly1305_ietf_ABYTES)

  /// How much longer than the plaintext a sealed box is, in bytes.
  public static let overhead = nonceLength + tagLength

  /// - Parameter secret: 32 bytes.
  /// - Throws: `CryptographyError.wrongLength`.
  public init(_ secret: SecretKey) throws(CryptographyError) {
    Sodium.prepare()
    guard secret.count == Int(crypto_aead_xchacha20poly1305_ietf_KEYBYTES) else { throw .wrongLength }
    self.secret = secret
  }

  /// Encrypts `plaintext`; only this key opens it, and only together with the same `context`.
  /// - Parameter context: what the box belongs to, e.g. its row. Not stored in it.
  /// - Returns: nonce, ciphertext and tag.
  public func seal(_ plaintext: [UInt8], context: [UInt8] = []) -> [UInt8] {
    let nonce = RandomBytes.make(Self.nonceLength)
    var sealed = [UInt8](repeating: 0, count: plaintext.count + Self.tagLength)
    secret.withPointer { key in
      _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
        &sealed, nil, plaintext, UInt64(plaintext.count), context, UInt64(context.count), nil, nonce, key)
    }
    return nonce + sealed
  }

  /// Decrypts what `seal` made.
  /// - Throws: `CryptographyError.notAuthentic` if it was changed, or belongs to another key or context.
  public func open(_ box: [UInt8], context: [UInt8] = []) throws(CryptographyError) -> [UInt8] {
    guard box.count >= Self.overhead else { throw .notAuthentic }
    let nonce = Array(box.prefix(Self.nonceLength))
    let sealed = Array(box.dropFirst(Self.nonceLength))
    var plaintext = [UInt8](repeating: 0, count: sealed.count - Self.tagLength)
    let result = secret.withPointer { key in
      crypto_aead_xchacha20poly1305_ietf_decrypt(
        &plaintext, nil, nil, sealed, UInt64(sealed.count), context, UInt64(context.count), nonce, key)
    }
    guard result == 0 else { throw .notAuthentic }
    return plaintext
  }
}
