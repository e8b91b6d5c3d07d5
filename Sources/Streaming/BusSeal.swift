public import Cryptography

/// Puts a code on what goes over a bus, so that only who has the key can say something: whoever merely reaches the bus
/// is not listened to.
public struct BusSeal: Sendable {
  private static let codeLength = 16
  private let key: SecretKey

  /// - Parameter key: for this purpose alone; the same on all nodes.
  public init(key: SecretKey) {
    self.key = key
  }

  /// The message and its code.
  public func seal(_ message: [UInt8]) -> [UInt8] {
    message + Hash.blake2b(message, key: key, length: Self.codeLength)
  }

  /// What was sealed, without a look whether the code is right: to see first whether anybody is interested.
  func unchecked(_ sealed: [UInt8]) -> ArraySlice<UInt8>? {
    sealed.count >= Self.codeLength ? sealed.dropLast(Self.codeLength) : nil
  }

  /// The message of what was sealed with the same key; nil for anything else.
  public func open(_ sealed: [UInt8]) -> [UInt8]? {
    guard let message = unchecked(sealed).map(Array.init) else { return nil }
    let code = Hash.blake2b(message, key: key, length: Self.codeLength)
    return isEqualInConstantTime(Array(sealed[message.count...]), code) ? message : nil
  }
}
