import Base
import RPC

/// A queue whose timers go off when the test says so.
final class ManualTimerExecutor: CallExecutor {
  private final class Timer: ScheduledWork {
    let delay: Duration
    private let work: Locked<(@Sendable () -> Void)?>
    init(_ delay: Duration, _ work: @escaping @Sendable () -> Void) {
      self.delay = delay
      self.work = Locked(work)
    }
    var isPending: Bool { work.withLock { $0 != nil } }
    func cancel() { work.withLock { $0 = nil } }
    func fire() {
      let due = work.withLock { work in
        defer { work = nil }
        return work
      }
      due?()
    }
  }

  private let queue = QueueExecutor()
  private let timers = Locked([Timer]())

  let number = ExecutorNumber.next()
  let queueDelay: QueueDelay?
  let inflating: InflateTurns?

  init(queueDelay: QueueDelay? = nil, inflating: InflateTurns? = nil) {
    self.queueDelay = queueDelay
    self.inflating = inflating
  }

  var isCurrent: Bool { queue.isCurrent }
  func execute(_ work: @escaping @Sendable () -> Void) { queue.execute(work) }
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }

  func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork {
    let timer = Timer(delay, work)
    timers.withLock { $0.append(timer) }
    return timer
  }

  /// The delays of all timers that are neither due nor cancelled, in the order of their setting.
  var pendingDelays: [Duration] { timers.withLock { $0.filter(\.isPending).map(\.delay) } }

  /// Lets the timers with this delay go off.
  func fireTimers(of delay: Duration) {
    for timer in timers.withLock({ $0.filter { $0.isPending && $0.delay == delay } }) {
      execute { timer.fire() }
    }
  }

  /// What `body` gives on the executor.
  func value<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in execute { continuation.resume(returning: body()) } }
  }

  /// Waits until everything that is queued now has run.
  func settle() async {
    for _ in 0..<8 {
      await withCheckedContinuation { continuation in execute { continuation.resume() } }
    }
  }
}
