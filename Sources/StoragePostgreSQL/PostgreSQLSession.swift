internal import Base
internal import CLinux
internal import Storage

/// Time as a session sees it. Tests bring their own, so that they wait for nothing.
struct SessionTime: Sendable {
  var now: @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }

  /// Blocks the thread.
  var sleep: @Sendable (Duration) -> Void = { duration in
    let nanoseconds = max(0, duration.inNanoseconds)
    var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    // A signal that cuts it short does no harm.
    nanosleep(&time, nil)
  }
}

/// The connection of one thread, which is made anew when it breaks.
final class PostgreSQLSession {
  let options: PostgreSQLOptions
  private let url: String
  private let random: any RandomSource
  private let time: SessionTime
  private var connection: PostgreSQLConnection?
  private var isPooled: Bool
  private var keepsStatements: Bool

  /// Since when the server cannot be reached; nil while it can.
  private var outageBegan: ContinuousClock.Instant?
  private var nextAttempt: ContinuousClock.Instant?
  private var failedAttempts = 0
  private var lastFailure: StorageError?

  init(
    _ url: String, _ options: PostgreSQLOptions, _ random: any RandomSource, time: SessionTime = SessionTime()
  ) {
    self.url = url
    self.options = options
    self.random = random
    self.time = time
    isPooled = options.isPooled
    keepsStatements = !options.isPooled
  }

  /// Another one at the same server.
  func another() -> PostgreSQLSession {
    let session = PostgreSQLSession(url, options, random, time: time)
    // What was found out of a pooler holds there, too.
    (session.isPooled, session.keepsStatements) = (isPooled, keepsStatements)
    return session
  }

  /// Whether to run a transaction again whose connection was lost.
  /// - Parameter outageBegan: when it lost its first one, which is noted here. Not when it began: the time in which all
  ///   went well, or this process stood still, is no outage.
  func isPatient(since outageBegan: inout ContinuousClock.Instant?) -> Bool {
    let now = ContinuousClock.now
    let began = outageBegan ?? now
    outageBegan = began
    return now - began < options.patience
  }

  /// The connection; one is made if there is none. Blocks: while the server cannot be reached, it tries again for as long
  /// as the options say. Once that time is over, each further call gets one attempt, if one is due, until one succeeds.
  /// - Throws: `StorageError` with code `.unavailable`, or what no waiting will mend.
  func connected() throws(StorageError) -> PostgreSQLConnection {
    if let connection, !connection.isBroken { return connection }
    connection = nil
    while true {
      let now = time.now()
      if let began = outageBegan, let next = nextAttempt, next > now {
        let isHopeless = began.duration(to: next) > options.patience
        if isHopeless, let lastFailure { throw lastFailure }
        time.sleep(now.duration(to: next))
      }
      do throws(PostgreSQLFailure) {
        let made = try PostgreSQLConnection(
          url, options, isPooled: isPooled, keepsStatements: keepsStatements)
        (outageBegan, nextAttempt, lastFailure, failedAttempts) = (nil, nil, nil, 0)
        connection = made
        return made
      } catch {
        try note(error)
      }
    }
  }

  /// Decides what a failed attempt to connect means.
  private func note(_ failure: PostgreSQLFailure) throws(StorageError) {
    // Whether the pooler looks after prepared statements shows when one is missing.
    if !isPooled, failure.error.message.contains("unsupported startup parameter") {
      isPooled = true
      return
    }
    guard failure.kind == .connection else { throw failure.error }
    let now = time.now()
    outageBegan = outageBegan ?? now
    lastFailure = failure.error
    failedAttempts += 1
    nextAttempt =
      now
      + Self.delay(
        failedAttempts, first: PostgreSQLLimits.firstReconnectDelay, longest: PostgreSQLLimits.longestReconnectDelay,
        random)
  }

  /// Lets go of the connection, whatever its state.
  func disconnect() {
    connection = nil
  }

  /// The sessions behind the connection change: nothing is to be kept in one.
  func forgetStatements() {
    isPooled = true
    keepsStatements = false
    connection = nil
  }

  /// What each transaction must set for itself.
  var settings: [String] {
    guard isPooled else { return [] }
    return PostgreSQLParameters.timeouts(options).map { "SET LOCAL \($0.name) = \($0.milliseconds)" }
  }

  /// Waits before a body is run again, so that those that met each other do not meet again.
  func waitBeforeRetry(_ attempt: Int) {
    time.sleep(
      Self.delay(
        attempt, first: PostgreSQLLimits.firstRetryDelay, longest: PostgreSQLLimits.longestRetryDelay, random))
  }

  /// Between nothing and the full delay, which doubles with each attempt.
  private static func delay(
    _ attempt: Int, first: Duration, longest: Duration, _ random: any RandomSource
  ) -> Duration {
    let full = min(longest, first * (1 << min(attempt - 1, 16)))
    return .nanoseconds(Int64(random.below(UInt64(full.inNanoseconds))))
  }
}
