import Base
import RPC

/// A queue on which messages are decompressed by turns, in ticks that a test counts.
final class TurnExecutor: CallExecutor {
  private let queue = QueueExecutor()
  let turns = InflateTurns()
  let number = ExecutorNumber.next()

  var isCurrent: Bool { queue.isCurrent }
  var inflating: InflateTurns? { turns }
  func execute(_ work: @escaping @Sendable () -> Void) { queue.execute(work) }
  func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork {
    queue.schedule(after: delay, work)
  }
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }

  /// The present tick has nothing left.
  func useUpTick() {
    execute { self.turns.spend(1 << 30) }
  }

  /// One tick, and all that follows from it.
  func tick() async {
    execute {
      self.turns.tickBegan()
      self.turns.takeTurns()
    }
    _ = await waiting()
  }

  /// How many wait when all that is queued has run.
  func waiting() async -> Int {
    var count = 0
    for _ in 0..<16 {
      count = await withCheckedContinuation { continuation in
        execute { continuation.resume(returning: self.turns.waitingCount) }
      }
    }
    return count
  }
}
