import Testing

@testable import Base

@Suite struct BlockingQueueTests {
  @Test func `what waits can be taken without waiting`() throws {
    let queue = BlockingQueue<Int>(limit: 4)
    #expect(queue.popWaiting(atMost: 2).isEmpty)
    for n in 1...3 { try queue.push(n) }
    #expect(queue.popWaiting(atMost: 0).isEmpty)
    #expect(queue.popWaiting(atMost: 2) == [1, 2])
    queue.close()
    #expect(queue.popWaiting(atMost: 2) == [3])
    #expect(queue.pop(atMost: 1).isEmpty)
  }

  @Test func `elements leave in order, as many as wanted`() throws {
    let queue = BlockingQueue<Int>(limit: 10)
    for n in 1...5 { try queue.push(n) }
    #expect(queue.pop(atMost: 2) == [1, 2])
    #expect(queue.pop(atMost: 100) == [3, 4, 5])
  }

  @Test func `a reader leaves the others their share`() throws {
    let queue = BlockingQueue<Int>(limit: 10)
    for n in 1...5 { try queue.push(n) }
    #expect(queue.pop(atMost: 100, share: 2) == [1, 2, 3])
    #expect(queue.pop(atMost: 100, share: 2) == [4])
    #expect(queue.pop(atMost: 100, share: 2) == [5])
  }

  @Test func `a full queue refuses, and takes again when there is room`() throws {
    let queue = BlockingQueue<Int>(limit: 1)
    try queue.push(1)
    #expect(throws: QueueRefusal.full) { try queue.push(2) }
    _ = queue.pop(atMost: 1)
    try queue.push(3)
    #expect(queue.pop(atMost: 1) == [3])
  }

  @Test func `a writer that may block waits for room, each for its own`() async throws {
    let queue = BlockingQueue<Int>(limit: 2)
    let writers = (0..<4).map { number in
      OSThread(name: "writer-\(number)") { for n in 0..<100 { #expect(queue.pushWhenRoom(4 * n + number)) } }
    }
    var taken: [Int] = []
    while taken.count < 400 {
      let elements = queue.pop(atMost: 3)
      #expect(elements.count <= 2, "no more than the limit waits")
      taken += elements
    }
    for writer in writers { writer.join() }
    #expect(taken.sorted() == Array(0..<400))
    for number in 0..<4 { #expect(taken.filter { $0 % 4 == number } == (0..<100).map { 4 * $0 + number }) }
  }

  @Test func `a writer that waits for room is refused when the queue is closed`() async throws {
    let queue = BlockingQueue<Int>(limit: 1)
    try queue.push(1)
    let isTaken = Locked<Bool?>(nil)
    let writer = OSThread(name: "writer") {
      let answer = queue.pushWhenRoom(2)
      isTaken.withLock { $0 = answer }
    }
    while queue.waitingWriters == 0 { await Task.yield() }
    queue.close()
    writer.join()
    #expect(isTaken.withLock { $0 } == false)
    #expect(queue.pop(atMost: 2) == [1])
  }

  @Test func `a closed queue gives what is left and then nothing`() throws {
    let queue = BlockingQueue<Int>(limit: 10)
    try queue.push(1)
    queue.close()
    #expect(throws: QueueRefusal.closed) { try queue.push(2) }
    #expect(queue.pop(atMost: 10) == [1])
    #expect(queue.pop(atMost: 10) == [])
  }

  @Test func `readers on several threads take each element once`() async throws {
    let queue = BlockingQueue<Int>(limit: 10_000)
    let taken = Locked<[Int]>([])
    let readers = (0..<4).map { number in
      OSThread(name: "reader-\(number)") {
        while case let elements = queue.pop(atMost: 7, share: 4), !elements.isEmpty {
          taken.withLock { $0 += elements }
        }
      }
    }
    for n in 0..<10_000 { try queue.push(n) }
    queue.close()
    try await OSThread.run(name: "join") { for reader in readers { reader.join() } }
    #expect(taken.withLock { $0.sorted() } == Array(0..<10_000))
  }
}

@Suite struct BlockingPoolTests {
  private struct Failure: Error {}

  @Test func `results and errors come back`() async throws {
    let pool = BlockingPool(name: "test", threads: 2, waiting: 10)
    #expect(try await pool.run { 42 } == 42)
    await #expect(throws: Failure.self) { try await pool.run { throw Failure() } }
  }

  @Test func `when too many wait, the next is refused at once`() async throws {
    let pool = BlockingPool(name: "test", threads: 1, waiting: 1)
    let hasBegun = ParkingSpot()
    let mayEnd = BlockingQueue<Void>(limit: 1)
    async let first: Void = pool.run {
      hasBegun.unpark()
      _ = mayEnd.pop(atMost: 1)
    }
    try await hasBegun.park()
    let outcomes = await withTaskGroup(of: QueueRefusal?.self) { group in
      for _ in 0..<10 {
        group.addTask {
          do {
            try await pool.run {}
            return nil
          } catch {
            try? mayEnd.push(())
            return error as? QueueRefusal
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    try await first
    #expect(outcomes.contains(.full))
    #expect(outcomes.contains(nil))
  }

  @Test func `shutting down finishes what waits and refuses the rest`() async throws {
    let pool = BlockingPool(name: "test", threads: 1, waiting: 10)
    async let last = pool.run { 1 }
    #expect(try await last == 1)
    try await OSThread.run(name: "shut-down") { pool.shutDown() }
    await #expect(throws: QueueRefusal.closed) { try await pool.run {} }
  }
}

@Suite struct ParkingSpotTests {
  @Test func `a call before the wait is not lost`() async throws {
    let spot = ParkingSpot()
    spot.unpark()
    try await spot.park()
  }

  @Test func `a waiting task is called back from another thread`() async throws {
    for _ in 0..<1000 {
      let spot = ParkingSpot()
      async let waiting: Void = spot.park()
      spot.unpark()
      try await waiting
    }
  }

  @Test func `cancellation ends the wait`() async {
    let spot = ParkingSpot()
    let task = Task { try await spot.park() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func `a wait with a limit ends by itself`() async throws {
    try await ParkingSpot().park(atMost: .milliseconds(1))
  }
}

@Suite struct StableHashTests {
  @Test func `gives the published answers of FNV-1a`() {
    #expect(UInt64(bitPattern: StableHash.of("")) == 0xcbf2_9ce4_8422_2325)
    #expect(UInt64(bitPattern: StableHash.of("a")) == 0xaf63_dc4c_8601_ec8c)
    #expect(UInt64(bitPattern: StableHash.of("foobar")) == 0x8594_4171_f739_67e8)
  }
}
