internal import Base
internal import CLinux
public import RPC

extension EventLoop {
  public func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork {
    let deadline = now() + min(max(delay.inNanoseconds, 0), HTTP2Limits.farthestTimer)
    if isCurrent { return LoopTimer(loop: self, key: timers.insert(deadline: deadline, work)) }
    let timer = RemoteTimer(loop: self)
    execute { timer.arm(self.timers.insert(deadline: deadline, work)) }
    return timer
  }

  func cancel(_ key: TimerHeap.Key) {
    if isCurrent {
      _ = timers.remove(key)
    } else {
      execute { _ = self.timers.remove(key) }
    }
  }

  /// The system's monotonic clock in nanoseconds.
  static func monotonicTime() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// For epoll_wait, rounded up: a timer must not find itself early and spin.
  func milliseconds(until deadline: Int64) -> Int32 {
    let wait = max(deadline - now(), 0)
    // A manual clock does not run while the loop sleeps; whoever moves it wakes the loop.
    if wait > 0, manualTime != nil { return -1 }
    return Int32(clamping: (wait + 999_999) / 1_000_000)
  }
}

/// A timer made on its loop; fits into an existential without an allocation.
private struct LoopTimer: ScheduledWork, @unchecked Sendable {
  // Unchecked because the key is only a name: the timer itself is touched on the loop.
  let loop: EventLoop
  let key: TimerHeap.Key

  func cancel() { loop.cancel(key) }
}

/// A timer made on another thread: it is cancelled perhaps before the loop has seen it.
private final class RemoteTimer: ScheduledWork {
  private enum State {
    case travelling
    case armed(TimerHeap.Key)
    case cancelled
  }

  private let loop: EventLoop
  private let state = Locked(State.travelling)

  init(loop: EventLoop) {
    self.loop = loop
  }

  func arm(_ key: TimerHeap.Key) {
    let isCancelled = state.withLock { state in
      if case .cancelled = state { return true }
      state = .armed(key)
      return false
    }
    if isCancelled { loop.cancel(key) }
  }

  func cancel() {
    let key: TimerHeap.Key? = state.withLock { state in
      defer { state = .cancelled }
      if case .armed(let key) = state { return key }
      return nil
    }
    if let key { loop.cancel(key) }
  }
}
