import Base
import DomainKit
import Storage

/// Looks whether what must always hold does hold.
struct SocialAudit {
  /// How late a review may be shown whose time is over: a server that was down for a night does much at once.
  private static let unblindDelay = Duration.seconds(3600)

  let reader: any Reader
  let subjects: SubjectRegistry
  let now: Instant

  func reports() throws -> [InvariantCheck] {
    [
      try report(
        3, "every counter is the number of its rows", over: "social_counters",
        violations: """
          SELECT MAX(kind), id FROM (
            SELECT target_kind AS kind, target_id AS id, 'followers' AS counter, 1 AS n FROM social_follows WHERE state = 2
            UNION ALL SELECT 'user', follower_id, 'following', 1 FROM social_follows WHERE state = 2
            UNION ALL SELECT subject_kind, subject_id,
              CASE kind WHEN 1 THEN 'likes' WHEN 2 THEN 'emoji:' || emoji ELSE 'saves' END, 1 FROM social_reactions
            UNION ALL SELECT subject_kind, subject_id, 'comments', 1 FROM social_comments WHERE state = 1
            UNION ALL SELECT 'cmt', parent_id, 'replies', 1 FROM social_comments WHERE state = 1 AND parent_id <> 0
            UNION ALL SELECT subject_kind, subject_id, 'shares', 1 FROM social_links WHERE revoked_at IS NULL
            UNION ALL SELECT 'link', link_id, 'uses', 1 FROM social_link_uses
            UNION ALL SELECT subject_kind, subject_id, 'reviews', 1 FROM social_reviews WHERE state = 1
            UNION ALL SELECT subject_kind, subject_id, 'scores', score FROM social_reviews WHERE state = 1
            UNION ALL SELECT subject_kind, subject_id, counter, -value FROM social_counters
          ) t GROUP BY id, counter HAVING SUM(n) <> 0
          """),
      try report(
        7, "whoever blocks somebody neither follows nor is followed by them", over: "social_barriers",
        violations: """
          SELECT 'user', b.user_id FROM social_barriers b WHERE b.kind = 1 AND (EXISTS (
            SELECT 1 FROM social_follows f
            WHERE f.follower_id = b.user_id AND f.target_id = b.other_id AND f.target_kind = 'user')
          OR EXISTS (
            SELECT 1 FROM social_follows f
            WHERE f.follower_id = b.other_id AND f.target_id = b.user_id AND f.target_kind = 'user'))
          """),
      try report(
        7, "a reply hangs on the same thing as its comment, and a tombstone says nothing", over: "social_comments",
        violations: """
          SELECT 'cmt', c.id FROM social_comments c WHERE (c.state = 4 AND c.text <> '') OR (
            c.parent_id <> 0 AND NOT EXISTS (
              SELECT 1 FROM social_comments p
              WHERE p.subject_id = c.subject_id AND p.parent_id = 0 AND p.id = c.parent_id
                AND p.subject_kind = c.subject_kind))
          """),
      try report(
        7, "a review that nobody may see yet is shown when its time is over", over: "social_reviews",
        violations: """
          SELECT 'rev', r.id FROM social_reviews r WHERE r.state = 2 AND (r.blind_until < $1 OR NOT EXISTS (
            SELECT 1 FROM octet_timers t WHERE t.kind = 'social.unblind' AND t.key = CAST(r.id AS TEXT)))
          """, (now - Self.unblindDelay).sqlValue),
      try report(
        10, "a review waits for the other side only until that has written", over: "social_reviews",
        violations: """
          SELECT 'rev', r.id FROM social_reviews r WHERE r.state = 2 AND EXISTS (
            SELECT 1 FROM social_reviews o
            WHERE o.key_id = r.key_id AND o.key_kind = r.key_kind AND o.author_id <> r.author_id AND o.state <> 5)
          """),
      try report(
        11, "a reporter has one open report on a thing", over: "social_reports",
        violations: """
          SELECT MAX(target_kind), target_id FROM social_reports WHERE state IN (1, 2)
          GROUP BY target_id, reporter_id HAVING COUNT(*) > 1
          """),
      try report(
        11, "another moderator than the first decides an appeal", over: "social_decisions",
        violations: """
          SELECT d.target_kind, d.target_id FROM social_decisions d
          LEFT JOIN social_decisions first ON first.target_id = d.target_id AND first.id = d.appealed_id
          WHERE d.verdict IN (4, 5) AND (first.id IS NULL OR first.author_id = d.author_id)
          """),
      try removals(of: IDKind.comment, in: "social_comments", state: CommentRow.State.removed.rawValue),
      try removals(of: IDKind.review, in: "social_reviews", state: ReviewRow.State.removed.rawValue),
      try held(IDKind.comment, in: "social_comments", state: CommentRow.State.held.rawValue),
      try held(IDKind.review, in: "social_reviews", state: ReviewRow.State.held.rawValue),
      try report(
        11, "whoever may not post may not until the last decision about it ends, and none that was overturned counts",
        over: "social_restraints",
        violations: """
          SELECT 'user', t.user_id FROM social_restraints t
          LEFT JOIN social_restrictions r ON r.user_id = t.user_id
          WHERE t.until > $1 AND (r.user_id IS NULL OR r.until < t.until OR EXISTS (
            SELECT 1 FROM social_decisions d
            JOIN social_decisions o ON o.target_id = d.target_id AND o.appealed_id = d.id
            WHERE d.id = t.decision_id AND o.verdict = 5))
          UNION SELECT 'user', r.user_id FROM social_restrictions r WHERE r.until > $1 AND NOT EXISTS (
            SELECT 1 FROM social_restraints t WHERE t.user_id = r.user_id AND t.until >= r.until)
          """, now.sqlValue),
      try openness(),
      try orphans(),
      try emptied(),
    ]
  }

  /// What moderators have removed, as far as nobody has restored it.
  private func removals(of kind: String, in table: String, state: Int64) throws -> InvariantCheck {
    let decided = """
      EXISTS (SELECT 1 FROM social_decisions d WHERE d.target_id = c.id AND \(DecisionRow.isStandingRemoval))
      """
    // A visible one is 1 in both tables.
    return try report(
      11, "what is removed of \(kind) was decided so, and what was decided so is not seen unless it was overturned",
      over: table,
      violations: """
        SELECT '\(kind)', c.id FROM \(table) c
        WHERE (c.state = \(state) AND NOT \(decided)) OR (c.state = 1 AND \(decided))
        """)
  }

  /// What a program has held back is shown or removed by moderators alone.
  private func held(_ kind: String, in table: String, state: Int64) throws -> InvariantCheck {
    try report(
      11, "what is held back of \(kind) waits for a moderator", over: table,
      violations: """
        SELECT '\(kind)', c.id FROM \(table) c WHERE c.state = \(state) AND NOT EXISTS (
          SELECT 1 FROM social_reports r WHERE r.target_id = c.id AND r.reporter_id = 0 AND r.state IN (1, 2))
        """)
  }

  private func report(
    _ number: Int, _ statement: String, over table: String, violations sql: String, _ arguments: SQLValue...
  ) throws -> InvariantCheck {
    InvariantCheck(
      number: number, statement: statement,
      rowsChecked: try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] } ?? 0,
      violations: try reader.rows(sql + " LIMIT \(InvariantCheck.shownLimit)", arguments) {
        SubjectID($0[0], $0[1]).text
      })
  }
}
