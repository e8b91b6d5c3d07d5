import Base
import DomainKit
import Storage
import Streaming

/// What people have said about a thing goes with it, in small transactions: there may be millions of likes. The counters go
/// down with the rows, so they are their number at any moment, and go last. What moderators have decided stays, and what people
/// have reported waits for them still.
extension SocialCore {
  private static let goneKind = "social.gone"
  private var goneTimer: GoneTimer { GoneTimer(Self.goneKind, timers: timers, clock: kit.clock) }

  /// To be called in the transaction that deletes a thing.
  func removeAll(about subject: SubjectID, in writer: any Writer) throws {
    try kit.hub.publish(commentTopic(of: subject), [], in: writer)
    try goneTimer.begin(with: subject, in: writer)
  }

  /// Whether what hangs on a thing is being removed.
  static func isRemoving(_ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try GoneTimer.isUnderWay(goneKind, with: subject, in: reader)
  }

  func handleGone() {
    goneTimer.handle { [self] subject, writer in
      // The first takes a turn, which comes before all rows that are held.
      let parts = [
        dismissDoubt, removeComments, removeReviews, removeReactions, removeFollows, removeUses, removeLinks,
      ]
      return try parts.contains { try $0(subject, writer) }
    } finally: { subject, writer in
      try writer.execute(
        "DELETE FROM social_counters WHERE subject_id = $1 AND subject_kind = $2", subject.id, subject.kind)
    }
  }

  // Each removes some rows, and returns whether there were any.

  private func removeComments(on subject: SubjectID, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      """
      SELECT \(CommentRow.columns) FROM social_comments WHERE subject_id = $1 AND subject_kind = $2
      ORDER BY parent_id DESC, id LIMIT $3\(writer.dialect.forUpdate)
      """, subject.id, subject.kind, limits.openedAtOnce, make: CommentRow.init)
    for row in rows {
      try writer.execute("DELETE FROM social_mentions WHERE comment_id = $1", row.id)
      try writer.execute("DELETE FROM social_comments WHERE subject_id = $1 AND id = $2", subject.id, row.id)
      if row.state == .visible {
        try count(.comments, of: subject, by: -1, in: writer)
        if row.isReply {
          let parent = SubjectID(IDKind.comment, row.parent)
          try count(.replies, of: parent, by: -1, in: writer)
          // A reply that came late may find the parent's counters removed already.
          try removeAll(about: parent, in: writer)
        }
      }
      try kit.subjects.gone(row.asSubject, in: writer)
    }
    return !rows.isEmpty
  }

  private func removeReviews(of subject: SubjectID, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      """
      SELECT \(ReviewRow.columns) FROM social_reviews WHERE subject_id = $1 AND subject_kind = $2
      ORDER BY id LIMIT $3\(writer.dialect.forUpdate)
      """, subject.id, subject.kind, limits.openedAtOnce, make: ReviewRow.init)
    for row in rows {
      try forget(row, in: writer)
      if row.state == .visible {
        try count(.reviews, of: subject, by: -1, in: writer)
        try count(.scores, of: subject, by: -Int64(row.opinion.score), in: writer)
      }
      try kit.subjects.gone(row.asSubject, in: writer)
    }
    return !rows.isEmpty
  }

  private func removeReactions(to subject: SubjectID, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      """
      SELECT \(ReactionRow.columns) FROM social_reactions WHERE subject_id = $1 AND subject_kind = $2
      ORDER BY kind, user_id LIMIT $3\(writer.dialect.forUpdate)
      """, subject.id, subject.kind, limits.erasedAtOnce, make: ReactionRow.init)
    for row in rows {
      try writer.execute(
        "DELETE FROM social_reactions WHERE user_id = $1 AND subject_id = $2 AND kind = $3", row.user, subject.id,
        row.kind.rawValue)
      try count(row.counter, of: subject, by: -1, in: writer)
    }
    return !rows.isEmpty
  }

  private func removeFollows(of subject: SubjectID, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      """
      SELECT \(FollowRow.columns) FROM social_follows WHERE target_id = $1 AND target_kind = $2
      ORDER BY follower_id LIMIT $3\(writer.dialect.forUpdate)
      """, subject.id, subject.kind, limits.erasedAtOnce, make: FollowRow.init)
    for row in rows {
      try writer.execute(
        "DELETE FROM social_follows WHERE follower_id = $1 AND target_id = $2", row.follower, subject.id)
      guard row.state == .following else { continue }
      try count(.followers, of: subject, by: -1, in: writer)
      try count(.following, of: SubjectID(IDKind.user, row.follower), by: -1, in: writer)
    }
    return !rows.isEmpty
  }

  /// Of a link: those who came by it, also late.
  private func removeUses(of subject: SubjectID, _ writer: any Writer) throws -> Bool {
    guard subject.kind == IDKind.link else { return false }
    let uses = try writer.execute(
      """
      DELETE FROM social_link_uses WHERE link_id = $1 AND user_id IN (
        SELECT user_id FROM social_link_uses WHERE link_id = $1 ORDER BY user_id LIMIT $2)
      """, subject.id, limits.erasedAtOnce)
    if uses > 0 { try count(.uses, of: subject, by: -Int64(uses), in: writer) }
    return uses > 0
  }

  private func removeLinks(to subject: SubjectID, _ writer: any Writer) throws -> Bool {
    let links = try writer.rows(
      """
      SELECT \(LinkRow.columns) FROM social_links WHERE subject_id = $1 AND subject_kind = $2
      ORDER BY id LIMIT $3\(writer.dialect.forUpdate)
      """, subject.id, subject.kind, limits.openedAtOnce, make: LinkRow.init)
    for link in links {
      if link.revokedAt == nil { try count(.shares, of: subject, by: -1, in: writer) }
      try writer.execute("DELETE FROM social_links WHERE maker_id = $1 AND id = $2", link.maker, link.id)
      try removeAll(about: link.asSubject, in: writer)
    }
    return !links.isEmpty
  }
}
