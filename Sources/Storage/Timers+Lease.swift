internal import Base

/// How a node takes what is due.
extension Timers {
  /// The kinds of which this node can take more, and how many. A kind gets new ones when half of its places are free:
  /// so they are leased in batches, not one by one.
  func room() -> [(kind: String, places: Int)] {
    state.withLock { state in
      if state.runningInAll >= capacity { return [] }
      return state.handlers.keys.sorted().compactMap { kind in
        guard let registration = state.handlers[kind], !registration.isElsewhere else { return nil }
        let places = registration.limit - state.running[kind, default: 0]
        return places * 2 >= registration.limit && places > 0 ? (kind, places) : nil
      }
    }
  }

  /// What each kind gets of this node's places: what it wants, unless they are too few. Then each goes to the kind that has
  /// the fewest for its weight, so that none waits for another's end.
  func shares(_ wanted: [(kind: String, places: Int)]) -> [(kind: String, places: Int)] {
    state.withLock { state in
      var free = capacity - state.runningInAll
      if wanted.reduce(0, { $0 + $1.places }) <= free { return wanted }
      let kinds = wanted.map { kind, places in
        (
          kind: kind, places: places, running: state.running[kind, default: 0],
          weight: state.handlers[kind]?.weight ?? 1
        )
      }
      var shares = [Int](repeating: 0, count: kinds.count)
      while free > 0 {
        let open = kinds.indices.filter { shares[$0] < kinds[$0].places }
        let next = open.min { a, b in
          (kinds[a].running + shares[a] + 1) * kinds[b].weight < (kinds[b].running + shares[b] + 1) * kinds[a].weight
        }
        guard let next else { break }
        shares[next] += 1
        free -= 1
      }
      return zip(kinds, shares).filter { $1 > 0 }.map { ($0.kind, $1) }
    }
  }

  /// When the first timer of each kind is due, by one step into the index for each kind.
  func firstDue(of kinds: [String]) async throws -> [(kind: String, due: Instant)] {
    if kinds.isEmpty { return [] }
    let sql = kinds.indices.map { index in
      """
      SELECT kind, due FROM (SELECT kind, due FROM octet_timers WHERE kind = $\(index + 1) ORDER BY due LIMIT 1) k\(index)
      """
    }
    return try await database.read { reader in
      try reader.rows(sql.joined(separator: " UNION ALL "), kinds.map(\.sqlValue)) { ($0[0], $0[1]) }
    }
  }

  /// Takes due timers for this node: they are not due again before the lease ends.
  func lease() async throws -> [DueTimer] {
    try await settleRest()
    let room = room()
    let now = clock.now()
    let due = try await firstDue(of: room.map(\.kind)).filter { $0.due <= now }.map(\.kind)
    if due.isEmpty { return [] }
    let wanted = shares(room.filter { due.contains($0.kind) })
    if wanted.isEmpty { return [] }
    let leased = try await take(wanted, now)
    state.withLock { state in
      for timer in leased { state.running[timer.kind, default: 0] += 1 }
    }
    for (kind, _) in wanted { changeBoard.note(kind) }
    return leased
  }

  private func take(_ wanted: [(kind: String, places: Int)], _ now: Instant) async throws -> [DueTimer] {
    let taken = Locked<[DueTimer]>([])
    do {
      return try await database.write { [self] writer in
        let leased = try wanted.flatMap { try lease($0.kind, atMost: $0.places, now, writer) }
        taken.withLock { $0 = leased }
        return leased
      }
    } catch let error as StorageError where error.code == .outcomeUnknown {
      // They may be this node's now, which will not try them.
      let untried = taken.withLock { $0 }.map { Outcome.untried($0, due: now) }
      state.withLock { $0.unsettled += untried }
      throw error
    }
  }

  private func lease(_ kind: String, atMost count: Int, _ now: Instant, _ writer: any Writer) throws -> [DueTimer] {
    guard let registration = state.withLock({ $0.handlers[kind] }) else { return [] }
    let timers = try due(kind, atMost: count, now, writer)
    for timer in timers {
      // Those without an attempt left are leased to be given up, each in a transaction of its own: what a kind has done
      // then may fail, and would keep all kinds from this one. It is no attempt.
      let isTried = timer.attempt <= registration.policy.attempts
      try markLeased(
        timer, until: now + registration.lease, attempts: isTried ? timer.attempt : timer.attempt - 1, writer)
    }
    return timers
  }

  /// Those of a kind that are due, held by this transaction, with the fence and attempt of the lease that they may get.
  func due(
    _ kind: String, atMost count: Int, _ now: Instant, _ writer: any Writer
  ) throws -> [DueTimer] {
    try writer.rows(
      """
      SELECT key, scheduled_for, payload, attempts, fence, CASE WHEN is_leased = 0 THEN error END FROM octet_timers
      WHERE kind = $1 AND due <= $2 ORDER BY due LIMIT $3
      """ + writer.dialect.forUpdateSkippingLocked,
      [kind.sqlValue, now.sqlValue, count.sqlValue]
    ) { row in
      DueTimer(
        kind: kind, key: row[0], scheduledFor: row[1], payload: row[2], attempt: row[3] + 1,
        fence: max(row[4] + 1, now.nanoseconds), lastError: row[5])
    }
  }

  func markLeased(_ timer: DueTimer, until end: Instant, attempts: Int, _ writer: any Writer) throws {
    try writer.send(
      "UPDATE octet_timers SET due = $3, fence = $4, attempts = $5, is_leased = 1 WHERE kind = $1 AND key = $2",
      timer.kind, timer.key, end, timer.fence, attempts)
  }
}

extension Timers.State {
  var runningInAll: Int { running.values.reduce(0, +) }
}

extension Timers.Registration {
  fileprivate var isElsewhere: Bool { if case .elsewhere = body { true } else { false } }
}
