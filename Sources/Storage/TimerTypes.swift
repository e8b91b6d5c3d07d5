public import Base

/// A durable timer as its handler sees it.
public struct DueTimer: Sendable, Equatable {
  /// What is to be done.
  public let kind: String

  /// For which thing; at most one timer per kind and key exists.
  public let key: String

  /// When it was to go off. The present may be later: after a stop, or a failed attempt.
  public let scheduledFor: Instant

  /// Whatever the handler needs to know.
  public let payload: [UInt8]

  /// 1 for the first attempt.
  public internal(set) var attempt: Int

  /// Rises with every lease of this kind and key. A system outside that keeps the highest it has seen can refuse a
  /// worker that lost its lease.
  public let fence: Int64

  /// What the attempt before failed with; nil if it ended without a word.
  var lastError: String?
}

/// Does what a timer is for, in the transaction that removes the timer: its effect happens exactly once.
///
/// It may set the same kind and key again. If it throws, nothing of it remains, and it is tried again later.
public typealias TimerHandler = @Sendable (any Writer, DueTimer) throws -> Void

/// Does what a job is for, outside of any transaction, for as long as it takes. Whatever it writes goes through the
/// job, and so commits only while the job is still this worker's; a database that it has by another way is not bound
/// by that.
///
/// The task is cancelled when the job is cancelled, when the lease is lost and when the node shuts down; it must end
/// then. If it throws, it is tried again later.
public typealias JobHandler = @Sendable (Job) async throws -> Void

/// When a failed timer is tried again, and when no more.
public struct RetryPolicy: Sendable, Equatable {
  /// After so many failures the timer becomes a dead letter.
  public var attempts = 5

  /// How long to wait after the first failure; doubled with each further one.
  public var base: Duration = .seconds(2)

  /// The longest wait.
  public var longest: Duration = .seconds(3600)

  public init() {}

  /// The wait after failure number `attempt`, spread by a fifth in both directions so that failures of one cause do
  /// not come back together.
  func delay(afterAttempt attempt: Int, random: any RandomSource) -> Duration {
    let limit = longest.inMilliseconds
    let doublings = min(max(attempt - 1, 0), 30)
    let plain = min(limit, base.inMilliseconds.multipliedReportingOverflow(by: 1 << doublings).partialValue)
    let fifth = plain / 5
    let spread = Int64(random.below(UInt64(2 * fifth + 1))) - fifth
    return .milliseconds(min(limit, plain + spread))
  }
}

/// How a timer or job stands.
public struct TimerStatus: Sendable, Equatable {
  public let scheduledFor: Instant

  /// How many attempts were begun.
  public let attempts: Int

  /// Whether a worker holds a lease of it.
  public let isRunning: Bool

  /// What the job last reported.
  public let progress: [UInt8]?

  /// What the last failed attempt failed with, for people.
  public let error: String?
}

/// A timer or job whose end could not be put down. It is tried again, or given up, later.
public struct UnsettledTimer: Error, CustomStringConvertible {
  public let kind: String
  public let key: String
  public let error: any Error

  public var description: String { "\(kind) \(key): \(error)" }
}

/// A timer that was given up.
public struct DeadTimer: Sendable, Equatable {
  /// By which it is retried or discarded.
  public let id: Int64
  public let kind: String
  public let key: String
  public let scheduledFor: Instant
  public let attempts: Int
  public let payload: [UInt8]

  /// What the last attempt failed with, for people.
  public let error: String
  public let diedAt: Instant
}
