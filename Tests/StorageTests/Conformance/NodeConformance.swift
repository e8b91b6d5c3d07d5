import Base
import Storage
import Testing

@Suite struct NodeConformance {
  private func join(_ database: any Database, _ clock: ManualClock) async throws -> NodeRegistry {
    try await NodeRegistry.join(database, clock: clock, random: SystemRandomSource())
  }

  @Test(arguments: Engine.all) func `processes that join at once get numbers of their own`(engine: Engine) async throws
  {
    let clock = ManualClock()
    try await engine.withDatabase(NodeRegistry.migrations, clock: clock) { database in
      let numbers = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<16 { group.addTask { try await join(database, clock).node } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(numbers.sorted() == Array(0..<16))
    }
  }

  @Test(arguments: Engine.all) func `a number is free again when it was left or its claim has run out, not before`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(NodeRegistry.migrations, clock: clock) { database in
      for _ in 0..<3 { _ = try await join(database, clock) }
      let third = try await join(database, clock)
      #expect(third.node == 3)
      // All others belong to processes that are not here, and hold for long.
      let far = clock.now() + NodeRegistry.claimDuration * 10
      try await database.write { writer in
        try writer.execute("UPDATE octet_nodes SET expires_at = $1 WHERE node < 3", far)
        for node in 4..<IdentifierGenerator.nodes {
          try writer.execute(
            "INSERT INTO octet_nodes (node, claim, expires_at) VALUES ($1, $2, $3)", node, [0] as [UInt8], far)
        }
      }
      let refusal = await storageError { try await join(database, clock) }
      #expect(refusal?.code == .overloaded)

      await third.leave()
      clock.advance(by: .nanoseconds(1))
      let again = try await join(database, clock)
      #expect(again.node == 3)

      clock.advance(by: NodeRegistry.claimDuration / 2)
      let isRenewed = try await again.renew()
      #expect(isRenewed)
      clock.advance(by: NodeRegistry.claimDuration / 2)
      let early = await storageError { try await join(database, clock) }
      #expect(early?.code == .overloaded, "it was renewed")
      clock.advance(by: NodeRegistry.claimDuration / 2)
      let successor = try await join(database, clock)
      #expect(successor.node == 3)
      let (former, present) = (try await again.renew(), try await successor.renew())
      #expect(!former && present, "whoever has lost its number must learn of it")
    }
  }

  @Test(arguments: Engine.all) func `a node hears that its number went to another process`(engine: Engine) async throws
  {
    let clock = ManualClock()
    try await engine.withDatabase(NodeRegistry.migrations, clock: clock) { database in
      let node = try await join(database, clock)
      let heard = ParkingSpot()
      node.start(every: .milliseconds(1)) { heard.unpark() }
      try await database.write { _ = try $0.execute("UPDATE octet_nodes SET claim = $1", [0] as [UInt8]) }
      try await heard.park()
      await node.leave()
    }
  }

  @Test(arguments: Engine.all) func `a node of before a restore hears of it, and who joins after it goes on`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(NodeRegistry.migrations, clock: clock) { database in
      let before = try await join(database, clock)
      #expect(before.history == .first)
      let isRenewed = try await before.renew()
      #expect(isRenewed)
      try await database.write { try DatabaseHistory.begin(in: $0, random: SeededRandomSource(seed: 1)) }
      let after = try await join(database, clock)
      #expect(after.history != .first)
      let (former, present) = (try await before.renew(), try await after.renew())
      #expect(!former && present)
      try await database.write { try DatabaseHistory.begin(in: $0, random: SeededRandomSource(seed: 2)) }
      let third = try await join(database, clock)
      #expect(third.history != after.history, "the second restore begins a history of its own")
    }
  }

  @Test(arguments: Engine.all) func `nodes agree on what the first one said`(engine: Engine) async throws {
    try await engine.withDatabase(NodeRegistry.migrations) { database in
      var answers: [Bool] = []
      for content in [[1, 2], [1, 2], [1, 3]] as [[UInt8]] {
        answers.append(try await NodeRegistry.agree(on: "root key", content, database))
      }
      #expect(answers == [true, true, false])
    }
  }
}
