internal import Base

/// One attempt at a job, as its worker sees it. All that it writes is bound to its lease: once that is over by the clock,
/// or another worker has taken the job over, or it was cancelled or set anew, nothing of this one commits any more.
///
/// Safe to share between the tasks of one worker.
public final class Job: Sendable {
  /// What is to be done: kind, key, payload, which attempt this is, and the fence for systems outside.
  public let timer: DueTimer

  private let lease: Duration
  private let database: any Database
  private let clock: any WallClock
  private let state = Locked(State())

  private struct State {
    var task: Task<Void, any Error>?
    var interruption: Interruption?
    var isFinished = false
    /// Whether the last sign of life did not reach the database.
    var isCutOff = false
    var mayWrite: Bool { !isFinished && (interruption == nil || interruption == .stopping) }
  }

  /// Why an attempt ended that has not failed.
  enum Interruption: Error {
    /// The job is somebody else's by now, or nobody's.
    case lost
    /// The database could not be reached until the lease was over.
    case cutOff
    /// The node shuts down.
    case stopping
  }

  /// How often in the time of a lease it is extended.
  private static let beatsPerLease = 3

  init(_ timer: DueTimer, lease: Duration, database: any Database, clock: any WallClock) {
    self.timer = timer
    self.lease = lease
    self.database = database
    self.clock = clock
  }

  /// A transaction that commits only while the job is this worker's: until the commit nobody else can take it.
  /// - Throws: `JobLost` if it is not, or after `finish`; what `body` throws; `StorageError`.
  @discardableResult
  public func write<Result: Sendable>(
    _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    let (timer, clock) = (timer, clock)
    guard state.withLock({ $0.mayWrite }) else { throw JobLost() }
    do {
      return try await database.write { writer in
        let isMine = try writer.firstForUpdate(
          "SELECT 1 FROM octet_timers WHERE \(Timers.isLeased)", timer.kind, timer.key, timer.fence, clock.now()
        ) { _ in true }
        guard isMine == true else { throw JobLost() }
        return try body(writer)
      }
    } catch let error as JobLost {
      interrupt(state.withLock { $0.isCutOff } ? .cutOff : .lost)
      throw error
    }
  }

  /// Tells those who ask for the job's status how far it is, and extends the lease.
  /// - Throws: like `write`.
  public func report(_ progress: [UInt8]) async throws {
    let (timer, end) = (timer, clock.now() + lease)
    try await write { writer in
      try writer.send(
        "UPDATE octet_timers SET progress = $3, due = $4 WHERE kind = $1 AND key = $2", timer.kind, timer.key,
        progress, end)
    }
  }

  /// Extends the lease from now. Done by itself while the job runs.
  /// - Throws: like `write`.
  public func extend() async throws {
    let (timer, end) = (timer, clock.now() + lease)
    try await write { writer in
      try writer.send(
        "UPDATE octet_timers SET due = $3 WHERE kind = $1 AND key = $2", timer.kind, timer.key, end)
    }
  }

  /// Ends the job with its last effects, in one transaction. A worker that returns without it ends its job as well.
  /// - Throws: like `write`.
  @discardableResult
  public func finish<Result: Sendable>(
    _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    let timer = timer
    let result = try await write { writer in
      try writer.send("DELETE FROM octet_timers WHERE kind = $1 AND key = $2", timer.kind, timer.key)
      return try body(writer)
    }
    state.withLock { $0.isFinished = true }
    return result
  }

  var interruption: Interruption? { state.withLock { $0.interruption } }

  /// Cancels the worker. The first reason counts.
  func interrupt(_ reason: Interruption) {
    let task = state.withLock { state in
      if !state.isFinished { state.interruption = state.interruption ?? reason }
      return state.isFinished ? nil : state.task
    }
    task?.cancel()
  }

  /// Runs the handler to its end, with the lease kept alive.
  func run(_ body: @escaping JobHandler) async throws {
    let worker = Task { try await body(self) }
    let isInterrupted = state.withLock { state in
      state.task = worker
      return state.interruption != nil
    }
    if isInterrupted { worker.cancel() }
    let heart = Task { await beat() }
    defer { heart.cancel() }
    try await worker.value
    if !state.withLock({ $0.isFinished }) { try await finish { _ in } }
  }

  private func beat() async {
    var heldUntil = clock.now() + lease
    while !state.withLock({ $0.isFinished }) {
      do {
        try await Task.sleep(for: lease / Self.beatsPerLease)
        let next = clock.now() + lease
        try await extend()
        heldUntil = next
        state.withLock { $0.isCutOff = false }
      } catch is CancellationError {
        return
      } catch is JobLost {
        return
      } catch {
        state.withLock { $0.isCutOff = true }
        // The database may come back, but at the end of the lease the job may be another worker's.
        if clock.now() >= heldUntil { return interrupt(.cutOff) }
      }
    }
  }
}

/// The job is not this worker's any more; nothing was written.
public struct JobLost: Error, Sendable, Equatable {
  public init() {}
}
