import Base
import DomainKit
import ProtobufRuntime
import SocialAPI
import Storage
import WellKnownTypes

/// What the social domain keeps about people.
struct SocialRecords: PersonalRecords {
  let core: SocialCore
  let name = SocialDomain.name

  /// Whose rows go first, and one kind after the other: each step of a transaction's size, until nothing is left of it.
  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    for part in [
      eraseFollows, eraseReactions, eraseComments, eraseMentions, eraseLinks, eraseUses, eraseReviews, eraseReports,
    ]
    where try part(user, writer) {
      return true
    }
    try RestraintRow.liftAll(from: user, in: writer)
    for table in ["social_barriers", "social_quotas"] {
      try writer.execute("DELETE FROM \(table) WHERE user_id = $1", user)
    }
    try writer.execute("DELETE FROM social_barriers WHERE other_id = $1", user)
    return false
  }

  private func eraseFollows(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      """
      SELECT \(FollowRow.columns) FROM social_follows
      WHERE follower_id = $1 OR (target_id = $1 AND target_kind = 'user') LIMIT $2
      """, user, core.limits.erasedAtOnce, make: FollowRow.init)
    for row in rows { try core.unfollow(row.target, by: row.follower, in: writer) }
    return !rows.isEmpty
  }

  private func eraseReactions(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      "SELECT \(ReactionRow.columns) FROM social_reactions WHERE user_id = $1 LIMIT $2", user, core.limits.erasedAtOnce,
      make: ReactionRow.init)
    for row in rows { try core.clearReaction(row.kind, from: row.subject, by: user, in: writer) }
    return !rows.isEmpty
  }

  /// Comments become tombstones, which keep what others replied.
  private func eraseComments(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let ids: [Identifier] = try writer.rows(
      "SELECT id FROM social_comments WHERE author_id = $1 LIMIT $2", user, core.limits.erasedAtOnce
    ) { $0[0] }
    for id in ids {
      guard var row = try CommentRow.held(id, in: writer) else { continue }
      try core.bury(&row, in: writer)
      row.author = Identifier(rawValue: 0)
      try row.update(in: writer)
    }
    return !ids.isEmpty
  }

  private func eraseMentions(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let rows: [(comment: Identifier, position: Int64)] = try writer.rows(
      "SELECT comment_id, position FROM social_mentions WHERE user_id = $1 LIMIT $2", user, core.limits.erasedAtOnce
    ) { ($0[0], $0[1]) }
    for (comment, position) in rows {
      try writer.execute("DELETE FROM social_mentions WHERE comment_id = $1 AND position = $2", comment, position)
    }
    return !rows.isEmpty
  }

  private func eraseLinks(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      "SELECT \(LinkRow.columns) FROM social_links WHERE maker_id = $1 LIMIT $2", user, core.limits.erasedAtOnce,
      make: LinkRow.init)
    for row in rows { try core.remove(row, in: writer) }
    return !rows.isEmpty
  }

  private func eraseUses(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let links: [Identifier] = try writer.rows(
      "SELECT link_id FROM social_link_uses WHERE user_id = $1 LIMIT $2", user, core.limits.erasedAtOnce
    ) { $0[0] }
    for link in links {
      try writer.execute("DELETE FROM social_link_uses WHERE link_id = $1 AND user_id = $2", link, user)
      try core.count(.uses, of: SubjectID(IDKind.link, link), by: -1, in: writer)
    }
    return !links.isEmpty
  }

  private func eraseReviews(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let ids: [Identifier] = try writer.rows(
      "SELECT id FROM social_reviews WHERE author_id = $1 LIMIT $2", user, core.limits.erasedAtOnce
    ) { $0[0] }
    for id in ids {
      guard var row = try ReviewRow.held(id, in: writer) else { continue }
      try core.bury(&row, in: writer)
      row.author = Identifier(rawValue: 0)
      try row.update(in: writer)
    }
    return !ids.isEmpty
  }

  /// What was decided stays, without words: neither the user's own nor those of others about the user's things. The numbers
  /// in it are nobody's by now.
  private func eraseReports(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let rows: [(target: Identifier, id: Identifier)] = try writer.rows(
      """
      SELECT r.target_id, r.id FROM social_reports r
      WHERE (r.reporter_id = $1 OR r.owner_id = $1) AND (r.text <> '' OR r.appeal_text <> '' OR EXISTS (
        SELECT 1 FROM social_decisions d WHERE d.target_id = r.target_id AND d.report_id = r.id AND d.note <> ''))
      LIMIT $2
      """, user, core.limits.erasedAtOnce
    ) { ($0[0], $0[1]) }
    for (target, id) in rows {
      try writer.execute(
        "UPDATE social_reports SET text = '', appeal_text = '' WHERE target_id = $1 AND id = $2", target, id)
      try writer.execute(
        "UPDATE social_decisions SET note = '' WHERE target_id = $1 AND report_id = $2 AND note <> ''", target, id)
    }
    return !rows.isEmpty
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON(SocialDomain.descriptors)
    func write<Content: Message>(_ kind: String, _ message: Content) throws {
      try json.write(message, as: kind, to: record)
    }
    for row in try reader.rows(
      "SELECT \(FollowRow.columns) FROM social_follows WHERE follower_id = $1 ORDER BY id", user, make: FollowRow.init)
    { try write("Follow", Follow(row)) }
    for row in try reader.rows(
      "SELECT \(ReactionRow.columns) FROM social_reactions WHERE user_id = $1 ORDER BY id", user, make: ReactionRow.init
    ) { try write("Reaction", Reaction(row)) }
    let myself = Caller(user: user, session: Identifier(rawValue: 0))
    let view = CommentReader(core, for: myself, in: reader)
    for row in try reader.rows(
      "SELECT \(CommentRow.columns) FROM social_comments WHERE author_id = $1 AND state <> 4 ORDER BY id", user,
      make: CommentRow.init)
    {
      if let comment = try view.show(row) { try write("Comment", comment) }
    }
    for row in try reader.rows(
      "SELECT \(LinkRow.columns) FROM social_links WHERE maker_id = $1 ORDER BY id", user, make: LinkRow.init)
    { try write("ShareLink", core.message(row, in: reader)) }
    for row in try reader.rows(
      "SELECT \(ReviewRow.columns) FROM social_reviews WHERE author_id = $1 AND state <> 5 ORDER BY id", user,
      make: ReviewRow.init)
    { try write("Review", core.message(row, to: myself, in: reader)) }
    for row in try reader.rows(
      "SELECT \(ReportRow.columns) FROM social_reports WHERE reporter_id = $1 ORDER BY id", user, make: ReportRow.init)
    {
      var report = try core.message(row, in: reader)
      // What others say and decide is theirs.
      (report.owner, report.takenBy, report.content, report.decisions) = (nil, nil, "", [])
      if row.appealedBy != user { report.appealText = "" }
      if row.state.isOpen { report.state = .open }
      try write("Report", report)
    }
    for row in try reader.rows(
      "SELECT \(ReportRow.columns) FROM social_reports r WHERE \(ReportRow.isAboutOwner) ORDER BY id", user,
      make: ReportRow.init)
    { try write("Case", core.caseMessage(row, for: user, in: reader)) }
    if let until = try core.kit.community.restriction(of: user, in: reader) {
      var restriction = Restriction()
      restriction.userID = user.text(kind: IDKind.user)
      restriction.endTime = Timestamp(until)
      try write("Restriction", restriction)
    }
    for (barrier, kind) in [(Barrier.block, "Block"), (.mute, "Mute")] {
      let others: [(Identifier, Instant)] = try reader.rows(
        "SELECT other_id, created_at FROM social_barriers WHERE user_id = $1 AND kind = $2 ORDER BY id", user,
        barrier.rawValue
      ) { ($0[0], $0[1]) }
      for (other, at) in others {
        var relation = Relation()
        relation.member = Member(id: other)
        relation.createTime = Timestamp(at)
        try write(kind, relation)
      }
    }
  }
}
