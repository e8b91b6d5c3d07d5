internal import Base
internal import Dispatch

/// An executor for calls that have no event loop: a serial queue of the system's dispatcher.
public final class QueueExecutor: CallExecutor {
  private static let currentKey = DispatchSpecificKey<ObjectIdentifier>()
  private let queue: DispatchQueue
  public let number = ExecutorNumber.next()

  public init(label: String = "octet.rpc.in-process") {
    queue = DispatchQueue(label: label)
    queue.setSpecific(key: Self.currentKey, value: ObjectIdentifier(self))
  }

  public var isCurrent: Bool {
    DispatchQueue.getSpecific(key: Self.currentKey) == ObjectIdentifier(self)
  }

  public func execute(_ work: @escaping @Sendable () -> Void) {
    queue.async(execute: work)
  }

  public func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork {
    let item = QueueTimer(work)
    // What is in the far future for the dispatcher may as well never come.
    let nanoseconds = min(delay, .seconds(86_400 * 365)).inNanoseconds
    queue.asyncAfter(deadline: .now() + .nanoseconds(Int(nanoseconds))) { item.fire() }
    return item
  }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

/// Work on a queue that can be called off.
private final class QueueTimer: ScheduledWork {
  private let work: Locked<(@Sendable () -> Void)?>

  init(_ work: @escaping @Sendable () -> Void) {
    self.work = Locked(work)
  }

  func fire() {
    let due = work.withLock { work in
      defer { work = nil }
      return work
    }
    due?()
  }

  func cancel() {
    work.withLock { $0 = nil }
  }
}
