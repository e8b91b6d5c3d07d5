import Base
import Testing

@testable import HTTP2

/// Looking for events before sleeping.
@Suite struct BusyPollTests {
  @Test func `a loop looks after waits of at most waitsWorthPolling times what it may look for`() {
    var poll = BusyPoll(HTTP2Limits.busyPoll)
    let budget = HTTP2Limits.busyPoll.inNanoseconds
    #expect(poll.time == budget)
    poll.waited(budget * HTTP2Limits.waitsWorthPolling + 1)
    #expect(poll.time == 0)
    poll.waited(budget * HTTP2Limits.waitsWorthPolling)
    #expect(poll.time == budget)
  }

  @Test func `one that may not look never does`() async throws {
    var poll = BusyPoll(.zero)
    poll.waited(0)
    #expect(poll.time == 0)
    let group = try EventLoopGroup(loops: 1, time: nil, busyPoll: .zero)
    let loop = group.loops[0]
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      _ = loop.schedule(after: .milliseconds(5)) { done.resume() }
    }
    #expect(await loop.value { loop.busyPoll.looks } == 0)
    await group.shutdown()
  }

  /// One that looks for an hour has the events of an hour meanwhile.
  @Test(.timeLimit(.minutes(60))) func `a loop that looks has its timers, its work and its end`() async throws {
    let group = try EventLoopGroup(loops: 1, time: nil, busyPoll: .seconds(3600))
    let loop = group.loops[0]
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      _ = loop.schedule(after: .milliseconds(5)) { done.resume() }
    }
    // Not while it finds work or a timer that is due whenever it is about to wait.
    while await loop.value({ loop.busyPoll.looks }) == 0 {
      try Task.checkCancellation()
      await Task.yield()
    }
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      loop.execute { done.resume() }
    }
    await group.shutdown()
  }

  /// A test's clock stands still while a loop looks.
  @Test(.timeLimit(.minutes(60))) func `a loop with a clock of its own looks for real time`() async throws {
    let time = ManualTime()
    let group = try EventLoopGroup(loops: 1, time: time, busyPoll: .microseconds(1))
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      group.loops[0].execute { done.resume() }
    }
    await group.shutdown()
  }
}
