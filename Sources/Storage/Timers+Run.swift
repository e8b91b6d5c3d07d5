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

  /// Leases and runs until it is stopped. Kinds do not wait for each other.
  func loop() async {
    await withDiscardingTaskGroup { group in
      while !state.withLock({ $0.isStopping }) {
        var wait = Self.longestSleep
        do {
          let leased = try await lease()
          for timer in leased {
            group.addTask { _ = await self.run(timer) }
          }
          wait = leased.isEmpty ? try await timeToNextDue() : .zero
        } catch {
          tell(error)
        }
        // Nobody cancels the loop's task; stopping wakes it up.
        if wait > .zero { try? await wakeUp.park(atMost: wait) }
        state.withLock { $0.sleepsUntil = nil }
      }
    }
  }

  /// Announces how long the loop is going to sleep before it looks, so that no timer set meanwhile is overlooked.
  private func timeToNextDue() async throws -> Duration {
    let latest = clock.now() + Self.longestSleep
    state.withLock { $0.sleepsUntil = latest }
    guard let next = try await firstDue(of: room().map(\.kind)).map(\.due).min() else { return Self.longestSleep }
    state.withLock { $0.sleepsUntil = min(next, latest) }
    return max(.zero, min(Self.longestSleep, next - clock.now()))
  }

  // MARK: Running

  /// Runs a leased timer or job.
  /// - Returns: whether it succeeded.
  func run(_ timer: DueTimer) async -> Bool {
    guard let registration = state.withLock({ $0.handlers[timer.kind] }) else { return false }
    defer { leave(timer, registration.limit) }
    if timer.attempt > registration.policy.attempts {
      await giveUp(timer, registration.policy)
      return false
    }
    switch registration.body {
    case .transaction(let body): return await run(timer, registration.policy, body)
    case .job(let body, _): return await run(timer, registration, body)
    case .elsewhere: preconditionFailure("\(timer.kind) is done by other programs")
    }
  }

  private func leave(_ timer: DueTimer, _ limit: Int) {
    let hasRoom = state.withLock { state in
      let wasFull = state.runningInAll >= capacity
      let running = max(0, state.running[timer.kind, default: 0] - 1)
      state.running[timer.kind] = running
      return wasFull || (limit - running) * 2 >= limit
    }
    if hasRoom { wakeUp.unpark() }
    changeBoard.note(timer.kind)
  }

  private func run(_ timer: DueTimer, _ policy: RetryPolicy, _ body: @escaping TimerHandler) async -> Bool {
    do {
      return try await database.write { writer in
        let now = self.clock.now()
        if now < timer.scheduledFor {
          // The clock has stepped back since the lease. A handler that judges by it would find nothing to do yet, and
          // the timer would be gone.
          try self.put(.untried(timer, due: timer.scheduledFor), writer)
          return false
        }
        // Also takes the row: whoever sets or cancels this timer meanwhile waits, and decides after the effect.
        let isMine = try writer.execute(
          "DELETE FROM octet_timers WHERE \(Self.isLeased)", timer.kind, timer.key, timer.fence, now)
        guard isMine == 1 else {
          // The lease may be over and nobody have taken the timer: the node stood still.
          try self.put(.untried(timer, due: now), writer)
          return false
        }
        try body(writer, timer)
        return true
      }
    } catch {
      await note(error, timer, policy)
      return false
    }
  }

  private func run(_ timer: DueTimer, _ registration: Registration, _ body: @escaping JobHandler) async -> Bool {
    let job = Job(timer, lease: registration.lease, database: database, clock: clock)
    let mayRun = state.withLock { state in
      if !state.isStopping { state.jobs[timer.kind, default: [:]][timer.key] = job }
      return !state.isStopping
    }
    defer {
      state.withLock { state in
        // Another attempt may have begun when this one had lost its lease.
        if state.jobs[timer.kind]?[timer.key] === job { state.jobs[timer.kind]?[timer.key] = nil }
      }
    }
    do {
      guard mayRun else { throw Job.Interruption.stopping }
      try await job.run(body)
      return true
    } catch {
      switch job.interruption ?? (error as? Job.Interruption) {
      case .lost: break
      // Others may have the job at once, as if it had not been tried.
      case .cutOff, .stopping: await settleOrKeep(.untried(timer, due: clock.now()))
      case nil: await note(error, timer, registration.policy)
      }
      return false
    }
  }

  private func note(_ error: any Error, _ timer: DueTimer, _ policy: RetryPolicy) async {
    await settleOrKeep(.failed(timer, error, policy, retryAt: retryAt(timer, policy)))
  }

  /// Gives up a timer that has no attempt left, though it was not given up when the last one ended: that one took the
  /// whole process with it, its lease ran out, or what is to be done then has failed.
  private func giveUp(_ timer: DueTimer, _ policy: RetryPolicy) async {
    await settleOrKeep(.usedUp(timer, policy, retryAt: retryAt(timer, policy)))
  }

  private func retryAt(_ timer: DueTimer, _ policy: RetryPolicy) -> Instant {
    clock.now() + policy.delay(afterAttempt: timer.attempt, random: random)
  }

  /// If it cannot be put down at all, the end of the lease makes the timer due again.
  private func settleOrKeep(_ outcome: Outcome) async {
    do {
      try await settle(outcome)
    } catch {
      // What is kept is told of when this node cannot lease for it.
      if outcome.isKept(after: error) { return }
      tell(UnsettledTimer(kind: outcome.timer.kind, key: outcome.timer.key, error: error))
    }
  }

  private func tell(_ error: any Error) {
    state.withLock { $0.failed }?(error)
  }
}
