import Base
import Cryptography
import Storage
import Streaming

/// Rows that are to be swept: a generation of idempotency rows with random ids, the hard case, and events of topics.
struct AgedRows {
  /// Idempotency rows; a tenth as many events, 100 to a topic.
  let rows: Int

  private static let rowsPerFill = 5_000
  private static let eventsPerTopic = 100
  private static let kind = "swept"
  /// So that they are found old.
  private static let age: Duration = .seconds(100 * 86_400)

  /// Fills the tables.
  func fill(_ database: any Database) async throws {
    let random = SystemRandomSource()
    for _ in stride(from: 0, to: rows, by: Self.rowsPerFill) {
      try await database.write { writer in
        for _ in 0..<Self.rowsPerFill {
          try writer.execute(
            """
            INSERT INTO octet_requests_b (request_id, caller, method, hash, reply, created_at)
            VALUES ($1, 1, 1, $2, $3, 0)
            """, random.bytes(16), random.bytes(16), random.bytes(100))
        }
      }
    }
    let past = SystemClock().now() - Self.age
    try await database.write { writer in
      try writer.execute(
        "UPDATE octet_request_generation SET newest = 0, is_turning = 0, since = $1 WHERE id = 1", past)
    }
    let clock = ManualClock(past)
    let hub = TopicHub(database: database, clock: clock, key: .random())
    for topic in 0..<(rows / 10 / Self.eventsPerTopic) {
      try await database.write { writer in
        for _ in 0..<Self.eventsPerTopic {
          try hub.publish(Topic(Self.kind, "\(topic)"), random.bytes(200), in: writer)
        }
      }
    }
    hub.close()
  }

  /// What a server runs in the background.
  func sweeper(_ database: any Database) -> Sweeper {
    let clock = SystemClock()
    let retention = TopicRetention(age: .seconds(86_400))
    return Sweeper(
      database: database, leases: Leases(database: database, clock: clock, random: SystemRandomSource()),
      sweeps: [RequestRetention(clock: clock), TopicSweep([Self.kind: retention], clock: clock)])
  }

  /// How many are left.
  static func count(_ database: any Database) async throws -> (requests: Int, events: Int) {
    try await database.read { reader in
      let counts = try ["octet_requests_b", "octet_topic_events"].map { table in
        try reader.first("SELECT count(*) FROM \(table)") { $0[0] as Int } ?? 0
      }
      return (counts[0], counts[1])
    }
  }
}
