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
    guard text.hasPrefix(Self.prefix), let dot = text.lastIndex(of: "."),
      let mac = Base64.url.decode(String(text[text.index(after: dot)...])),
      isEqualInConstantTime(mac, Hash.hmacSHA256(Array(text[..<dot].utf8), key: key)),
      let content = Base64.url.decode(String(text[..<dot].dropFirst(Self.prefix.count))), content.count > 8
    else { return nil }
    user = Identifier(rawValue: Int64(bigEndian: content[..<8]))
    kind = String(decoding: content[8...], as: UTF8.self)
  }

  func text(key: SecretKey) -> String {
    let content = Self.prefix + Base64.url.encode(user.rawValue.bigEndianBytes + Array(kind.utf8))
    return content + "." + Base64.url.encode(Hash.hmacSHA256(Array(content.utf8), key: key))
  }
}
