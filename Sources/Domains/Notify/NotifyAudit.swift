import Base
import DomainKit
import Storage

/// Looks whether what must always hold does hold.
struct NotifyAudit {
  let reader: any Reader
  let people: any People

  func reports() throws -> [InvariantCheck] {
    [
      try report(
        8, "the numbers of an inbox are dense", over: "notify_users",
        violations: """
          SELECT u.user_id FROM notify_users u LEFT JOIN notify_inbox i ON i.user_id = u.user_id
          GROUP BY u.user_id, u.last_number, u.swept_through
          HAVING (COUNT(i.number) > 0 AND MAX(i.number) <> u.last_number)
            OR COUNT(CASE WHEN i.number > u.swept_through THEN 1 END) <> u.last_number - u.swept_through
          """),
      try report(
        8, "a user has one notice of each key", over: "notify_inbox",
        violations: """
          SELECT user_id FROM notify_inbox GROUP BY user_id, dedup_key HAVING COUNT(*) > 1
          """),
      try report(
        9, "a delivery is settled, or there is a job that will", over: "notify_deliveries",
        violations: """
          SELECT d.user_id FROM notify_deliveries d WHERE d.settled_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM octet_timers t
            WHERE t.kind = CASE d.way WHEN 1 THEN '\(Way.push.job)' WHEN 2 THEN '\(Way.mail.job)' ELSE '\(Way.sms.job)' END
              AND t.key = CAST(d.user_id AS TEXT) || '/' || CAST(d.number AS TEXT))
          """),
      try nobodysInboxes(),
      try outsideLetters(),
    ]
  }

  private func nobodysInboxes() throws -> InvariantCheck {
    var (checked, wrong) = (0, [String]())
    var last = Identifier(rawValue: .min)
    while wrong.count < InvariantCheck.shownLimit {
      let batch: [Identifier] = try reader.rows(
        """
        SELECT user_id FROM (
          SELECT user_id FROM (SELECT user_id FROM notify_users WHERE user_id > $1 ORDER BY user_id LIMIT $2) u
          UNION SELECT user_id FROM (
            SELECT DISTINCT user_id FROM notify_devices WHERE user_id > $1 ORDER BY user_id LIMIT $2) d
          UNION SELECT user_id FROM (
            SELECT DISTINCT user_id FROM notify_choices WHERE user_id > $1 ORDER BY user_id LIMIT $2) c) users
        ORDER BY user_id LIMIT $2
        """, last, Self.checkedAtOnce
      ) { $0[0] }
      guard let end = batch.last else { break }
      for user in batch where try people.person(user, in: reader) == nil { wrong.append(user.text(kind: IDKind.user)) }
      checked += batch.count
      last = end
    }
    return InvariantCheck(
      number: 6, statement: "nothing is kept of an erased user's inbox, devices and choices", rowsChecked: checked,
      violations: wrong)
  }

  private func outsideLetters() throws -> InvariantCheck {
    var wrong: [String] = []
    var last = OutsideKey(lookup: [], id: Identifier(rawValue: 0))
    while wrong.count < InvariantCheck.shownLimit {
      let batch: [(key: OutsideKey, way: Int64)] = try reader.rows(
        """
        SELECT lookup, id, way FROM notify_outside
        WHERE settled_at IS NULL AND (lookup > $1 OR (lookup = $1 AND id > $2)) ORDER BY lookup, id LIMIT $3
        """, last.lookup, last.id, Self.checkedAtOnce
      ) { (OutsideKey(lookup: $0[0], id: $0[1]), $0[2]) }
      guard let end = batch.last else { break }
      for (key, way) in batch {
        let hasJob = try reader.exists(
          "SELECT 1 FROM octet_timers WHERE kind = $1 AND key = $2", Way(rawValue: way)?.outsideJob, key.text)
        if !hasJob { wrong.append(key.id.text(kind: IDKind.notice)) }
      }
      last = end.key
    }
    return InvariantCheck(
      number: 9, statement: "a letter to somebody without an account is settled, or there is a job that will",
      rowsChecked: try count("notify_outside"), violations: wrong)
  }

  /// Letters, or users, that are in memory at the same time.
  private static let checkedAtOnce = 256

  private func report(
    _ number: Int, _ statement: String, over table: String, violations sql: String
  ) throws -> InvariantCheck {
    InvariantCheck(
      number: number, statement: statement,
      rowsChecked: try count(table),
      violations: try reader.rows(sql + " LIMIT \(InvariantCheck.shownLimit)") {
        ($0[0] as Identifier).text(kind: IDKind.user)
      })
  }

  private func count(_ table: String) throws -> Int {
    try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] } ?? 0
  }
}
