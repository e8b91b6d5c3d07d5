import Base
import Testing

@testable import Storage

/// Dead letters are listed page by page, can be retried, and age out.
@Suite struct DeadLetterConformance {
  private struct Refusal: Error {}
  private static let day: Duration = .seconds(86_400)

  private struct House {
    let database: any Database
    let clock: ManualClock
    let timers: Timers
    let outbox: Outbox
    let sweep: DeadLetterRetention

    /// A timer that dies now.
    func killTimer(_ key: String) async throws {
      try await database.write { try timers.set("bad", key: key, due: clock.now(), in: $0) }
      _ = try await timers.runDue()
    }

    /// A message that dies now.
    func killMessage(_ channel: String, _ payload: UInt8) async throws {
      try await database.write { try outbox.append(channel, [payload], in: $0) }
      while try await database.read({ try $0.exists("SELECT 1 FROM octet_outbox LIMIT 1") }) {
        _ = try? await outbox.deliverWaiting()
      }
    }

    func sweepAll() async throws -> Int {
      var steps = 0
      while try await sweep.step(database) { steps += 1 }
      return steps
    }

    func deadTimers() async throws -> [String] {
      try await database.read { try timers.dead(limit: 1000, in: $0) }.map(\.key)
    }

    func deadMessages(_ channel: String) async throws -> [UInt8] {
      try await database.read { try outbox.dead(channel, limit: 1000, in: $0) }.flatMap(\.payload)
    }
  }

  private func withHouse(_ engine: Engine, _ body: (House) async throws -> Void) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 7))
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 7))
      var policy = RetryPolicy()
      policy.attempts = 1
      timers.handle("bad", policy: policy) { _, _ in throw Refusal() }
      for channel in ["bus", "mail"] { outbox.deliver(channel, policy: policy) { _ in throw Refusal() } }
      try await body(
        House(
          database: database, clock: clock, timers: timers, outbox: outbox,
          sweep: DeadLetterRetention(Self.day * 30, clock: clock)))
    }
  }

  @Test(arguments: Engine.all) func `what nobody has looked at ages out, and nothing before its time`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      try await house.killTimer("old")
      try await house.killMessage("bus", 1)
      try await house.killMessage("mail", 2)
      house.clock.advance(by: Self.day)
      try await house.killTimer("new")
      try await house.killMessage("mail", 3)
      house.clock.advance(by: Self.day * 29 - .nanoseconds(1))
      #expect(try await house.sweepAll() == 0)
      house.clock.advance(by: .nanoseconds(1))
      #expect(try await house.sweepAll() == 3)
      #expect(try await house.deadTimers() == ["new"])
      #expect(try await house.deadMessages("bus") == [])
      #expect(try await house.deadMessages("mail") == [3])
      house.clock.advance(by: Self.day)
      #expect(try await house.sweepAll() == 2)
      #expect(try await house.deadTimers() == [])
      #expect(try await house.deadMessages("mail") == [])
      #expect(try await house.sweepAll() == 0)
    }
  }

  @Test(arguments: Engine.all) func `very many go in small transactions`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      let now = house.clock.now()
      try await house.database.write { writer in
        for number in 1...100 {
          try writer.execute(
            """
            INSERT INTO octet_dead_timers (kind, key, scheduled_for, attempts, payload, error, died_at)
            VALUES ('bad', $1, $2, 1, $3, '', $2)
            """, "\(number)", now, [UInt8]())
        }
      }
      house.clock.advance(by: Self.day * 30)
      #expect(try await house.sweep.step(house.database))
      #expect(try await house.deadTimers().count == 100 - DeadLetterRetention.batch)
      // Several nodes at once, if one has lost its lease without knowing.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 { group.addTask { _ = try await house.sweepAll() } }
        try await group.waitForAll()
      }
      #expect(try await house.deadTimers().isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `what was retried is not old when it dies again`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      try await house.killTimer("a")
      try await house.killMessage("mail", 1)
      house.clock.advance(by: Self.day * 29)
      let timer = try #require(try await house.database.read { try house.timers.dead(limit: 1, in: $0) }.first)
      #expect(try await house.database.write { try house.timers.retry(dead: timer.id, in: $0) })
      _ = try await house.timers.runDue()
      let messages = try await house.database.read { try house.outbox.dead("mail", limit: 1, in: $0) }
      let message = try #require(messages.first)
      #expect(try await house.database.write { try house.outbox.retry("mail", id: message.id, in: $0) })
      while try await house.deadMessages("mail").isEmpty { _ = try? await house.outbox.deliverWaiting() }
      house.clock.advance(by: Self.day * 29)
      #expect(try await house.sweepAll() == 0)
      #expect(try await house.deadTimers() == ["a"])
      #expect(try await house.deadMessages("mail") == [1])
    }
  }

  @Test(arguments: Engine.all) func `a list goes on after its last page`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      for number in UInt8(1)...5 {
        try await house.killTimer("\(number)")
        try await house.killMessage("mail", number)
      }
      try await house.killMessage("bus", 9)
      let (keys, payloads) = try await house.database.read { reader in
        var (keys, payloads) = ([String](), [UInt8]())
        var (newest, oldest) = (Int64.max, Int64.min)
        while let last = try house.timers.dead(before: newest, limit: 2, in: reader).map({ letter in
          keys.append(letter.key)
          return letter.id
        }).last { newest = last }
        while let last = try house.outbox.dead("mail", after: oldest, limit: 2, in: reader).map({ letter in
          payloads += letter.payload
          return letter.id
        }).last { oldest = last }
        return (keys, payloads)
      }
      #expect(keys == ["5", "4", "3", "2", "1"])
      #expect(payloads == [1, 2, 3, 4, 5])
    }
  }

  @Test(arguments: Engine.all) func `a dead letter that is discarded is gone`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      try await house.killTimer("a")
      try await house.killMessage("mail", 1)
      let timer = try #require(try await house.database.read { try house.timers.dead(limit: 1, in: $0) }.first)
      let messages = try await house.database.read { try house.outbox.dead("mail", limit: 1, in: $0) }
      let message = try #require(messages.first)
      for isThere in [true, false] {
        #expect(try await house.database.write { try house.timers.discard(dead: timer.id, in: $0) } == isThere)
        #expect(try await house.database.write { try house.outbox.discard("mail", id: message.id, in: $0) } == isThere)
      }
      #expect(try await house.deadTimers().isEmpty)
      #expect(try await house.deadMessages("mail").isEmpty)
    }
  }
}
