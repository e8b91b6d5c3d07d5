import Base
import Cryptography
import DomainKit

/// Stops mails of one kind to one user; carried by such mails.
///
/// Text: `ou1.CONTENT.MAC`, both base 64 (URL alphabet, no padding). The content is the user's number, 8 octets,
/// big-endian, and the kind's name; the MAC is HMAC-SHA-256 over all that stands before its dot. It names no address and
/// nobody's name, is the same in all mails of the kind, and never expires: mails are kept for long.
struct UnsubscribeToken: Sendable, Equatable {
  let user: Identifier
  let kind: String

  private static let prefix = "ou1."

  init(user: Identifier, kind: String) {
    self.user = user
    self.kind = kind
  }

  /// Nil if this server has not made it.
  init?(_ text: String, key: SecretKey) {
    guard let content = ProvedText.content(of: text, prefix: Self.prefix, key: key), content.count > 8 else {
      return nil
    }
    user = Identifier(rawValue: Int64(bigEndian: content[..<8]))
    kind = String(decoding: content[8...], as: UTF8.self)
  }

  func text(key: SecretKey) -> String {
    ProvedText.proved(
      ProvedText.unproved(user.rawValue.bigEndianBytes + Array(kind.utf8), prefix: Self.prefix), key: key)
  }
}
