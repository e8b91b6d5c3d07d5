import Base
import Cryptography
import DomainKit
import SocialAPI
import Storage
import WellKnownTypes

/// A row of `social_links`.
struct LinkRow: Sendable {
  let maker: Identifier
  let id: Identifier
  let subject: SubjectID
  let createdAt: Instant
  var revokedAt: Instant?

  static let columns = "maker_id, id, subject_kind, subject_id, created_at, revoked_at"

  init(_ row: any Row) {
    maker = row[0]
    id = row[1]
    subject = SubjectID(row[2], row[3])
    createdAt = row[4]
    revokedAt = row[5]
  }

  init(by maker: Identifier, to subject: SubjectID, id: Identifier, at: Instant) {
    self.maker = maker
    self.subject = subject
    self.id = id
    createdAt = at
  }

  var asSubject: SubjectID { SubjectID(IDKind.link, id) }

  static func find(_ id: Identifier, in reader: any Reader) throws -> LinkRow? {
    try reader.first("SELECT \(columns) FROM social_links WHERE id = $1", id, make: LinkRow.init)
  }
}

/// The text of a link: `ol1.CONTENT.MAC`, both base 64 (URL alphabet, no padding). The content is the link's number, 8 octets,
/// big-endian; the MAC is HMAC-SHA-256 over all that stands before its dot. It never expires: revoking is in the row.
struct LinkToken: Sendable, Equatable {
  private static let prefix = "ol1."

  let link: Identifier

  init(_ link: Identifier) { self.link = link }

  /// Nil if this server has not made it.
  init?(_ text: String, key: SecretKey) {
    guard let content = ProvedText.content(of: text, prefix: Self.prefix, key: key), content.count == 8 else {
      return nil
    }
    link = Identifier(rawValue: Int64(bigEndian: content))
  }

  func text(key: SecretKey) -> String {
    ProvedText.proved(ProvedText.unproved(link.rawValue.bigEndianBytes, prefix: Self.prefix), key: key)
  }
}

extension SocialCore {
  func message(_ row: LinkRow, in reader: any Reader) throws -> ShareLink {
    var link = ShareLink()
    link.id = row.asSubject.text
    link.subjectID = row.subject.text
    link.token = LinkToken(row.id).text(key: linkKey)
    link.createTime = Timestamp(row.createdAt)
    link.revokeTime = row.revokedAt.map { Timestamp($0) }
    link.useCount = try counters(of: row.asSubject, in: reader)[Counter.uses.name] ?? 0
    return link
  }
}
