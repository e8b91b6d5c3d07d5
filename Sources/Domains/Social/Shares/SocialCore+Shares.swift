import Base
import DomainKit
import Storage

extension SocialCore {
  /// Makes a link, or gives the one that there is.
  /// - Throws: `KitError.notFound`, `.dayLimitExceeded`.
  func share(_ subject: SubjectID, by caller: Caller, in writer: any Writer) throws -> LinkRow {
    _ = try kit.subjects.visible(subject, to: caller, in: writer)
    let known = try writer.first(
      """
      SELECT \(LinkRow.columns) FROM social_links
      WHERE maker_id = $1 AND subject_id = $2 AND subject_kind = $3 AND revoked_at IS NULL
      """, caller.user, subject.id, subject.kind, make: LinkRow.init)
    if let known { return known }
    try take("links", of: caller.user, limit: limits.linksPerDay, in: writer)
    let row = LinkRow(by: caller.user, to: subject, id: kit.identifiers.next(), at: now)
    let isMade = try writer.execute(
      """
      INSERT INTO social_links (maker_id, id, subject_kind, subject_id, created_at, revoked_at)
      VALUES ($1, $2, $3, $4, $5, NULL) ON CONFLICT (maker_id, subject_id) WHERE revoked_at IS NULL DO NOTHING
      """, row.maker, row.id, subject.kind, subject.id, row.createdAt)
    guard isMade == 1 else { throw RetryTransaction() }
    try countShare(row, 1, in: writer)
    return row
  }

  /// Makes a link lead nowhere.
  /// - Throws: `KitError.notFound` for one that is not the user's.
  func revoke(_ id: Identifier, by user: Identifier, in writer: any Writer) throws -> LinkRow {
    let revoked = try writer.execute(
      "UPDATE social_links SET revoked_at = $3 WHERE maker_id = $1 AND id = $2 AND revoked_at IS NULL", user, id, now)
    guard let row = try LinkRow.find(id, in: writer), row.maker == user else { throw KitError.notFound("link") }
    if revoked == 1 { try countShare(row, -1, in: writer) }
    return row
  }

  private func countShare(_ row: LinkRow, _ difference: Int64, in writer: any Writer) throws {
    try count(.shares, of: row.subject, by: difference, in: writer)
    try kit.subjects.happened(
      SubjectDeed(.share(row.id), by: row.maker, isTakenBack: difference < 0), to: row.subject, in: writer)
  }

  /// What a link leads to, for somebody who may see that.
  /// - Throws: `KitError.notFound`.
  func resolve(_ token: LinkToken, for caller: Caller?, in reader: any Reader) throws -> LinkRow {
    guard let row = try LinkRow.find(token.link, in: reader), row.revokedAt == nil,
      try kit.subjects.isVisible(row.subject, to: caller, in: reader),
      try !isHidden(row.maker, from: caller, in: reader)
    else { throw KitError.notFound("link") }
    return row
  }

  /// Counts a user who follows a link, once.
  func credit(_ row: LinkRow, for user: Identifier, in writer: any Writer) throws {
    guard user != row.maker else { return }
    let isFirst = try writer.execute(
      """
      INSERT INTO social_link_uses (link_id, user_id, used_at) VALUES ($1, $2, $3)
      ON CONFLICT (link_id, user_id) DO NOTHING
      """, row.id, user, now)
    guard isFirst == 1 else { return }
    try count(.uses, of: row.asSubject, by: 1, in: writer)
    try kit.subjects.happened(SubjectDeed(.arrival(row.id, maker: row.maker), by: user), to: row.subject, in: writer)
  }

  /// Removes a link with all that is known of its uses.
  func remove(_ row: LinkRow, in writer: any Writer) throws {
    if row.revokedAt == nil { try countShare(row, -1, in: writer) }
    let uses = try writer.execute("DELETE FROM social_link_uses WHERE link_id = $1", row.id)
    // By the rows that went: one that is being added keeps its count.
    if uses > 0 { try count(.uses, of: row.asSubject, by: -Int64(uses), in: writer) }
    try writer.execute("DELETE FROM social_links WHERE maker_id = $1 AND id = $2", row.maker, row.id)
  }
}
