import Base
import Cryptography
import Storage
import Streaming
import Testing

@Suite(.timeLimit(.minutes(60)))
struct TopicConformance {
  private struct Refused: Error {}

  private func withHub(_ engine: Engine, _ body: (TopicHub, any Database) async throws -> Void) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(TopicStore.migrations, clock: clock) { database in
      let key = SecretKey([UInt8](repeating: 7, count: SecretKey.standardLength))
      try await body(TopicHub(database: database, clock: clock, key: key), database)
    }
  }

  @Test(arguments: Engine.all) func `numbers are dense in each topic, whoever publishes and whatever rolls back`(
    engine: Engine
  ) async throws {
    try await withHub(engine) { hub, database in
      let topics = (0..<4).map { Topic("ride", "\($0)") }
      await withTaskGroup(of: Void.self) { group in
        for n in 0..<200 {
          group.addTask {
            _ = try? await database.write { writer in
              try hub.publish(topics[n % 4], [1], in: writer)
              if n % 8 < 4 { throw Refused() }
            }
          }
        }
      }
      for topic in topics {
        let numbers: [Int] = try await database.read {
          try $0.rows("SELECT sequence FROM octet_topic_events WHERE topic = $1 ORDER BY sequence", topic.name) {
            $0[0]
          }
        }
        #expect(numbers == Array(1...25))
      }
    }
  }

  /// SQLite has one writer; where there are several, topics must have no lock in common.
  @Test(arguments: Engine.all.filter { $0.testDescription == "PostgreSQL" })
  func `a transaction that holds one topic holds up no other`(engine: Engine) async throws {
    try await withHub(engine) { hub, database in
      let mayEnd = BlockingQueue<Void>(limit: 1)
      let holds = ParkingSpot()
      async let slow = database.write { writer in
        try hub.publish(Topic("ride", "slow"), [1], in: writer)
        holds.unpark()
        _ = mayEnd.pop(atMost: 1)
      }
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { mayEnd.close() }
      try await holds.park()
      // Would wait for ever if it needed anything that the other transaction holds.
      for n in 0..<3 { try await database.write { try hub.publish(Topic("ride", "quick"), [UInt8(n)], in: $0) } }
      try mayEnd.push(())
      try await slow
    }
  }

  @Test func `there is an engine with several writers to try this on`() {
    #expect(Engine.all.contains { $0.testDescription == "PostgreSQL" })
  }
}
