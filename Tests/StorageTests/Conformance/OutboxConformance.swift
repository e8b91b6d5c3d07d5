import Base
import Storage
import Testing

@Suite struct OutboxConformance {
  private struct Unreachable: Error {}

  @Test(arguments: Engine.all) func `messages leave in the order of their commits, each channel for itself`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox(database: database, clock: clock)
      let sent = Locked<[String: [UInt8]]>([:])
      for channel in ["mail", "bus"] {
        outbox.deliver(channel) { entry in sent.withLock { $0[channel, default: []] += entry.payload } }
      }
      for n in 0..<200 {
        try await database.write { try outbox.append(n % 2 == 0 ? "mail" : "bus", [UInt8(n)], in: $0) }
      }
      #expect(try await outbox.deliverWaiting() == 200)
      #expect(try await outbox.deliverWaiting() == 0)
      #expect(sent.withLock { $0["mail"] } == (0..<100).map { UInt8(2 * $0) })
      #expect(sent.withLock { $0["bus"] } == (0..<100).map { UInt8(2 * $0 + 1) })
    }
  }

  @Test(arguments: Engine.all) func `a message of a transaction that rolls back never leaves`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox(database: database, clock: clock)
      outbox.deliver("mail") { _ in }
      await #expect(throws: Unreachable.self) {
        try await database.write { writer in
          try outbox.append("mail", [1], in: writer)
          throw Unreachable()
        }
      }
      let delivered = try await outbox.deliverWaiting()
      #expect(delivered == 0)
    }
  }

  @Test(arguments: Engine.all) func `a failed delivery is repeated in order and holds up no other channel`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox(database: database, clock: clock)
      let isUp = Locked(false)
      let sent = Locked<[UInt8]>([])
      outbox.deliver("down") { entry in
        if entry.payload == [2], !isUp.withLock({ $0 }) { throw Unreachable() }
        sent.withLock { $0 += entry.payload }
      }
      outbox.deliver("up") { entry in sent.withLock { $0 += entry.payload } }
      try await database.write { writer in
        for n in 1...3 { try outbox.append("down", [UInt8(n)], in: writer) }
        try outbox.append("up", [9], in: writer)
      }
      await #expect(throws: Unreachable.self) { try await outbox.deliverWaiting() }
      #expect(sent.withLock { $0 } == [1, 9])
      isUp.withLock { $0 = true }
      #expect(try await outbox.deliverWaiting() == 2)
      #expect(sent.withLock { $0 } == [1, 9, 2, 3])
    }
  }

  @Test(arguments: Engine.all) func `ids never come back`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox(database: database, clock: clock)
      let ids = Locked<[Int64]>([])
      outbox.deliver("mail") { entry in ids.withLock { $0.append(entry.id) } }
      for _ in 0..<5 {
        try await database.write { try outbox.append("mail", [], in: $0) }
        try await outbox.deliverWaiting()
      }
      #expect(ids.withLock { Set($0).count } == 5)
      #expect(ids.withLock { $0 == $0.sorted() })
    }
  }

  @Test(arguments: Engine.all) func `in the background messages leave without being asked`(
    engine: Engine
  ) async throws {
    let clock = SystemClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox(database: database, clock: clock)
      let left = ParkingSpot()
      outbox.deliver("mail") { _ in left.unpark() }
      outbox.start()
      for _ in 0..<3 {
        try await database.write { try outbox.append("mail", [1], in: $0) }
        try await left.park()
      }
      await outbox.stop()
    }
  }
}
