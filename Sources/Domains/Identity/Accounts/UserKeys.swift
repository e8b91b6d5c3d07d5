import Base
import Cryptography
import DomainKit

/// The users' own keys, each sealed in its user's row. What is sealed with one becomes unreadable when the row forgets
/// it: that is how erasing an account reaches backups, stored replies and contacts.
struct UserKeys: Sendable {
  private let wrapping: SealingKey

  init(_ keys: ServerKeys) throws(CryptographyError) {
    wrapping = try SealingKey(keys.derived(for: "identity user keys 1"))
  }

  /// A new key, and the sealed form for the row.
  func make(for user: Identifier) throws(CryptographyError) -> (key: SealingKey, sealed: [UInt8]) {
    var bytes = RandomBytes.make(SecretKey.standardLength)
    defer { wipe(&bytes) }
    return (try SealingKey(SecretKey(bytes)), wrapping.seal(bytes, context: user.rawValue.bigEndianBytes))
  }

  /// The key of a row.
  func open(_ sealed: [UInt8], of user: Identifier) throws(CryptographyError) -> SealingKey {
    var bytes = try wrapping.open(sealed, context: user.rawValue.bigEndianBytes)
    defer { wipe(&bytes) }
    return try SealingKey(SecretKey(bytes))
  }
}
