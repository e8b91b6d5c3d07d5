internal import Base
internal import Storage

/// Tells callers what became of their transactions, beside the writer's thread.
///
/// Waking a caller is a call of the system wherever the threads that run callers sleep, and gives them the processor at
/// once: with hundreds of callers in a batch, the writer spent a quarter of its time on that. So it hands the outcomes
/// over and goes on with the next batch.
final class Acknowledger: Sendable {
  /// What came of one transaction: what is to be done now that it is durable, or why it is not.
  struct Outcome: Sendable {
    let job: TransactionJob<SQLiteTransaction>
    let result: Result<[@Sendable () -> Void], any Error>
  }

  private let batches = BlockingQueue<[Outcome]>(limit: SQLiteLimits.unacknowledgedBatches)
  /// How many batches have been handed over of which not all callers have been told.
  private let pending = Locked(0)

  /// Tells the callers of a batch that has been committed, after those of all batches before. Called by the writer's
  /// thread; returns when the callers have been told, or another thread is to do so.
  func acknowledge(_ outcomes: [Outcome]) {
    // All of them have been told already.
    if outcomes.isEmpty { return }
    // Few callers are told sooner than another thread wakes up. They must not overtake others.
    let isNext = pending.withLock { pending in
      if pending == 0 && outcomes.count <= SQLiteLimits.acknowledgedByWriter { return true }
      pending += 1
      return false
    }
    if isNext { return Self.tell(outcomes) }
    // Where an action of an earlier batch takes its time, commits have to wait for it.
    let isTaken = batches.pushWhenRoom(outcomes)
    precondition(isTaken, "a batch was committed after the end")
  }

  /// Serves until `stop`, on a thread of its own.
  func run() {
    while let outcomes = batches.pop(atMost: 1).first {
      Self.tell(outcomes)
      pending.withLock { $0 -= 1 }
    }
  }

  /// Ends `run` when all callers have been told.
  func stop() {
    batches.close()
  }

  private static func tell(_ outcomes: [Outcome]) {
    for outcome in outcomes {
      switch outcome.result {
      case .success(let actions):
        for action in actions { action() }
        outcome.job.finish(nil)
      case .failure(let error): outcome.job.finish(error)
      }
    }
  }
}
