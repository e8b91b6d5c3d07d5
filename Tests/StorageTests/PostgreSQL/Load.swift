import Base
import Cryptography
import Storage
import StoragePostgreSQL
import Streaming
import Testing

/// Writes under idempotency keys, each repeated until it is acknowledged, as a client would do it; then the database is
/// asked whether each is there once.
struct Load {
  let database: any Database
  let hub: TopicHub
  let seed: UInt64

  static let migrations =
    TopicStore.migrations + [
      Migration(
        "load", 1, "notes",
        sql: """
          CREATE TABLE load_notes (id INTEGER PRIMARY KEY, caller INTEGER NOT NULL, number INTEGER NOT NULL);
          CREATE TABLE load_counters (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
          """)
    ]

  static let topics = 4
  private static let clock = SystemClock()

  init(_ database: any Database, seed: UInt64) {
    self.database = database
    self.seed = seed
    hub = TopicHub(database: database, clock: Self.clock, key: SecretKey([UInt8](repeating: 1, count: 32)))
  }

  /// Has each of `callers` write the notes of these numbers, all callers at the same time.
  func run(callers: Int, numbers: Range<Int>) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for caller in 0..<callers {
        group.addTask { for number in numbers { try await write(caller, number) } }
      }
      try await group.waitForAll()
    }
  }

  /// Repeats a write until it is acknowledged.
  private func write(_ caller: Int, _ number: Int) async throws {
    let digits = String(number, radix: 16)
    let id = "00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
    guard let key = RequestKey(caller: Identifier(rawValue: Int64(caller)), method: "load", requestID: id) else {
      preconditionFailure("\(id) is a UUID")
    }
    while true {
      do {
        try await database.write { writer in
          _ = try writer.once(key, hash: [1], now: Self.clock.now()) {
            try writer.send("INSERT INTO load_notes (caller, number) VALUES ($1, $2)", caller, number)
            // A hot row, and a topic that others write to as well.
            try writer.send(
              """
              INSERT INTO load_counters (id, value) VALUES (1, 1)
              ON CONFLICT (id) DO UPDATE SET value = load_counters.value + 1
              """)
            try hub.publish(Topic("load", String(caller % Self.topics)), [1], in: writer)
            return []
          }
        }
        return
      } catch let error as StorageError where error.isTransient {
        await Task.yield()
      }
    }
  }

  /// Looks for every note, once, and for dense topics.
  func check(callers: Int, writes: Int) async throws {
    let (notes, distinct, counted, topics) = try await database.read { reader in
      (
        try reader.first("SELECT count(*) FROM load_notes") { $0.integer(0) },
        try reader.first("SELECT count(*) FROM (SELECT DISTINCT caller, number FROM load_notes) AS n") {
          $0.integer(0)
        },
        try reader.first("SELECT value FROM load_counters WHERE id = 1") { $0.integer(0) },
        try reader.rows(
          """
          SELECT t.last_sequence, count(*), max(e.sequence) FROM octet_topics t
          JOIN octet_topic_events e ON e.topic = t.topic GROUP BY t.topic, t.last_sequence
          """
        ) { row in (0...2).map { row.integer($0) } }
      )
    }
    let expected = Int64(callers * writes)
    #expect([notes, distinct, counted] == [expected, expected, expected], "seed \(seed)")
    #expect(topics.count == Self.topics)
    for topic in topics { #expect(topic == [topic[0], topic[0], topic[0]], "seed \(seed)") }
    #expect(topics.map { $0[0] }.reduce(0, +) == expected, "seed \(seed)")
  }
}
