import Base
import Cryptography

/// What a signed URL says: that a viewer may have the bytes of one blob and of what was made of it, by a share that the
/// viewer saw it through, until some instant.
///
/// The share's id is never used again, so taking the share away (giving the blob up, removing the thing that has it) ends
/// all links that were made by it.
struct BlobLink: Sendable, Equatable {
  var blob: Identifier
  /// The id of a holding or a use.
  var share: Identifier
  var viewer: Identifier
  var expiresAt: Instant
  /// Whether the domain of the thing has judged that the viewer may see it, once and for all. Otherwise the thing is asked each
  /// time.
  var isJudged = false

  private static let judgedVersion: UInt8 = 1
  private static let askedVersion: UInt8 = 2
  private static let macLength = 32
  private static let bodyLength = 1 + 4 * 8

  init(blob: Identifier, share: Identifier, viewer: Identifier, expiresAt: Instant, isJudged: Bool = false) {
    (self.blob, self.share, self.viewer, self.expiresAt) = (blob, share, viewer, expiresAt)
    self.isJudged = isJudged
  }

  /// Reads a token.
  /// - Returns: nil for what was not signed with this key.
  init?(token: Substring, key: SecretKey) {
    guard let bytes = Base64.url.decode(String(token)), bytes.count == Self.bodyLength + Self.macLength else {
      return nil
    }
    let body = Array(bytes[..<Self.bodyLength])
    guard isEqualInConstantTime(Array(bytes[Self.bodyLength...]), Hash.hmacSHA256(body, key: key)),
      [Self.judgedVersion, Self.askedVersion].contains(body[0])
    else { return nil }
    let numbers = (0..<4).map { index in
      body[(1 + 8 * index)..<(9 + 8 * index)].reduce(0 as Int64) { $0 << 8 | Int64($1) }
    }
    blob = Identifier(rawValue: numbers[0])
    share = Identifier(rawValue: numbers[1])
    viewer = Identifier(rawValue: numbers[2])
    expiresAt = Instant(nanoseconds: numbers[3])
    isJudged = body[0] == Self.judgedVersion
  }

  /// The link as a part of a path.
  func token(key: SecretKey) -> String {
    let numbers = [blob.rawValue, share.rawValue, viewer.rawValue, expiresAt.nanoseconds]
    let body = numbers.reduce(into: [isJudged ? Self.judgedVersion : Self.askedVersion]) { body, number in
      body += stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }
    return Base64.url.encode(body + Hash.hmacSHA256(body, key: key))
  }
}
