import Base
import Cryptography
import DomainKit

/// Buys the next pair of tokens, once.
///
/// Text: `or1.CONTENT.MAC`, both base 64 (URL alphabet, no padding). The content is session and generation, 8 octets
/// each, big-endian; the MAC is HMAC-SHA-256 over all that stands before its dot. None is stored: the row's generation
/// says which one is the newest.
struct RefreshToken: Sendable, Equatable {
  let session: Identifier
  let generation: Int64

  private static let prefix = "or1."
  private static let contentLength = 16

  init(session: Identifier, generation: Int64) {
    self.session = session
    self.generation = generation
  }

  /// Nil if this server has not made it.
  init?(_ text: String, key: SecretKey) {
    guard let content = ProvedText.content(of: text, prefix: Self.prefix, key: key),
      content.count == Self.contentLength
    else { return nil }
    session = Identifier(rawValue: Int64(bigEndian: content[..<8]))
    generation = Int64(bigEndian: content[8...])
  }

  /// The text without its MAC. It buys nothing and may be stored.
  var unsignedText: String {
    ProvedText.unproved(session.rawValue.bigEndianBytes + generation.bigEndianBytes, prefix: Self.prefix)
  }

  /// Adds the MAC to an `unsignedText`.
  static func sign(_ unsignedText: String, key: SecretKey) -> String {
    ProvedText.proved(unsignedText, key: key)
  }
}
