internal import Base
internal import CLinux

/// The event loops of a program, as a rule one for each core.
public final class EventLoopGroup: Sendable {
  /// The loops, at least one.
  public let loops: [EventLoop]
  private let turn = Locked(0)
  /// A test's clock; nil for the system's.
  let time: ManualTime?

  /// Starts the loops.
  /// - Parameters:
  ///   - loops: how many; nil makes one for each processor that the process may use.
  ///   - busyPoll: for how long a loop whose last wait was short looks for events before it sleeps.
  public convenience init(loops count: Int? = nil, busyPoll: Duration = EventLoop.defaultBusyPoll) throws(SystemError) {
    try self.init(loops: count, time: nil, busyPoll: busyPoll)
  }

  /// - Parameters: as those of `EventLoop`.
  package init(
    loops count: Int?, time: ManualTime?, readSize: Int = HTTP2Limits.readBufferSize,
    batchSize: Int = HTTP2Limits.outputBatchSize, busyPoll: Duration = .zero
  ) throws(SystemError) {
    self.time = time
    let count = count ?? Int(octet_available_processors())
    precondition(count > 0, "a group has at least one loop")
    var loops: [EventLoop] = []
    for index in 0..<count {
      loops.append(
        try EventLoop(
          name: "octet-loop-\(index)", time: time, readSize: readSize, batchSize: batchSize, busyPoll: busyPoll))
    }
    self.loops = loops
  }

  /// The loop of the calling thread if it is one of this group, else the loops in turn.
  public func next() -> EventLoop {
    if let current { return current }
    return rotate()
  }

  /// The loops in turn, wherever the caller runs.
  func rotate() -> EventLoop {
    loops[
      turn.withLock { turn in
        turn = (turn + 1) % loops.count
        return turn
      }]
  }

  /// The loop of the calling thread.
  var current: EventLoop? { loops.first { $0.isCurrent } }

  /// Ends the threads, once everything that uses them is closed. Not to be called on one of them.
  public func shutdown() async {
    for loop in loops {
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        loop.stop { done.resume() }
      }
    }
  }
}
