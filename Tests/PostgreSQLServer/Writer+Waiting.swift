public import Storage

/// Nobody wanted what a transaction held.
struct NobodyWaited: Error {}

extension Writer {
  /// Waits until another transaction waits for this one, or what was to come is over without. Where there is one writer at
  /// a time, the other one cannot even begin, and nothing is waited for. Once for a database: after a wait for a lock its
  /// writers take turns for a while, and who has the turn keeps the other one from waiting.
  /// - Throws: `NobodyWaited` after ten minutes.
  public func waitUntilWaitedFor(unless isOver: () -> Bool = { false }) throws {
    guard dialect == .postgreSQL else { return }
    let deadline = ContinuousClock.now + .seconds(600)
    while try !isOver()
      && !exists("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))")
    {
      guard ContinuousClock.now < deadline else { throw NobodyWaited() }
      _ = try exists("SELECT 1 FROM pg_sleep(0.01)")
    }
  }
}
