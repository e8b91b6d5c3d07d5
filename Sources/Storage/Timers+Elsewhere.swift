public import Base

/// Jobs that other programs do: scorers, renderers, whatever does not run in this process.
///
/// Such a worker asks for a job, extends its lease while it works, and ends it, each in a transaction of whoever serves
/// the call, together with the effect. It shows the fence that it got: once the lease has run out, or the job was
/// cancelled, set anew or leased again, it is told `JobLost`, and nothing of it commits.
extension Timers {
  /// Says that a kind of job is done elsewhere. Before `start`.
  /// - Parameters:
  ///   - lease: how long a worker that has gone silent keeps others from trying.
  ///   - givenUp: what to do when the last attempt has failed, or its lease has run out, in the transaction that makes the
  ///     job a dead letter; or when somebody has abandoned it.
  public func offer(
    _ kind: String, policy: RetryPolicy = RetryPolicy(), lease: Duration = .seconds(60),
    givenUp: @escaping TimerHandler = { _, _ in }
  ) {
    register(kind, Registration(policy: policy, limit: 1, weight: 1, lease: lease, body: .elsewhere(givenUp)))
    // Nobody may ask for a job of the kind any more, and what was given up must be known all the same.
    var always = RetryPolicy()
    always.attempts = .max
    handle(Self.lastLease(of: kind), policy: always) { [self] writer, timer in
      try endLastLease(kind, timer, writer)
    }
  }

  /// Jobs without an attempt left that one call gives up; the next call goes on with others.
  private static let givenUpAtOnce = 64

  /// Leases the job of a kind that has been due for longest to whoever asks. Gives up those that have no attempt left, which
  /// were allowed more when they were tried.
  /// - Returns: the job, and the end of its lease; nil if none is due.
  public func takeNext(_ kind: String, in writer: any Writer) throws -> (job: DueTimer, until: Instant)? {
    let (registration, now) = (registration(elsewhere: kind), clock.now())
    let limit = registration.policy.attempts
    let end = now + registration.lease
    noteAfterCommit(kind, writer)
    for _ in 0..<Self.givenUpAtOnce {
      guard var job = try due(kind, atMost: 1, now, writer).first else { return nil }
      if job.attempt > limit {
        job.attempt -= 1
        try giveUp(job, attempts: job.attempt, error: "no attempt is left", writer)
        continue
      }
      try markLeased(job, until: end, writer)
      if job.attempt == limit {
        try set(Self.lastLease(of: kind), key: job.key, due: end, payload: Array(String(job.fence).utf8), in: writer)
      }
      return (job, end)
    }
    return nil
  }

  /// Extends a lease from now.
  /// - Returns: its new end.
  /// - Throws: `JobLost`.
  public func extend(_ kind: String, key: String, fence: Int64, in writer: any Writer) throws -> Instant {
    let now = clock.now()
    let end = now + registration(elsewhere: kind).lease
    let isExtended = try writer.execute(
      "UPDATE octet_timers SET due = $5 WHERE \(Self.isLeased)", kind, key, fence, now, end)
    guard isExtended == 1 else { throw JobLost() }
    noteAfterCommit(kind, writer)
    return end
  }

  /// Ends a job that was done, in the transaction of its effect.
  /// - Throws: `JobLost`.
  public func finish(_ kind: String, key: String, fence: Int64, in writer: any Writer) throws {
    let isEnded = try writer.execute("DELETE FROM octet_timers WHERE \(Self.isLeased)", kind, key, fence, clock.now())
    guard isEnded == 1 else { throw JobLost() }
    noteAfterCommit(kind, writer)
  }

  /// Ends an attempt that has failed: the job comes again later, or is given up.
  /// - Parameter error: for people.
  /// - Throws: `JobLost`; what `givenUp` throws.
  public func fail(_ kind: String, key: String, fence: Int64, error: String, in writer: any Writer) throws {
    let (registration, now) = (registration(elsewhere: kind), clock.now())
    guard let job = try leased(kind, key, fence, writer), job.until > now else { throw JobLost() }
    noteAfterCommit(kind, writer)
    if job.timer.attempt >= registration.policy.attempts {
      return try giveUp(job.timer, attempts: job.timer.attempt, error: error, writer)
    }
    let retryAt = now + registration.policy.delay(afterAttempt: job.timer.attempt, random: random)
    try writer.send(
      "UPDATE octet_timers SET due = $3, is_leased = 0, error = $4 WHERE kind = $1 AND key = $2", kind, key, retryAt,
      error)
  }

  private func noteAfterCommit(_ kind: String, _ writer: any Writer) {
    writer.afterCommit { [changeBoard] in changeBoard.note(kind) }
  }

  /// Who has leased a timer, and whether that is still so by the clock.
  static let isLeased = "kind = $1 AND key = $2 AND fence = $3 AND is_leased = 1 AND due > $4"

  private static func lastLease(of kind: String) -> String { "last lease/" + kind }

  private func registration(elsewhere kind: String) -> Registration {
    guard let registration = state.withLock({ $0.handlers[kind] }), case .elsewhere = registration.body else {
      preconditionFailure("nobody has said that \(kind) is done elsewhere")
    }
    return registration
  }

  private func leased(
    _ kind: String, _ key: String, _ fence: Int64, _ writer: any Writer
  ) throws -> (timer: DueTimer, until: Instant)? {
    try writer.firstForUpdate(
      """
      SELECT scheduled_for, payload, attempts, due FROM octet_timers
      WHERE kind = $1 AND key = $2 AND fence = $3 AND is_leased = 1
      """, kind, key, fence
    ) { row in
      (DueTimer(kind: kind, key: key, scheduledFor: row[0], payload: row[1], attempt: row[2], fence: fence), row[3])
    }
  }

  /// When the lease of a last attempt may have run out. It has not if the worker has extended it.
  private func endLastLease(
    _ kind: String, _ timer: DueTimer, _ writer: any Writer
  ) throws {
    guard let fence = Int64(String(decoding: timer.payload, as: UTF8.self)),
      let job = try leased(kind, timer.key, fence, writer)
    else { return }
    if job.until > clock.now() {
      try set(timer.kind, key: timer.key, due: job.until, payload: timer.payload, in: writer)
    } else {
      noteAfterCommit(kind, writer)
      try giveUp(
        job.timer, attempts: job.timer.attempt, error: "the lease of the last attempt has run out", writer)
    }
  }
}
