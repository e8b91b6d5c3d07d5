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
      var nodes: [NodeRegistry] = []
      for _ in 0..<IdentifierGenerator.nodes { nodes.append(try await join(database, clock)) }
      let refusal = await storageError { try await join(database, clock) }
      #expect(refusal?.code == .overloaded)

      await nodes[7].leave()
      clock.advance(by: .nanoseconds(1))
      let seventh = try await join(database, clock)
      #expect(seventh.node == 7)

      clock.advance(by: NodeRegistry.claimDuration / 2)
      for node in nodes + [seventh] where node.node != 3 { _ = try await node.renew() }
      clock.advance(by: NodeRegistry.claimDuration / 2)
      let successor = try await join(database, clock)
      #expect(successor.node == 3)
      let (former, present) = (try await nodes[3].renew(), try await successor.renew())
      #expect(!former && present, "whoever has lost its number must learn of it")
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
