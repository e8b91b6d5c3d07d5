import Base
import Testing

@testable import Storage

@Suite struct LeaseConformance {
  @Test(arguments: Engine.all) func `one holder at a time, and a higher fence for each`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Fixture.values], clock: clock) { database in
      let ann = Leases(database: database, clock: clock, random: SeededRandomSource(seed: 1))
      let bob = Leases(database: database, clock: clock, random: SeededRandomSource(seed: 2))
      let first = try #require(try await ann.acquire("city/1", for: .seconds(10)))
      #expect(try await bob.acquire("city/1", for: .seconds(10)) == nil)
      #expect(try await bob.acquire("city/2", for: .seconds(10)) != nil)
      #expect(try await ann.acquire("city/1", for: .seconds(10))?.fence == first.fence, "it is ann's already")

      clock.advance(by: .seconds(9))
      let renewed = try await ann.renew(first, for: .seconds(10))
      clock.advance(by: .seconds(9))
      #expect(try await bob.acquire("city/1", for: .seconds(10)) == nil)
      clock.advance(by: .seconds(1))
      let second = try #require(try await bob.acquire("city/1", for: .seconds(10)))
      #expect(second.fence > renewed.fence)

      await #expect(throws: LeaseLost(name: "city/1")) { try await ann.renew(renewed, for: .seconds(10)) }
      try await ann.release(renewed)
      #expect(try await ann.acquire("city/1", for: .seconds(10)) == nil, "a late release changes nothing")
      try await bob.release(second)
      let third = try #require(try await ann.acquire("city/1", for: .seconds(10)))
      #expect(third.fence > second.fence)
    }
  }

  @Test(arguments: Engine.all) func `a late holder cannot write`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Fixture.values], clock: clock) { database in
      let ann = Leases(database: database, clock: clock, random: SeededRandomSource(seed: 1))
      let bob = Leases(database: database, clock: clock, random: SeededRandomSource(seed: 2))
      let note: @Sendable (any Writer) throws -> Void = { try $0.execute("INSERT INTO samples (i) VALUES (1)") }
      let lease = try #require(try await ann.acquire("job", for: .seconds(10)))
      try await ann.write(under: lease, note)
      clock.advance(by: .seconds(10) - .nanoseconds(1))
      try await ann.write(under: lease, note)
      clock.advance(by: .nanoseconds(1))
      await #expect(throws: LeaseLost.self, "by the clock, though nobody has taken it") {
        try await ann.write(under: lease, note)
      }
      await #expect(throws: LeaseLost.self) { try await ann.renew(lease, for: .seconds(10)) }
      let next = try #require(try await bob.acquire("job", for: .seconds(10)))
      await #expect(throws: LeaseLost.self) { try await ann.write(under: lease, note) }
      try await bob.write(under: next, note)
      let rows: Int? = try await database.read { try $0.first("SELECT count(*) FROM samples") { $0[0] } }
      #expect(rows == 3)
    }
  }

  @Test(arguments: Engine.all) func `what was given back is not held any more`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let ann = Leases(database: database, clock: clock, random: SeededRandomSource(seed: 1))
      let lease = try #require(try await ann.acquire("job", for: .seconds(10)))
      try await ann.release(lease)
      await #expect(throws: LeaseLost.self) { try await ann.write(under: lease) { _ in } }
      await #expect(throws: LeaseLost.self) { try await ann.renew(lease, for: .seconds(10)) }
      let again = try #require(try await ann.acquire("job", for: .seconds(10)))
      #expect(again.fence > lease.fence)
    }
  }

  @Test(arguments: Engine.all) func `many that want a lease at once: one gets it`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      for round in 0..<5 {
        let holders = try await withThrowingTaskGroup(of: Int.self) { group in
          for n in 0..<16 {
            let leases = Leases(
              database: database, clock: clock, random: SeededRandomSource(seed: UInt64(round * 100 + n)))
            group.addTask { try await leases.acquire("one", for: .seconds(10)) == nil ? 0 : 1 }
          }
          return try await group.reduce(0, +)
        }
        #expect(holders == 1)
        clock.advance(by: .seconds(11))
      }
    }
  }
}
