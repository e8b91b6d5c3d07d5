internal import Base

/// A clock for event loops that stands still until it is told otherwise, so that tests of timers take no time and do
/// not depend on the machine. Sockets go on as ever. See `EventLoopGroup.advance(by:)`.
package final class ManualTime: Sendable {
  // Not zero, so that a time in the past can be told from none.
  private let nanoseconds = Locked<Int64>(1_000_000_000_000)
  private let step: Int64

  /// - Parameter step: how far each look at the clock moves it on.
  package init(step: Duration = .zero) {
    self.step = step.inNanoseconds
  }

  /// Nanoseconds since some moment, as the monotonic clock's.
  var now: Int64 {
    nanoseconds.withLock { now in
      now += step
      return now
    }
  }

  func advance(by duration: Duration) {
    nanoseconds.withLock { $0 += duration.inNanoseconds }
  }
}

extension EventLoopGroup {
  /// Moves the manual time of the loops on and lets them run the timers that are due. Returns when they have.
  package func advance(by duration: Duration) async {
    guard let time else { preconditionFailure("the loops follow the system's clock") }
    time.advance(by: duration)
    for loop in loops {
      // The first piece of work wakes the loop, whose timers run before the second.
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        loop.execute { _ = loop.schedule(after: .zero) { done.resume() } }
      }
    }
  }
}
