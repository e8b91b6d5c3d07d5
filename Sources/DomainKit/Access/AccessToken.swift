public import Base
import Cryptography

/// Proves a session to every node for ten minutes, without a look into the database.
///
/// Text: `oa1.CONTENT.SIGNATURE`, for machines `om1.CONTENT.SIGNATURE`, both base 64 (URL alphabet, no padding). The content is user, session, epoch and
/// expiry in milliseconds, 8 octets each, big-endian; the Ed25519 signature covers all that stands before its dot. Equal
/// contents give an equal token, so none is stored: the part without the signature is enough to make it again.
public struct AccessToken: Sendable, Equatable {
  /// How long one is valid.
  public static let lifetime = Duration.seconds(600)

  /// The user; for a machine its credential.
  public let user: Identifier
  public let session: Identifier
  /// The version of the user's grants that the server knew when it made the token.
  public let epoch: Int64
  /// To the millisecond.
  public let expiresAt: Instant
  public let isMachine: Bool

  private static let userPrefix = "oa1."
  private static let machinePrefix = "om1."
  private static let contentLength = 32

  public init(user: Identifier, session: Identifier, epoch: Int64, expiresAt: Instant, isMachine: Bool = false) {
    self.isMachine = isMachine
    self.user = user
    self.session = session
    self.epoch = epoch
    self.expiresAt = Instant(milliseconds: expiresAt.milliseconds)
  }

  /// Reads and verifies a token; nil if this server has not signed it. It may have expired.
  init?(_ text: String, keys: ServerKeys) {
    let publicKey = keys.accessSigning.publicKey
    isMachine = text.hasPrefix(Self.machinePrefix)
    let prefix = isMachine ? Self.machinePrefix : Self.userPrefix
    let content = ProvedText.content(of: text, prefix: prefix) { signature, signed in
      SigningKey.isValid(signature, of: signed, publicKey: publicKey)
    }
    guard let content, content.count == Self.contentLength else { return nil }
    let numbers = stride(from: 0, to: Self.contentLength, by: 8).map { Int64(bigEndian: content[$0..<$0 + 8]) }
    user = Identifier(rawValue: numbers[0])
    session = Identifier(rawValue: numbers[1])
    epoch = numbers[2]
    expiresAt = Instant(milliseconds: numbers[3])
  }

  /// The text without its signature. It proves nothing and may be stored.
  public var unsignedText: String {
    ProvedText.unproved(
      [user.rawValue, session.rawValue, epoch, expiresAt.milliseconds].flatMap(\.bigEndianBytes),
      prefix: isMachine ? Self.machinePrefix : Self.userPrefix)
  }

  /// Adds the signature to an `unsignedText`.
  public static func sign(_ unsignedText: String, keys: ServerKeys) -> String {
    ProvedText.proved(unsignedText, by: keys.accessSigning.sign(Array(unsignedText.utf8)))
  }

  func isValid(at now: Instant) -> Bool { now < expiresAt }
}
