import Base
import DomainKit
import Storage

/// Looks whether what must always hold does hold. The statements count and compare rows; no secret is opened. What counts
/// as checked are the rows that could break it.
struct IdentityAudit {
  let reader: any Reader
  let now: Instant
  let limits: IdentityLimits
  let audit: any Audit

  private static let liveSessions = "identity_sessions WHERE ended_at IS NULL"

  func reports() throws -> [InvariantCheck] {
    [
      try report(
        1, "a handle belongs to one live user, and is looked up in lower case", over: "identity_users",
        kind: IDKind.user,
        violations: """
          SELECT id FROM identity_users
          WHERE (state <> 5 AND (handle_key IS NULL OR handle_key <> LOWER(handle))) OR (state = 5 AND handle_key IS NOT NULL)
          """),
      try report(
        1, "a proved contact belongs to one live user", over: "identity_contacts WHERE proved_at IS NOT NULL",
        kind: IDKind.user,
        violations: """
          SELECT MIN(c.user_id) FROM identity_contacts c JOIN identity_users u ON u.id = c.user_id
          WHERE c.proved_at IS NOT NULL AND u.state <> 5 GROUP BY c.kind, c.lookup HAVING COUNT(*) > 1
          """),
      try report(
        2, "a session belongs to a user or a credential, and an ended one says when and why", over: "identity_sessions",
        kind: IDKind.session,
        violations: """
          SELECT s.id FROM identity_sessions s LEFT JOIN identity_users u ON u.id = s.user_id
          LEFT JOIN identity_credentials c ON c.id = s.user_id
          WHERE (u.id IS NULL AND c.id IS NULL) OR (s.ended_at IS NULL) <> (s.end_reason IS NULL) OR s.ended_at < s.signed_in_at
          """),
      try report(
        2, "a user has at most \(limits.sessions) live sessions", over: Self.liveSessions, kind: IDKind.user,
        violations: """
          SELECT user_id FROM identity_sessions WHERE ended_at IS NULL AND renewed_at > $1
          GROUP BY user_id HAVING COUNT(*) > $2
          """, (now - SessionRow.idleLimit).sqlValue, limits.sessions.sqlValue),
      try report(
        2, "no session is live of an account that is out, or of a revoked credential", over: Self.liveSessions,
        kind: IDKind.session,
        violations: """
          SELECT s.id FROM identity_sessions s LEFT JOIN identity_credentials c ON c.id = s.user_id
          JOIN identity_users u ON u.id = COALESCE(c.owner_id, s.user_id)
          WHERE s.ended_at IS NULL AND s.renewed_at > $1 AND (u.state NOT IN ($2, $3) OR c.revoked_at IS NOT NULL)
          """, (now - SessionRow.idleLimit).sqlValue, UserRow.State.new.rawValue.sqlValue,
        UserRow.State.active.rawValue.sqlValue),
      try report(
        2, "a user holds a role on a resource once", over: "identity_grants WHERE revoked_at IS NULL",
        kind: IDKind.user,
        violations: """
          SELECT MIN(user_id) FROM identity_grants WHERE revoked_at IS NULL
          GROUP BY user_id, role, resource HAVING COUNT(*) > 1
          """),
      try report(
        3, "a code has at most \(CodeRow.wrongTriesLimit) wrong tries", over: "identity_codes", kind: IDKind.code,
        violations: "SELECT id FROM identity_codes WHERE wrong_tries < 0 OR wrong_tries > $1",
        CodeRow.wrongTriesLimit.sqlValue),
      try report(
        4, "passwords are kept as Argon2id hashes, contacts sealed", over: "identity_users WHERE state <> 5",
        kind: IDKind.user,
        violations: """
          SELECT id FROM identity_users WHERE state <> 5 AND password_hash NOT LIKE '$argon2id$%'
          UNION SELECT user_id FROM identity_contacts WHERE LENGTH(lookup) <> 32 OR LENGTH(sealed) < 41
          """),
      try report(
        6, "for an account that is closing there is a job that will erase it",
        over: "identity_users WHERE state IN (4, 5)", kind: IDKind.user,
        violations: """
          SELECT u.id FROM identity_users u WHERE u.state = 4 AND NOT EXISTS (
            SELECT 1 FROM octet_timers t WHERE t.kind = '\(Closing.job)' AND t.key = CAST(u.id AS TEXT))
          """),
      try report(
        6, "nothing personal is kept of an erased account", over: "identity_users WHERE state = 5", kind: IDKind.user,
        violations: """
          SELECT id FROM identity_users WHERE state = 5 AND (
            handle <> '' OR display_name <> '' OR about <> '' OR password_hash <> '' OR LENGTH(sealing_key) > 0
            OR birth_date IS NOT NULL OR photo_id IS NOT NULL OR erased_at IS NULL)
          UNION SELECT u.id FROM identity_users u WHERE u.state = 5 AND (
            EXISTS (SELECT 1 FROM identity_contacts x WHERE x.user_id = u.id)
            OR EXISTS (SELECT 1 FROM identity_devices x WHERE x.user_id = u.id)
            OR EXISTS (SELECT 1 FROM identity_sessions x WHERE x.user_id = u.id AND x.ended_at IS NULL)
            OR EXISTS (SELECT 1 FROM identity_sessions x WHERE x.user_id = u.id AND x.ended_at IS NOT NULL)
            OR EXISTS (SELECT 1 FROM identity_addresses x WHERE x.user_id = u.id)
            OR EXISTS (SELECT 1 FROM identity_preferences x WHERE x.user_id = u.id)
            OR EXISTS (SELECT 1 FROM identity_exports x WHERE x.user_id = u.id))
          """),
      try recordedGrants(),
    ]
  }

  private func report(
    _ number: Int, _ statement: String, over rows: String, kind: String, violations sql: String,
    _ arguments: SQLValue...
  ) throws -> InvariantCheck {
    InvariantCheck(
      number: number, statement: statement,
      rowsChecked: try reader.first("SELECT COUNT(*) FROM \(rows)") { $0[0] } ?? 0,
      violations: try reader.rows(sql + " LIMIT \(InvariantCheck.shownLimit)", arguments) {
        ($0[0] as Identifier).text(kind: kind)
      })
  }
}
