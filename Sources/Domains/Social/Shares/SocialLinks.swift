import Base
import DomainKit
import Storage

/// Links, as other domains make and follow them.
struct SocialLinks: ShareLinks {
  let core: SocialCore

  func make(to subject: SubjectID, by caller: Caller, in writer: any Writer) throws -> SharedLink {
    shared(try core.share(subject, by: caller, in: writer))
  }

  func find(_ token: String, for caller: Caller?, in reader: any Reader) throws -> SharedLink? {
    try row(token, for: caller, in: reader).map(shared)
  }

  func follow(_ token: String, by caller: Caller, in writer: any Writer) throws -> SharedLink? {
    guard let row = try row(token, for: caller, in: writer) else { return nil }
    try core.credit(row, for: caller.user, in: writer)
    return shared(row)
  }

  func arrivals(of user: Identifier, limit: Int, in reader: any Reader) throws -> [LinkArrival] {
    try reader.rows(
      """
      SELECT l.id, l.subject_kind, l.subject_id, l.maker_id, u.used_at
      FROM social_link_uses u JOIN social_links l ON l.id = u.link_id
      WHERE u.user_id = $1 ORDER BY u.used_at, u.link_id LIMIT $2
      """, user, limit
    ) { LinkArrival(link: $0[0], subject: SubjectID($0[1], $0[2]), maker: $0[3], at: $0[4]) }
  }

  private func row(_ token: String, for caller: Caller?, in reader: any Reader) throws -> LinkRow? {
    guard let token = LinkToken(token, key: core.linkKey) else { return nil }
    do {
      return try core.resolve(token, for: caller, in: reader)
    } catch KitError.notFound {
      return nil
    }
  }

  private func shared(_ row: LinkRow) -> SharedLink {
    SharedLink(
      id: row.id, subject: row.subject, maker: row.maker, token: LinkToken(row.id).text(key: core.linkKey))
  }
}
