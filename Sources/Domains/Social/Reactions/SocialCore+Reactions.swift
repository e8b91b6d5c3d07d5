import Base
import DomainKit
import Storage

extension SocialCore {
  /// Sets a user's reaction of a kind.
  /// - Throws: `KitError.notFound`, `.dayLimitExceeded`; `SocialError.reactionNotTaken`.
  func react(
    _ kind: ReactionSort, _ emoji: String, to subject: SubjectID, by caller: Caller, in writer: any Writer
  ) throws -> ReactionRow {
    let (subjectKind, facts) = try kit.subjects.visible(subject, to: caller, in: writer)
    guard subjectKind.traits.reactions.contains(kind.option) else { throw SocialError.reactionNotTaken }
    let new = ReactionRow(user: caller.user, subject: subject, kind, emoji, id: kit.identifiers.next(), at: now)
    let isFirst = try writer.execute(
      """
      INSERT INTO social_reactions (user_id, subject_id, kind, subject_kind, emoji, id, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id, subject_id, kind) DO NOTHING
      """, new.user, subject.id, kind.rawValue, subject.kind, emoji, new.id, new.createdAt)
    if isFirst == 0 {
      // It may have been taken back since.
      guard let known = try ReactionRow.held(caller.user, kind, on: subject, in: writer) else {
        throw RetryTransaction()
      }
      if known.emoji == emoji { return known }
      try writer.execute(
        """
        UPDATE social_reactions SET emoji = $4, id = $5, created_at = $6
        WHERE user_id = $1 AND subject_id = $2 AND kind = $3
        """, new.user, subject.id, kind.rawValue, emoji, new.id, new.createdAt)
      try count(known, -1, in: writer)
    }
    try count(new, 1, in: writer)
    if kind == .emoji {
      try take("emojis", of: caller.user, limit: limits.emojisPerDay, in: writer)
      if let owner = facts.owner { try tell(owner, .reacted(subject, emoji), by: caller.user, in: writer) }
    }
    return new
  }

  /// Takes a reaction back; nothing if there is none.
  func clearReaction(
    _ kind: ReactionSort, from subject: SubjectID, by user: Identifier, in writer: any Writer
  ) throws {
    let row = try writer.first(
      """
      DELETE FROM social_reactions WHERE user_id = $1 AND subject_id = $2 AND kind = $3 AND subject_kind = $4
      RETURNING \(ReactionRow.columns)
      """, user, subject.id, kind.rawValue, subject.kind, make: ReactionRow.init)
    if let row { try count(row, -1, in: writer) }
  }

  private func count(_ row: ReactionRow, _ difference: Int64, in writer: any Writer) throws {
    try count(row.counter, of: row.subject, by: difference, in: writer)
    try kit.subjects.happened(
      SubjectDeed(.reaction(row.kind, emoji: row.emoji), by: row.user, isTakenBack: difference < 0), to: row.subject,
      in: writer)
  }
}
