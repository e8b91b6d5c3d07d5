import Base
import DomainKit
import Storage
import Testing

@testable import Admin

@Suite struct QueueAuditTests {
  /// A queue that has admitted two of its lobby; three of it and two who came later wait.
  private func queue() async throws -> (world: QueueWorld, waiting: [String]) {
    let world = try await QueueWorld(burst: 2)
    for user in 1...5 { try await world.join(user) }
    try await world.open()
    for user in 6...7 { try await world.join(user) }
    let waiting: [Identifier] = try await world.database.read { reader in
      try reader.rows("SELECT id FROM queue_entries WHERE state = 1") { $0[0] }
    }
    return (world, waiting.map { $0.text(kind: QueueOrder.idKind) })
  }

  private func broken(_ world: QueueWorld) async throws -> [InvariantCheck] {
    let checks = try await world.process.checkInvariants()
    #expect(checks.count == 4)
    return checks.filter { !$0.holds }
  }

  @Test func `the audit names queues whose numbers are not those of their rows`() async throws {
    let (world, _) = try await queue()
    #expect(try await broken(world).isEmpty)
    for column in ["waiting", "last_sequence", "admitted"] {
      try await world.execute("UPDATE queue_events SET \(column) = \(column) + 1")
      #expect(try await broken(world).map(\.violations) == [[world.event.subject]])
      try await world.execute("UPDATE queue_events SET \(column) = \(column) - 1")
    }
    try await world.execute("UPDATE queue_events SET cap = 4")
    #expect(try await broken(world).map(\.violations) == [[world.event.subject]])
    // What the sweep has begun to delete is not judged any more.
    try await world.execute("DELETE FROM queue_entries WHERE state = 1")
    try await world.execute("UPDATE queue_events SET closed_at = opens_at")
    world.clock.advance(by: QueueLimits().retention)
    #expect(try await broken(world).isEmpty)
    await world.database.close()
  }

  @Test func `the audit names who was admitted by half, too early, or not in turn`() async throws {
    let (world, waiting) = try await queue()
    let admitted = try await world.admitted.map { $0.entry.text(kind: QueueOrder.idKind) }
    try await world.execute("UPDATE queue_entries SET ticket_expires_at = NULL WHERE number = 2")
    #expect(try await broken(world).map(\.violations) == [[admitted[1]]])
    try await world.execute("UPDATE queue_entries SET ticket_expires_at = 1, state = 1 WHERE number = 2")
    // It waits again, with a ticket, though its turn was: and it is counted among those who wait.
    #expect(try await broken(world).map(\.violations) == [[world.event.subject], [admitted[1]], [admitted[1]]])
    try await world.execute("UPDATE queue_entries SET state = 2 WHERE number = 2")
    #expect(try await broken(world).isEmpty)
    for (from, to) in [(1, 9), (2, 1), (9, 2)] {
      try await world.execute("UPDATE queue_entries SET number = \(to) WHERE number = \(from)")
    }
    #expect(try await broken(world).map(\.violations) == [[admitted[0]]])
    for (from, to) in [(1, 9), (2, 1), (9, 2)] {
      try await world.execute("UPDATE queue_entries SET number = \(to) WHERE number = \(from)")
    }
    // As if the last one who came had been called.
    try await world.execute(
      """
      UPDATE queue_events SET called_sequence = 7,
        called_id = (SELECT id FROM queue_entries e WHERE e.event_id = queue_events.id AND e.sequence = 7)
      """)
    #expect(Set(try await broken(world).flatMap(\.violations)) == Set(waiting))
    // As if nobody had.
    try await world.execute("UPDATE queue_events SET called_sequence = 0, called_id = 0")
    #expect(try await broken(world).map(\.violations) == [admitted])
    await world.database.close()
  }
}

extension QueueWorld {
  func execute(_ sql: String) async throws {
    _ = try await database.write { try $0.execute(sql) }
  }
}
