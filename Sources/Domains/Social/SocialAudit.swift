import Base
import DomainKit
import Storage

/// Looks whether what must always hold does hold.
struct SocialAudit {
  let reader: any Reader

  func reports() throws -> [InvariantCheck] {
    [
      try report(
        3, "every counter is the number of its rows", over: "social_counters",
        violations: """
          SELECT MAX(kind), id FROM (
            SELECT target_kind AS kind, target_id AS id, 'followers' AS counter, 1 AS n FROM social_follows WHERE state = 2
            UNION ALL SELECT 'user', follower_id, 'following', 1 FROM social_follows WHERE state = 2
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
    ]
  }

  private func report(
    _ number: Int, _ statement: String, over table: String, violations sql: String
  ) throws -> InvariantCheck {
    InvariantCheck(
      number: number, statement: statement,
      rowsChecked: try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] } ?? 0,
      violations: try reader.rows(sql + " LIMIT \(InvariantCheck.shownLimit)") {
        SubjectID($0[0], $0[1]).text
      })
  }
}
