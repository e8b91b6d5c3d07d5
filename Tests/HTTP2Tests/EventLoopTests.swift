import Base
import RPC
import Synchronization
import Testing

@testable import HTTP2

/// The loop as an executor, and its timers.
@Suite struct EventLoopTests {
  private func withLoop(_ body: (EventLoop) async throws -> Void) async throws {
    let group = try EventLoopGroup(loops: 1)
    try await body(group.loops[0])
    await group.shutdown()
  }

  @Test func `work runs on the loop, in the order of the calls`() async throws {
    try await withLoop { loop in
      let order = Locked<[Int]>([])
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        loop.execute {
          #expect(loop.isCurrent)
          loop.execute {
            order.withLock { $0.append(2) }
            loop.execute { done.resume() }
          }
          order.withLock { $0.append(1) }
        }
      }
      #expect(order.withLock { $0 } == [1, 2])
      #expect(!loop.isCurrent)
    }
  }

  @Test func `work from many threads all runs`() async throws {
    try await withLoop { loop in
      let count = Locked(0)
      await withTaskGroup { tasks in
        for _ in 0..<8 {
          tasks.addTask { @concurrent in
            for _ in 0..<1000 {
              loop.execute { count.withLock { $0 += 1 } }
            }
          }
        }
      }
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        loop.execute { done.resume() }
      }
      #expect(count.withLock { $0 } == 8000)
    }
  }

  @Test func `a task that prefers the loop runs on it, also after it has waited`() async throws {
    try await withLoop { loop in
      let task = Task(executorPreference: loop) {
        #expect(loop.isCurrent)
        await Task.yield()
        #expect(loop.isCurrent)
        await withCheckedContinuation { continuation in
          _ = loop.schedule(after: .milliseconds(1)) { continuation.resume() }
        }
        #expect(loop.isCurrent)
      }
      await task.value
    }
  }

  @Test func `an actor can live on the loop`() async throws {
    actor Resident {
      let loop: EventLoop
      init(_ loop: EventLoop) { self.loop = loop }
      nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
      func isAtHome() -> Bool { loop.isCurrent }
    }
    try await withLoop { loop in
      #expect(await Resident(loop).isAtHome())
    }
  }

  @Test func `timers run in the order of their times, from the loop and from elsewhere`() async throws {
    // By the system's clock one might be due before the next is made.
    let group = try EventLoopGroup(loops: 1, time: ManualTime())
    let loop = group.loops[0]
    let order = Locked<[Int]>([])
    _ = loop.schedule(after: .milliseconds(30)) { order.withLock { $0.append(3) } }
    _ = loop.schedule(after: .milliseconds(20)) { order.withLock { $0.append(2) } }
    let cancelled = loop.schedule(after: .milliseconds(15)) { order.withLock { $0.append(99) } }
    cancelled.cancel()
    cancelled.cancel()
    await loop.value {
      _ = loop.schedule(after: .milliseconds(1)) { order.withLock { $0.append(1) } }
      loop.schedule(after: .milliseconds(2)) { order.withLock { $0.append(98) } }.cancel()
    }
    await group.advance(by: .milliseconds(30))
    #expect(order.withLock { $0 } == [1, 2, 3])
    await group.shutdown()
  }
}

@Suite struct TimerHeapTests {
  @Test func `timers come out by time, then by order of making`() {
    var heap = TimerHeap()
    let order = Locked<[Int]>([])
    for (index, deadline) in [50, 10, 30, 10, 20].enumerated() {
      _ = heap.insert(deadline: Int64(deadline)) { order.withLock { $0.append(index) } }
    }
    heap.settle()
    #expect(heap.nextDeadline == 10)
    while let work = heap.popDue(now: 30) { work() }
    #expect(order.withLock { $0 } == [1, 3, 4, 2])
    #expect(heap.count == 1)
    #expect(heap.nextDeadline == 50)
  }

  @Test func `a removed timer is gone, and its key names nothing else`() {
    var heap = TimerHeap()
    let first = heap.insert(deadline: 1) {}
    let removed = heap.remove(first) != nil
    #expect(removed)
    let second = heap.insert(deadline: 2) {}
    let removedAgain = heap.remove(first) != nil
    #expect(!removedAgain)
    #expect(heap.count == 1)
    let removedSecond = heap.remove(second) != nil
    #expect(removedSecond)
    heap.settle()
    let isEmpty = heap.popDue(now: 100) == nil
    #expect(isEmpty)
  }

  @Test func `a timer is neither next nor due before it has settled, and settles once`() {
    var heap = TimerHeap()
    let gone = heap.insert(deadline: 1) {}
    let removed = heap.remove(gone) != nil
    #expect(removed)
    // In the slot of the first.
    _ = heap.insert(deadline: 2) {}
    #expect(heap.count == 1)
    #expect(heap.nextDeadline == nil)
    let isEarly = heap.popDue(now: 100) == nil
    #expect(isEarly)
    heap.settle()
    heap.settle()
    #expect(heap.nextDeadline == 2)
    let isThere = heap.popDue(now: 100) != nil
    #expect(isThere)
    #expect(heap.nextDeadline == nil)
    #expect(heap.count == 0)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `random insertions and removals keep the order`(seed: UInt64) {
    let random = SeededRandomSource(seed: seed)
    var heap = TimerHeap()
    var expected: [Int64: TimerHeap.Key] = [:]
    let popped = Locked<[Int64]>([])
    for _ in 0..<2000 {
      if random.below(4) == 0 { heap.settle() }
      if random.below(3) == 0, let (deadline, key) = expected.randomElement(using: random) {
        let removed = heap.remove(key) != nil
        #expect(removed, "seed \(seed)")
        expected[deadline] = nil
      } else {
        let deadline = Int64(random.next() >> 2)
        expected[deadline] = heap.insert(deadline: deadline) { popped.withLock { $0.append(deadline) } }
      }
    }
    #expect(heap.count == expected.count)
    heap.settle()
    while let work = heap.popDue(now: .max) { work() }
    #expect(popped.withLock { $0 } == expected.keys.sorted(), "seed \(seed)")
  }
}

extension Dictionary {
  fileprivate func randomElement(using random: SeededRandomSource) -> Element? {
    isEmpty ? nil : self[index(startIndex, offsetBy: Int(random.below(UInt64(count))))]
  }
}

@Suite struct SmallPartsTests {
  @Test func `the history of stream ids tells skipped ones from used ones`() {
    var history = StreamIDHistory(maxReset: 2)
    let skips = [1, 3, 9, 11, 15].map { history.opened($0) }
    #expect(skips == [false, false, true, false, true])
    #expect([1, 3, 5, 7, 9, 11, 13, 15].filter { history.wasSkipped($0) } == [5, 7, 13])
    #expect(history.skippedRanges == 2)
    #expect(history.highest == 15)
  }

  @Test func `the history of stream ids remembers the latest resets`() {
    var history = StreamIDHistory(maxReset: 2)
    for id: Int32 in [1, 3, 5] { history.noteReset(id) }
    #expect([1, 3, 5].map { history.wasReset($0) } == [false, true, true])
  }

  @Test func `a flood guard admits its burst, then its rate`() {
    var limits = HTTP2Limits()
    limits.resetBurst = 10
    limits.resetsPerSecond = 5
    let time = Locked<Int64>(0)
    var guardian = FloodGuard(limits: limits, now: { time.withLock { $0 } })
    func admitted() -> Int { (0..<100).count { _ in guardian.admitsReset() } }
    #expect(admitted() == 10)
    time.withLock { $0 += 1_000_000_000 }
    #expect(admitted() == 5)
    time.withLock { $0 += 3_600_000_000_000 }
    #expect(admitted() == 10)
  }

  @Test func `the backoff grows to its maximum, with jitter`() {
    var limits = HTTP2Limits()
    limits.backoffBase = .seconds(1)
    limits.backoffMaximum = .seconds(4)
    var backoff = ConnectionBackoff(limits: limits, random: SeededRandomSource(seed: 1))
    for expected in [1.0, 1.6, 2.56, 4, 4] {
      let wait = Double(backoff.next().inNanoseconds) / 1e9
      #expect(abs(wait - expected) <= expected / 5 + 0.001)
    }
    backoff.reset()
    let first = backoff.next()
    #expect(first < .seconds(2))
  }

  @Test(arguments: ["127.0.0.1:80", "[::1]:8080", "[2001:db8::5]:1", "unix:/run/octet.sock"])
  func `addresses print as they read`(text: String) {
    #expect(SocketAddress(text)?.description == text)
  }

  @Test(arguments: ["", "1.2.3:80", "localhost:80", "1.2.3.4", "::1:80", "[::1]", "1.2.3.4:99999", "unix:"])
  func `what is no address is refused`(text: String) {
    #expect(SocketAddress(text) == nil)
  }
}
