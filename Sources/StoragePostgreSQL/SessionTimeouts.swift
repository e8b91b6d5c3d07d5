/// The server's limits of time. Whoever sets up a role, a database, a pooler or a URL may give them to all sessions, for the
/// sake of statements that have no reason to take long.
enum SessionTimeouts {
  /// Servers before 17 have no `transaction_timeout`.
  private static let all = """
    FROM pg_settings WHERE name IN
      ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
    """

  /// Lifts them until the transaction ends.
  static let lift = "SELECT set_config(name, '0', true) \(all)"

  /// Lifts them for the session, which keeps what they were.
  static let liftForSession =
    "SELECT set_config('octet.' || name, setting, false), set_config(name, '0', false) \(all)"

  /// Takes `liftForSession` back. In a session that has kept none, its own defaults hold again.
  static let restore = "SELECT set_config(name, current_setting('octet.' || name, true), false) \(all)"
}
