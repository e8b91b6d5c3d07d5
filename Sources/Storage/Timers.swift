public import Base

/// Durable timers and jobs: set in a transaction, gone off after it, whatever crashes in between.
///
/// Set up once: `handle` for every kind whose effect fits into one transaction, `work` for those that take longer or
/// work outside of the database; then `start()`, or `runDue()` from a test that moves the clock. What is due is leased
/// (so that several nodes share the work). A timer's handler runs in one transaction with the removal of its timer, a
/// job writes as it goes and is removed at its end, and both only while the lease's fence is still the row's.
///
/// Every kind has its own bound of what runs at once on a node, and its own way through the index: one with very many
/// due timers waits for itself alone. When more is due than the node has places for, the kinds share them by their weights.
public final class Timers: Sendable {
  let database: any Database
  let clock: any WallClock
  let random: any RandomSource
  /// How many of all kinds run at the same time on this node.
  let capacity: Int
  let state = Locked(State())

  struct State {
    var handlers: [String: Registration] = [:]
    /// How many of each kind this node has leased.
    var running: [String: Int] = [:]
    /// The jobs among them, by kind and key.
    var jobs: [String: [String: Job]] = [:]
    /// What could not be put down yet.
    var unsettled: [Outcome] = []
    var loop: Task<Void, Never>?
    /// Who is told of failures.
    var failed: (@Sendable (any Error) -> Void)?
    var isStopping = false
    /// Until when the loop sleeps; a timer due earlier has to wake it.
    var sleepsUntil: Instant?
  }

  struct Registration: Sendable {
    var policy: RetryPolicy
    /// How many run at the same time on this node.
    var limit: Int
    /// Its part of a node that is full, beside those of other kinds.
    var weight: Int
    /// How long a worker that has gone silent keeps others from trying.
    var lease: Duration
    var body: Body
  }

  enum Body: Sendable {
    case transaction(TimerHandler)
    /// The second handler is for what was given up.
    case job(JobHandler, givenUp: TimerHandler)
    /// By other programs, which ask for it. The handler is for what they have given up.
    case elsewhere(TimerHandler)
  }

  let wakeUp = ParkingSpot()
  let changeBoard = TimerChangeBoard()

  /// How long a timer's handler may take before another node may try.
  static let leaseDuration: Duration = .seconds(60)
  /// How many timers of a kind run at the same time on a node, and are leased with one transaction.
  public static let standardLimit = 64
  /// How many jobs of a kind run at the same time on a node: each may take a processor.
  public static let standardWorkers = 2
  /// How many of all kinds run at the same time on a node: eight kinds at their limits.
  public static let standardCapacity = 512
  /// How long the loop sleeps at most: other nodes set timers too.
  static let longestSleep: Duration = .seconds(1)

  /// - Parameter capacity: how many of all kinds run at the same time on this node.
  public init(
    database: any Database, clock: any WallClock, random: any RandomSource, capacity: Int = standardCapacity
  ) {
    precondition(capacity > 0, "a node that can do nothing")
    self.capacity = capacity
    self.database = database
    self.clock = clock
    self.random = random
  }

  /// Says what to do for a kind of timer. Before `start`.
  /// - Parameters:
  ///   - atOnce: how many run at the same time on this node.
  ///   - weight: its part of a node that is full, beside those of other kinds.
  public func handle(
    _ kind: String, policy: RetryPolicy = RetryPolicy(), atOnce: Int = standardLimit, weight: Int = 1,
    _ body: @escaping TimerHandler
  ) {
    register(
      kind,
      Registration(
        policy: policy, limit: atOnce, weight: weight, lease: Self.leaseDuration, body: .transaction(body)))
  }

  /// Says how to do a kind of job. Before `start`.
  /// - Parameters:
  ///   - atOnce: how many run at the same time on this node.
  ///   - weight: its part of a node that is full, beside those of other kinds.
  ///   - lease: how long a worker that has gone silent keeps others from trying. A living one extends it by itself,
  ///     three times in that time.
  ///   - givenUp: what to do when the last attempt has failed, in the transaction that makes the job a dead letter, or when
  ///     somebody has abandoned it. While it throws, the job is not given up, but that is tried again and again.
  public func work(
    _ kind: String, policy: RetryPolicy = RetryPolicy(), atOnce: Int = standardWorkers, weight: Int = 1,
    lease: Duration = .seconds(60), givenUp: @escaping TimerHandler = { _, _ in }, _ body: @escaping JobHandler
  ) {
    register(
      kind,
      Registration(
        policy: policy, limit: atOnce, weight: weight, lease: lease, body: .job(body, givenUp: givenUp)))
  }

  func register(_ kind: String, _ registration: Registration) {
    precondition(
      registration.limit > 0 && registration.weight > 0 && registration.lease > .zero, "a kind that can never run")
    state.withLock { state in
      precondition(state.handlers[kind] == nil, "two handlers for timers of kind \(kind)")
      state.handlers[kind] = registration
    }
  }

  /// Sets a timer or job in the caller's transaction, in place of the one with this kind and key if there is one. A
  /// worker that has the old one cannot write any more.
  public func set(
    _ kind: String, key: String, due: Instant, payload: [UInt8] = [], in writer: any Writer
  ) throws {
    let (moment, replaced) = (clock.now(), job(kind, key))
    // The fence follows the clock, so that it rises even when a timer is removed and set again.
    try writer.send(
      """
      INSERT INTO octet_timers (kind, key, due, scheduled_for, fence, attempts, payload)
      VALUES ($1, $2, $3, $3, $4, 0, $5)
      ON CONFLICT (kind, key) DO UPDATE SET due = excluded.due, scheduled_for = excluded.scheduled_for, attempts = 0,
        payload = excluded.payload, is_leased = 0, progress = NULL, error = NULL,
        fence = CASE WHEN octet_timers.fence < excluded.fence THEN excluded.fence ELSE octet_timers.fence + 1 END
      """, kind, key, due, moment, payload)
    writer.afterCommit { [self] in
      interrupt(kind, key, if: replaced, orBefore: moment)
      wake(for: due)
      changeBoard.note(kind)
    }
  }

  /// Sets a timer or job in the caller's transaction unless there is one with this kind and key, waiting or running.
  /// - Returns: whether it was set.
  @discardableResult
  public func setIfAbsent(
    _ kind: String, key: String, due: Instant, payload: [UInt8] = [], in writer: any Writer
  ) throws -> Bool {
    let isSet = try writer.execute(
      """
      INSERT INTO octet_timers (kind, key, due, scheduled_for, fence, attempts, payload)
      VALUES ($1, $2, $3, $3, $4, 0, $5) ON CONFLICT (kind, key) DO NOTHING
      """, kind, key, due, clock.now(), payload)
    if isSet == 1 {
      writer.afterCommit { [self] in
        wake(for: due)
        changeBoard.note(kind)
      }
    }
    return isSet == 1
  }

  /// Removes a timer or job in the caller's transaction. A job that runs cannot write from then on; its task is
  /// cancelled at once on this node, on another one with its next sign of life.
  /// - Returns: whether there was one.
  @discardableResult
  public func cancel(_ kind: String, key: String, in writer: any Writer) throws -> Bool {
    let (moment, removed) = (clock.now(), job(kind, key))
    let isRemoved = try writer.execute("DELETE FROM octet_timers WHERE kind = $1 AND key = $2", kind, key) > 0
    if isRemoved {
      writer.afterCommit { [self] in
        interrupt(kind, key, if: removed, orBefore: moment)
        changeBoard.note(kind)
      }
    }
    return isRemoved
  }

  /// The same for one that others wait for: who set it learns that nobody does it any more, as if its last attempt had
  /// failed, but it is no dead letter.
  /// - Returns: whether there was one.
  public func abandon(_ kind: String, key: String, in writer: any Writer) throws -> Bool {
    let timer = try writer.firstForUpdate(
      "SELECT scheduled_for, payload, attempts, fence FROM octet_timers WHERE kind = $1 AND key = $2", kind, key
    ) { row in
      DueTimer(kind: kind, key: key, scheduledFor: row[0], payload: row[1], attempt: row[2], fence: row[3])
    }
    guard let timer, try cancel(kind, key: key, in: writer) else { return false }
    try wasGivenUp(timer, writer)
    return true
  }

  /// When a timer is to go off (in the past if its attempts failed so far), or nil if there is none.
  public func due(_ kind: String, key: String, in reader: any Reader) throws -> Instant? {
    try reader.first("SELECT scheduled_for FROM octet_timers WHERE kind = $1 AND key = $2", kind, key) { $0[0] }
  }

  /// How a timer or job stands; nil if there is none: it was never set, has succeeded, or was given up.
  public func status(_ kind: String, key: String, in reader: any Reader) throws -> TimerStatus? {
    let now = clock.now()
    return try reader.first(
      "SELECT scheduled_for, attempts, is_leased, due, progress, error FROM octet_timers WHERE kind = $1 AND key = $2",
      kind, key
    ) { row in
      TimerStatus(
        scheduledFor: row[0], attempts: row[1], isRunning: row[2] && row[3] as Instant > now, progress: row[4],
        error: row[5])
    }
  }

  /// Starts to run what is due in the background.
  /// - Parameter failed: is told whenever the node cannot lease what is due, which stays due; and of each
  ///   `UnsettledTimer`.
  public func start(failed: @escaping @Sendable (any Error) -> Void) {
    state.withLock { state in
      precondition(state.loop == nil, "timers were started twice")
      state.isStopping = false
      state.failed = failed
      state.loop = Task { await loop() }
    }
  }

  /// Ends the background work: timers under way are finished first, jobs are cancelled and left to other nodes, or to
  /// the next start.
  public func stop() async {
    let (loop, jobs) = state.withLock { state in
      state.isStopping = true
      defer { state.loop = nil }
      return (state.loop, state.jobs.values.flatMap(\.values))
    }
    for job in jobs { job.interrupt(.stopping) }
    wakeUp.unpark()
    await loop?.value
    state.withLock { $0.isStopping = false }
  }

  /// The one with this kind and key that runs on this node.
  private func job(_ kind: String, _ key: String) -> Job? { state.withLock { $0.jobs[kind]?[key] } }

  /// Interrupts a job that a change has ended. Such a change may be told of late, when what it set has been leased and
  /// runs already: that has a later fence.
  /// - Parameters:
  ///   - old: the one that ran when the change was made.
  ///   - moment: of the change.
  private func interrupt(_ kind: String, _ key: String, if old: Job?, orBefore moment: Instant) {
    guard let job = job(kind, key), job === old || job.timer.fence <= moment.nanoseconds else { return }
    job.interrupt(.lost)
  }

  private func wake(for due: Instant) {
    let isEarlier = state.withLock { $0.sleepsUntil.map { due < $0 } ?? false }
    if isEarlier { wakeUp.unpark() }
  }
}
