public import Base

/// Durable timers: set in a transaction, gone off after it, whatever crashes in between.
///
/// Set up once: `handle` for every kind, then `start()`, or `runDue()` from a test that moves the clock. Due timers
/// are leased (so that several nodes share the work), and each handler runs in one transaction with the removal of
/// its timer, which holds only while the lease's fence is still the timer's.
public final class Timers: Sendable {
  let database: any Database
  let clock: any WallClock
  let random: any RandomSource
  private let state = Locked(State())

  struct State {
    var handlers: [String: Registration] = [:]
    var loop: Task<Void, Never>?
    var isStopping = false
    /// Until when the loop sleeps; a timer due earlier has to wake it.
    var sleepsUntil: Instant?
  }

  struct Registration: Sendable {
    var policy: RetryPolicy
    var body: TimerHandler
  }

  private let wakeUp = ParkingSpot()

  /// How long a worker may take before another one may try.
  static let leaseDuration: Duration = .seconds(60)
  /// How many timers are leased with one transaction; they run at the same time.
  static let leasedAtOnce = 64
  /// How long the loop sleeps at most: other nodes set timers too.
  static let longestSleep: Duration = .seconds(1)

  public init(database: any Database, clock: any WallClock, random: any RandomSource) {
    self.database = database
    self.clock = clock
    self.random = random
  }

  /// Says what to do for a kind of timer. Before `start`.
  public func handle(_ kind: String, policy: RetryPolicy = RetryPolicy(), _ body: @escaping TimerHandler) {
    state.withLock { state in
      precondition(state.handlers[kind] == nil, "two handlers for timers of kind \(kind)")
      state.handlers[kind] = Registration(policy: policy, body: body)
    }
  }

  /// Sets a timer in the caller's transaction, in place of the one with this kind and key if there is one.
  public func set(
    _ kind: String, key: String, due: Instant, payload: [UInt8] = [], in writer: any Writer
  ) throws {
    // The fence follows the clock, so that it rises even when a timer is removed and set again.
    try writer.execute(
      """
      INSERT INTO octet_timers (kind, key, due, scheduled_for, fence, attempts, payload)
      VALUES ($1, $2, $3, $3, $4, 0, $5)
      ON CONFLICT (kind, key) DO UPDATE SET due = excluded.due, scheduled_for = excluded.scheduled_for, attempts = 0,
        payload = excluded.payload,
        fence = CASE WHEN octet_timers.fence < excluded.fence THEN excluded.fence ELSE octet_timers.fence + 1 END
      """, kind, key, due, clock.now(), payload)
    writer.afterCommit { [self] in
      let isEarlier = state.withLock { $0.sleepsUntil.map { due < $0 } ?? false }
      if isEarlier { wakeUp.unpark() }
    }
  }

  /// Removes a timer in the caller's transaction.
  /// - Returns: whether there was one.
  @discardableResult
  public func cancel(_ kind: String, key: String, in writer: any Writer) throws -> Bool {
    try writer.execute("DELETE FROM octet_timers WHERE kind = $1 AND key = $2", kind, key) > 0
  }

  /// When a timer is to go off (in the past if its attempts failed so far), or nil if there is none.
  public func due(_ kind: String, key: String, in reader: any Reader) throws -> Instant? {
    try reader.first("SELECT scheduled_for FROM octet_timers WHERE kind = $1 AND key = $2", kind, key) { $0[0] }
  }

  /// Starts to run timers in the background.
  public func start() {
    state.withLock { state in
      precondition(state.loop == nil, "timers were started twice")
      state.isStopping = false
      state.loop = Task { await loop() }
    }
  }

  /// Ends the background work; timers under way are finished first.
  public func stop() async {
    let loop = state.withLock { state in
      state.isStopping = true
      defer { state.loop = nil }
      return state.loop
    }
    wakeUp.unpark()
    await loop?.value
  }

  var handlers: [String: Registration] { state.withLock { $0.handlers } }

  private func loop() async {
    while !state.withLock({ $0.isStopping }) {
      var wait = Self.longestSleep
      do {
        try await runDue()
        wait = try await timeToNextDue()
      } catch {
        // A database that is busy or closing: what is due stays due.
      }
      // Nobody cancels the loop's task; stopping wakes it up.
      try? await wakeUp.park(atMost: wait)
      state.withLock { $0.sleepsUntil = nil }
    }
  }

  /// Announces how long the loop is going to sleep before it looks, so that no timer set meanwhile is overlooked.
  private func timeToNextDue() async throws -> Duration {
    let latest = clock.now() + Self.longestSleep
    state.withLock { $0.sleepsUntil = latest }
    guard let next = try await nextDue() else { return Self.longestSleep }
    state.withLock { $0.sleepsUntil = min(next, latest) }
    return max(.zero, min(Self.longestSleep, next - clock.now()))
  }
}
