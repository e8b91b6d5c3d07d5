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

  /// Jobs without an attempt left that one call passes over; the next call goes on with others.
  private static let passedOverAtOnce = 64

  /// Leases the job of a kind that has been due for longest to whoever asks. Those that have no attempt left, which were
  /// allowed more when they were tried, are left to be given up.
  /// - Returns: the job, and the end of its lease; nil if none is due.
  public func takeNext(_ kind: String, in writer: any Writer) throws -> (job: DueTimer, until: Instant)? {
    let (registration, now) = (registration(elsewhere: kind), clock.now())
    let limit = registration.policy.attempts
    let end = now + registration.lease
    noteAfterCommit(kind, writer)
    for _ in 0..<Self.passedOverAtOnce {
      guard let job = try due(kind, atMost: 1, now, writer).first else { return nil }
      if job.attempt > limit {
        try leave(job, error: job.lastError, writer)
        continue
      }
      try markLeased(job, until: end, attempts: job.attempt, writer)
      if job.attempt == limit {
        try set(Self.lastLease(of: kind), key: job.key, due: end, in: writer)
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
    guard let held = try held(kind, key, writer), held.job.fence == fence, held.isLeased, held.until > clock.now()
    else { throw JobLost() }
    if held.job.attempt < registration(elsewhere: kind).policy.attempts {
      return try putBack(held.job, error: error, in: writer)
    }
    noteAfterCommit(kind, writer)
    try giveUp(held.job, attempts: held.job.attempt, error: error, writer)
  }

  /// Ends the attempt of a job that was taken and cannot be handed out. If it was the last one, the job is given up by
  /// itself when its lease would have run out: what `givenUp` throws is not for whoever asks for jobs.
  public func putBack(_ job: DueTimer, error: String, in writer: any Writer) throws {
    let policy = registration(elsewhere: job.kind).policy
    if job.attempt >= policy.attempts { return try leave(job, error: error, writer) }
    try putBack(job, error, due: clock.now() + policy.delay(afterAttempt: job.attempt, random: random), writer)
  }

  /// Leaves a job without an attempt to the timer that gives it up, and takes it out of the way of others for the time of
  /// a lease: so one that cannot be given up keeps nobody from the next.
  private func leave(_ job: DueTimer, error: String?, _ writer: any Writer) throws {
    let now = clock.now()
    try putBack(job, error, due: now + registration(elsewhere: job.kind).lease, writer)
    try setIfAbsent(Self.lastLease(of: job.kind), key: job.key, due: now, in: writer)
  }

  private func putBack(_ job: DueTimer, _ error: String?, due: Instant, _ writer: any Writer) throws {
    noteAfterCommit(job.kind, writer)
    try writer.send(
      "UPDATE octet_timers SET due = $3, is_leased = 0, error = $4 WHERE kind = $1 AND key = $2", job.kind, job.key,
      due, error)
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

  private func held(
    _ kind: String, _ key: String, _ writer: any Writer
  ) throws -> (job: DueTimer, until: Instant, isLeased: Bool)? {
    try writer.firstForUpdate(
      """
      SELECT scheduled_for, payload, attempts, fence, error, due, is_leased FROM octet_timers
      WHERE kind = $1 AND key = $2
      """, kind, key
    ) { row in
      let job = DueTimer(
        kind: kind, key: key, scheduledFor: row[0], payload: row[1], attempt: row[2], fence: row[3], lastError: row[4])
      return (job, row[5], row[6])
    }
  }

  /// When the lease of a last attempt may have run out. It has not if the worker has extended it, and the job is to be
  /// tried if it was set anew.
  private func endLastLease(
    _ kind: String, _ timer: DueTimer, _ writer: any Writer
  ) throws {
    guard let held = try held(kind, timer.key, writer),
      held.job.attempt >= registration(elsewhere: kind).policy.attempts
    else { return }
    if held.isLeased && held.until > clock.now() {
      return try set(timer.kind, key: timer.key, due: held.until, in: writer)
    }
    noteAfterCommit(kind, writer)
    let silence = "the lease of the last attempt has run out"
    try giveUp(
      held.job, attempts: held.job.attempt, error: held.isLeased ? silence : held.job.lastError ?? silence, writer)
  }
}
