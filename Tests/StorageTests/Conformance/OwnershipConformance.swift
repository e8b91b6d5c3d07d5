import Base
import Testing

@testable import Storage

@Suite struct OwnershipConformance {
  private let things = (1...6).map { "city_\($0)" }

  private func node(_ number: Int, _ database: any Database, _ clock: ManualClock) -> Ownership {
    Ownership(
      database: database, clock: clock, random: SeededRandomSource(seed: UInt64(number)), kind: "test/city",
      node: number, lifetime: .seconds(10))
  }

  /// What each node owns after a round of each. Checks that nothing has two owners.
  private func round(_ nodes: [Ownership], _ clock: ManualClock) async throws -> [[String]] {
    clock.advance(by: .seconds(2))
    var parts: [[String]] = []
    for node in nodes { parts.append(try await node.round(things).map(\.thing)) }
    let all = nodes.flatMap { node in things.filter { node.owned($0) != nil } }
    #expect(Set(all).count == all.count, "one owner each")
    return parts
  }

  @Test(arguments: Engine.all) func `a node that joins is given its part`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let nodes = (1...3).map { node($0, database, clock) }
      #expect(try await round([nodes[0]], clock) == [things])
      var parts: [[String]] = []
      // One to be seen, one to give, one to take; in whichever order.
      for _ in 0..<3 { parts = try await round(Array(nodes[0...1]), clock) }
      #expect(parts.map(\.count) == [3, 3])
      for _ in 0..<3 { parts = try await round(nodes, clock) }
      #expect(parts.map(\.count) == [2, 2, 2])
      #expect(parts.joined().sorted() == things)
      let before = parts
      for _ in 0..<10 { parts = try await round(nodes, clock) }
      #expect(parts == before, "nothing moves while nobody comes or goes")
    }
  }

  @Test(arguments: Engine.all) func `what a dead node owned goes to others, with a higher fence`(engine: Engine)
    async throws
  {
    let clock = ManualClock()
    try await engine.withDatabase([Fixture.values], clock: clock) { database in
      let (dies, lives) = (node(1, database, clock), node(2, database, clock))
      for _ in 0..<3 { _ = try await round([dies, lives], clock) }
      let lost = things.compactMap { dies.owned($0) }
      #expect(lost.count == 3)
      var passed = 0
      while lives.owned(lost[0].thing) == nil {
        passed += 2
        _ = try await round([lives], clock)
      }
      #expect((6...14).contains(passed), "after the lease, not before")
      #expect(try await round([lives], clock) == [things])
      #expect(things.allSatisfy { dies.owned($0) == nil }, "the clock says so to the one that was only away")
      for old in lost {
        let new = try #require(lives.owned(old.thing))
        #expect(new.lease.fence > old.lease.fence)
        #expect(new.since > old.since)
        await #expect(throws: LeaseLost.self) {
          try await database.write { writer in
            try Leases.confirm(old.lease, by: clock, in: writer)
            try writer.execute("INSERT INTO samples (i) VALUES (1)")
          }
        }
        try await database.write { try Leases.confirm(new.lease, by: clock, in: $0) }
      }
      // It comes back, and learns what it has lost.
      for _ in 0..<3 { _ = try await round([dies, lives], clock) }
      #expect(things.filter { dies.owned($0) != nil }.count == 3)
    }
  }

  @Test(arguments: Engine.all) func `who gives all up leaves it to others at once`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let (ends, stays) = (node(1, database, clock), node(2, database, clock))
      for _ in 0..<3 { _ = try await round([ends, stays], clock) }
      try await ends.releaseAll()
      #expect(things.allSatisfy { ends.owned($0) == nil })
      #expect(try await stays.round(things).map(\.thing) == things)
    }
  }

  @Test(arguments: Engine.all, [FailingDatabase.Fault.refuses, .commitsWithoutAnswer])
  func `a round that fails half way leaves nothing without an owner`(
    engine: Engine, fault: FailingDatabase.Fault
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let failing = FailingDatabase(database)
      let alone = node(1, failing, clock)
      // The node says that it is there, by two of them.
      failing.spared.withLock { $0 = 4 }
      failing.fault.withLock { $0 = fault }
      await #expect(throws: StorageError.self) { try await alone.round(things) }
      #expect(things.filter { alone.owned($0) != nil } == Array(things.prefix(2)))
      failing.fault.withLock { $0 = nil }
      let owned = try await alone.round(things)
      #expect(owned.map(\.thing) == things)
    }
  }

  @Test(arguments: Engine.all) func `a gap in the ownership is known to the owner`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let alone = node(1, database, clock)
      let first = try #require(try await alone.round(things).first)
      clock.advance(by: .seconds(8))
      #expect(try await alone.round(things).first?.since == first.since)
      clock.advance(by: .seconds(11))
      #expect(alone.owned(first.thing) == nil)
      let again = try #require(try await alone.round(things).first)
      #expect(again.since == clock.now())
      #expect(again.lease.fence > first.lease.fence, "what was begun before the gap is late")
      #expect(try await alone.round([]) == [], "what is no longer there is given up")
    }
  }
}
