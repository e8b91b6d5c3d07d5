internal import Base

extension Timers {
  /// Runs everything that is due, and what becomes due by that at the same instant.
  /// - Returns: how many handlers succeeded.
  /// - Throws: `StorageError` if timers cannot be leased. Failures of handlers are kept with their timers instead.
  @discardableResult
  public func runDue() async throws -> Int {
    var succeeded = 0
    while true {
      let leased = try await lease()
      if leased.isEmpty { return succeeded }
      succeeded += await withTaskGroup(of: Bool.self) { group in
        for timer in leased {
          group.addTask { await self.run(timer) }
        }
        var count = 0
        for await didSucceed in group where didSucceed { count += 1 }
        return count
      }
    }
  }

  /// The timers that were given up, newest first.
  public func dead(limit: Int, in reader: any Reader) throws -> [DeadTimer] {
    try reader.rows(
      """
      SELECT kind, key, scheduled_for, attempts, payload, error, died_at FROM octet_dead_timers
      ORDER BY id DESC LIMIT $1
      """, limit
    ) { row in
      DeadTimer(
        kind: row[0], key: row[1], scheduledFor: row[2], attempts: row[3], payload: row[4], error: row[5],
        diedAt: row[6])
    }
  }

  /// When the next timer that has a handler is due.
  func nextDue() async throws -> Instant? {
    let kinds = handlers.keys.sorted()
    if kinds.isEmpty { return nil }
    return try await database.read { reader in
      try reader.first(
        "SELECT due FROM octet_timers WHERE \(Self.isOneOf(kinds, from: 1)) ORDER BY due LIMIT 1",
        kinds.map(\.sqlValue)
      ) { $0[0] }
    }
  }

  /// Takes due timers for this node: they are not due again before the lease ends.
  func lease() async throws -> [DueTimer] {
    let handlers = handlers
    if handlers.isEmpty { return [] }
    let kinds = handlers.keys.sorted()
    let now = clock.now()
    return try await database.write { writer in
      let due = try writer.rows(
        """
        SELECT kind, key, scheduled_for, payload, attempts, fence FROM octet_timers
        WHERE due <= $1 AND \(Self.isOneOf(kinds, from: 3)) ORDER BY due LIMIT $2
        """ + writer.dialect.forUpdateSkippingLocked,
        [now.sqlValue, Self.leasedAtOnce.sqlValue] + kinds.map(\.sqlValue)
      ) { row in
        DueTimer(
          kind: row[0], key: row[1], scheduledFor: row[2], payload: row[3], attempt: row[4] + 1,
          fence: max(row[5] + 1, now.nanoseconds))
      }
      return try due.filter { timer in
        // Every attempt so far ended without a word: it took the whole process with it, or its lease ran out.
        if let policy = handlers[timer.kind]?.policy, timer.attempt > policy.attempts {
          try self.bury(timer, attempts: timer.attempt - 1, error: "no attempt came to an end", writer)
          return false
        }
        try writer.execute(
          "UPDATE octet_timers SET due = $3, fence = $4, attempts = $5 WHERE kind = $1 AND key = $2",
          timer.kind, timer.key, now + Self.leaseDuration, timer.fence, timer.attempt)
        return true
      }
    }
  }

  func run(_ timer: DueTimer) async -> Bool {
    guard let registration = handlers[timer.kind] else { return false }
    do {
      return try await database.write { writer in
        if self.clock.now() < timer.scheduledFor {
          // The clock has stepped back since the lease. A handler that judges by it would find nothing to do yet, and
          // the timer would be gone.
          try writer.execute(
            """
            UPDATE octet_timers SET due = scheduled_for, attempts = attempts - 1
            WHERE kind = $1 AND key = $2 AND fence = $3
            """, timer.kind, timer.key, timer.fence)
          return false
        }
        // Also takes the row: whoever sets or cancels this timer meanwhile waits, and decides after the effect.
        let isMine = try writer.execute(
          "DELETE FROM octet_timers WHERE kind = $1 AND key = $2 AND fence = $3", timer.kind, timer.key, timer.fence)
        guard isMine == 1 else { return false }
        try registration.body(writer, timer)
        return true
      }
    } catch {
      await note(error, timer, registration.policy)
      return false
    }
  }

  private func note(_ error: any Error, _ timer: DueTimer, _ policy: RetryPolicy) async {
    let retryAt = clock.now() + policy.delay(afterAttempt: timer.attempt, random: random)
    let words = String(describing: error)
    // A database that cannot keep up is not the timer's fault: such an attempt does not count.
    let code = (error as? StorageError)?.code
    let counts = code != .busy && code != .overloaded
    // If this fails too, the end of the lease makes the timer due again.
    try? await database.write { writer in
      if counts && timer.attempt >= policy.attempts {
        try self.bury(timer, attempts: timer.attempt, error: words, writer)
      } else {
        try writer.execute(
          "UPDATE octet_timers SET due = $4, attempts = $5 WHERE kind = $1 AND key = $2 AND fence = $3",
          timer.kind, timer.key, timer.fence, retryAt, counts ? timer.attempt : timer.attempt - 1)
      }
    }
  }

  /// Moves a timer to the dead letters, unless it has been set anew or cancelled meanwhile.
  private func bury(_ timer: DueTimer, attempts: Int, error: String, _ writer: any Writer) throws {
    let buried = try writer.execute(
      "DELETE FROM octet_timers WHERE kind = $1 AND key = $2 AND fence <= $3", timer.kind, timer.key, timer.fence)
    guard buried == 1 else { return }
    try writer.execute(
      """
      INSERT INTO octet_dead_timers (kind, key, scheduled_for, attempts, payload, error, died_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      """, timer.kind, timer.key, timer.scheduledFor, attempts, timer.payload, error, clock.now())
  }

  /// A condition on the kind that cannot use the primary key: the index on `due` is the way to few rows.
  private static func isOneOf(_ kinds: [String], from first: Int) -> String {
    "(kind || '') IN (" + kinds.indices.map { "$\(first + $0)" }.joined(separator: ", ") + ")"
  }
}
