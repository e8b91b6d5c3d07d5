import Base
import Testing

@testable import Storage

@Suite(.timeLimit(.minutes(60)))
struct OutboxConformance {
  private struct Unreachable: Error {}

  @Test(arguments: Engine.all) func `messages leave in the order of their ids, each channel for itself`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
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
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
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
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
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
      #expect(sent.withLock { $0.sorted() } == [1, 9], "channels do not wait for each other")
      isUp.withLock { $0 = true }
      #expect(try await outbox.deliverWaiting() == 0, "the next attempt has its time")
      clock.advance(by: .seconds(2))
      #expect(try await outbox.deliverWaiting() == 2)
      #expect(sent.withLock { $0.filter { $0 != 9 } } == [1, 2, 3])
    }
  }

  @Test(arguments: Engine.all) func `ids never come back`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
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
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
      let left = ParkingSpot()
      outbox.deliver("mail") { _ in left.unpark() }
      outbox.start { _ in }
      for _ in 0..<3 {
        try await database.write { try outbox.append("mail", [1], in: $0) }
        try await left.park()
      }
      await outbox.stop()
    }
  }

  @Test(arguments: Engine.all) func `a message that always fails becomes a dead letter, and its channel goes on`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
      let sent = Locked<[UInt8]>([])
      let attempts = Locked<[Int]>([])
      let accepts = Locked(false)
      var policy = RetryPolicy.outbox
      policy.attempts = 4
      outbox.deliver("mail", policy: policy) { entry in
        if entry.payload == [2], !accepts.withLock({ $0 }) {
          attempts.withLock { $0.append(entry.attempt) }
          throw Unreachable()
        }
        sent.withLock { $0 += entry.payload }
      }
      try await database.write { writer in
        for n in 1...4 { try outbox.append("mail", [UInt8(n)], in: writer) }
      }
      for _ in 0..<40 {
        do { try await outbox.deliverWaiting() } catch is Unreachable {}
        clock.advance(by: .seconds(1))
      }
      #expect(attempts.withLock { $0 } == [1, 2, 3, 4])
      #expect(sent.withLock { $0 } == [1, 3, 4])
      let dead = try await database.read { try outbox.dead("mail", limit: 9, in: $0) }
      #expect(dead.map(\.payload) == [[2]])
      #expect(dead.first?.attempts == 4 && dead.first?.error.contains("Unreachable") == true)

      accepts.withLock { $0 = true }
      let id = try #require(dead.first?.id)
      #expect(try await database.write { try outbox.retry("mail", id: id, in: $0) })
      #expect(try await database.write { try !outbox.retry("mail", id: id, in: $0) })
      #expect(try await outbox.deliverWaiting() == 1)
      #expect(sent.withLock { $0 } == [1, 3, 4, 2])
    }
  }

  @Test(arguments: Engine.all) func `an entry that comes late before one that fails does not count for it`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
      let (sent, attempts) = (Locked<[UInt8]>([]), Locked<[Int]>([]))
      outbox.deliver("mail") { entry in
        if entry.payload == [9] {
          attempts.withLock { $0.append(entry.attempt) }
          throw Unreachable()
        }
        sent.withLock { $0 += entry.payload }
      }
      // Its number is free again, for a transaction that took it before and commits after the next one has failed.
      try await database.write { try outbox.append("mail", [1], in: $0) }
      try await outbox.deliverWaiting()
      try await database.write { try outbox.append("mail", [9], in: $0) }
      await #expect(throws: Unreachable.self) { try await outbox.deliverWaiting() }
      try await database.write { writer in
        try writer.execute(
          "INSERT INTO octet_outbox (id, channel, payload, created_at) VALUES (1, 'mail', $1, 0)", [2] as [UInt8])
      }
      #expect(try await outbox.deliverWaiting() == 1, "the other one's time has not come")
      for _ in 0..<2 {
        clock.advance(by: .seconds(300))
        await #expect(throws: Unreachable.self) { try await outbox.deliverWaiting() }
      }
      #expect(sent.withLock { $0 } == [1, 2])
      #expect(attempts.withLock { $0 } == [1, 2, 3])
    }
  }

  @Test(arguments: Engine.all) func `messages about one thing leave in the order of their commits, and none is missed`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
      let (committed, sent) = (Locked<[[UInt8]]>([]), Locked<[[UInt8]]>([]))
      outbox.deliver("bus") { entry in sent.withLock { $0.append(entry.payload) } }
      let isDone = Locked(false)
      async let relay: Void = {
        while !isDone.withLock({ $0 }) { try await outbox.deliverWaiting() }
      }()
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<400 {
          group.addTask {
            let message = [UInt8(number % 5), UInt8(number / 5)]
            do {
              try await database.write { writer in
                try outbox.append("bus", message, about: "\(message[0])", in: writer)
                if number % 7 == 0 { throw Unreachable() }
                writer.afterCommit { committed.withLock { $0.append(message) } }
              }
            } catch {
              #expect(error is Unreachable)
            }
          }
        }
      }
      isDone.withLock { $0 = true }
      try await relay
      try await outbox.deliverWaiting()
      #expect(committed.withLock { $0.count } == 400 - 58, "one of seven rolls back")
      for thing in 0..<5 as Range<UInt8> {
        let order = committed.withLock { $0.filter { $0[0] == thing } }
        #expect(sent.withLock { $0.filter { $0[0] == thing } } == order)
      }
    }
  }

  /// Where there are several writers: one appends and does not commit, another comes after it.
  /// - Returns: the messages in the order of the commits, and in the order in which they left.
  private func overtake(about key: String?) async throws -> (committed: [UInt8], sent: [UInt8]) {
    let clock = ManualClock()
    let several = try #require(Engine.all.first { $0.testDescription == "PostgreSQL" })
    let (committed, sent) = (Locked<[UInt8]>([]), Locked<[UInt8]>([]))
    try await several.withDatabase(clock: clock) { database in
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
      outbox.deliver("bus") { entry in sent.withLock { $0 += entry.payload } }
      let mayEnd = BlockingQueue<Void>(limit: 1)
      let (holds, holder) = (ParkingSpot(), Locked<Int64?>(nil))
      async let first: Void = database.write { writer in
        try outbox.append("bus", [1], about: key, in: writer)
        // What was sent has been done when something is answered.
        let process: Int64? = try writer.first("SELECT CAST(pg_backend_pid() AS BIGINT)") { $0[0] }
        holder.withLock { $0 = process }
        holds.unpark()
        _ = mayEnd.pop(atMost: 1)
        writer.afterCommit { committed.withLock { $0.append(1) } }
      }
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { mayEnd.close() }
      try await holds.park()
      async let second: Void = database.write { writer in
        try outbox.append("bus", [2], about: key, in: writer)
        writer.afterCommit { committed.withLock { $0.append(2) } }
      }
      let isWaiting = { @Sendable (reader: any Reader) in
        try reader.exists(
          """
          SELECT 1 FROM pg_locks h JOIN pg_locks w USING (locktype, database, classid, objid, objsubid)
          WHERE CAST(h.pid AS BIGINT) = $1 AND h.locktype = 'advisory' AND h.granted AND NOT w.granted
          """, holder.withLock { $0 } ?? 0)
      }
      while committed.withLock({ $0.isEmpty }) {
        if try await database.read(isWaiting) { break }
      }
      try await outbox.deliverWaiting()
      try mayEnd.push(())
      _ = try await (first, second)
      try await outbox.deliverWaiting()
    }
    return (committed.withLock { $0 }, sent.withLock { $0 })
  }

  @Test func `a message waits for one about the same thing that was appended before and has not committed`()
    async throws
  {
    let (committed, sent) = try await overtake(about: "order 7")
    #expect(committed == [1, 2])
    #expect(sent == [1, 2])
  }

  @Test func `a message that commits after later ones have left is not missed`() async throws {
    let (committed, sent) = try await overtake(about: nil)
    #expect(committed == [2, 1])
    #expect(sent == [2, 1])
  }

  @Test(arguments: Engine.all) func `a receiver that is down costs no message`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
      let isUp = Locked(false)
      let sent = Locked<[UInt8]>([])
      outbox.deliver("bus") { entry in
        guard isUp.withLock({ $0 }) else { throw DestinationUnavailable() }
        sent.withLock { $0 += entry.payload }
      }
      try await database.write { try outbox.append("bus", [1], in: $0) }
      for _ in 0..<50 {
        do { try await outbox.deliverWaiting() } catch is DestinationUnavailable {}
        clock.advance(by: .seconds(60))
      }
      isUp.withLock { $0 = true }
      #expect(try await outbox.deliverWaiting() == 1)
      #expect(sent.withLock { $0 } == [1])
      #expect(try await database.read { try outbox.dead("bus", limit: 1, in: $0) }.isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `of several nodes one delivers a channel, so its order holds`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let sent = Locked<[UInt8]>([])
      let nodes = (1...4).map { Outbox.patient(database, clock, SeededRandomSource(seed: $0)) }
      for node in nodes {
        node.deliver("mail") { entry in
          await Task.yield()
          sent.withLock { $0 += entry.payload }
        }
      }
      for n in 0..<100 { try await database.write { try nodes[0].append("mail", [UInt8(n)], in: $0) } }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for node in nodes { group.addTask { try await node.deliverWaiting() } }
        try await group.waitForAll()
      }
      #expect(sent.withLock { $0 } == (0..<100).map { UInt8($0) })
    }
  }

  @Test(arguments: Engine.all) func `a node that was held up beyond its lease removes nothing`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let (late, other) = (
        Outbox.patient(database, clock, SeededRandomSource(seed: 1)),
        Outbox.patient(database, clock, SeededRandomSource(seed: 2))
      )
      let fences = Locked<[Int64]>([])
      other.deliver("mail") { entry in
        fences.withLock { $0.append(entry.fence) }
        throw Unreachable()
      }
      late.deliver("mail") { entry in
        fences.withLock { $0.append(entry.fence) }
        // Another node takes over while this delivery is under way, and has not got the message out yet.
        clock.advance(by: Outbox.leaseDuration)
        await #expect(throws: Unreachable.self) { try await other.deliverWaiting() }
      }
      try await database.write { try late.append("mail", [1], in: $0) }
      await #expect(throws: LeaseLost.self) { try await late.deliverWaiting() }
      let left: Int? = try await database.read { try $0.first("SELECT count(*) FROM octet_outbox") { $0[0] } }
      #expect(left == 1)
      #expect(fences.withLock { $0.count == 2 && $0[0] < $0[1] })
    }
  }
}
