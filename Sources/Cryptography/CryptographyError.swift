/// What can go wrong in cryptography. Says nothing about keys or plaintexts.
public enum CryptographyError: Error, Sendable, Equatable {
  /// A key, nonce, salt, signature or output has a length that the algorithm does not have.
  case wrongLength
  /// A ciphertext was not made with this key, or was changed.
  case notAuthentic
  /// The system had not the memory that the operation takes.
  case outOfMemory
}
