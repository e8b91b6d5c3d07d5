public import Storage

extension Database {
  /// Runs a body in a transaction that is taken back, whatever it wrote.
  /// - Returns: what the body returns.
  public func takenBack<Result: Sendable>(
    _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    do {
      return try await write { writer -> Result in throw TakenBack(result: try body(writer)) }
    } catch let taken as TakenBack<Result> {
      try await awaitWriters()
      return taken.result
    }
  }

  /// Waits, for a minute at most, until those are over that write now: what was taken back may hold its rows for a moment
  /// after that is told, and what skips rows that others hold, as the lease of timers does, would miss them.
  private func awaitWriters() async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    let writers = try await writers()
    while try await !writers.isDisjoint(with: self.writers()), .now < deadline { await Task.yield() }
  }

  /// The transactions that write. None where there is one writer at a time.
  private func writers() async throws -> Set<String> {
    try await read { reader in
      guard reader.dialect == .postgreSQL else { return [] }
      let transactions: [String] = try reader.rows(
        """
        SELECT concat(pid, ' ', backend_xid) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_xid IS NOT NULL
        """
      ) { $0[0] }
      return Set(transactions)
    }
  }
}

private struct TakenBack<Result: Sendable>: Error {
  let result: Result
}
