import Base
import Cryptography
import Storage
import Streaming
import Testing

/// What the fault tests have a database do: numbered requests, each of which leaves an effect, an event, a timer and a
/// message in one transaction, and others that change their mind when they have written.
struct FaultLoad: Sendable {
  static let requests = 24

  static let migrations =
    TopicStore.migrations + [
      Migration(
        "fault", 1, "effects, with nothing that keeps one from being there twice",
        sql: """
          CREATE TABLE effects (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, filling BLOB NOT NULL);
          CREATE INDEX effects_number ON effects (number);
          """)
    ]

  private struct Refusal: Error {}

  let database: any Database
  /// The numbers whose transactions were told that they had committed.
  let told = Locked<Set<Int>>([])

  private let hub: TopicHub
  private let timers: Timers
  private let outbox: Outbox
  private static let clock = ManualClock()
  private static let random = SeededRandomSource(seed: 1)

  init(_ database: any Database) {
    self.database = database
    hub = TopicHub(
      database: database, clock: Self.clock, key: SecretKey([UInt8](repeating: 1, count: SecretKey.standardLength)))
    timers = Timers(database: database, clock: Self.clock, random: Self.random)
    outbox = Outbox.patient(database, Self.clock, Self.random)
  }

  /// Serves request `number`; again with the same effects, once.
  func request(_ number: Int) async throws {
    let id = "00000000-0000-7000-8000-0000000000" + (number < 16 ? "0" : "") + String(number, radix: 16)
    let key = try #require(RequestKey(caller: Identifier(rawValue: 1), method: "effect", requestID: id))
    try await database.write { writer in
      _ = try writer.once(key, hash: [1], now: Self.clock.now()) {
        try leaveTraces(of: number, in: writer)
        return []
      }
    }
  }

  /// Writes what a request writes, and then throws.
  /// - Throws: `StorageError`.
  func refuse(_ number: Int) async throws {
    do {
      try await database.write { writer in
        try leaveTraces(of: number, in: writer)
        throw Refusal()
      }
    } catch is Refusal {
      return
    }
  }

  private func leaveTraces(of number: Int, in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO effects (number, filling) VALUES ($1, $2)", number,
      [UInt8](repeating: 1, count: number % 3 * 3000))
    try hub.publish(Topic("fault", "\(number % 2)"), Array("\(number)".utf8), in: writer)
    try timers.set("fault", key: "\(number)", due: Self.clock.now(), in: writer)
    try outbox.append("fault", Array("\(number)".utf8), in: writer)
    writer.afterCommit { [told] in told.withLock { _ = $0.insert(number) } }
  }

  /// How often each number is among the effects, the events, the timers and the messages. Checks that topics are dense
  /// and the file is sound.
  func traces(sourceLocation: SourceLocation = #_sourceLocation) async throws -> [Int: [Int]] {
    let (lists, topics, check) = try await database.read { reader in
      let text: (any Row) -> Int = { Int($0.text(0)) ?? 0 }
      return (
        [
          try reader.rows("SELECT number FROM effects") { $0[0] as Int },
          try reader.rows("SELECT CAST(payload AS TEXT) FROM octet_topic_events", make: text),
          try reader.rows("SELECT key FROM octet_timers", make: text),
          try reader.rows("SELECT CAST(payload AS TEXT) FROM octet_outbox", make: text),
        ],
        try reader.rows(
          """
          SELECT t.last_sequence, count(*), min(e.sequence), max(e.sequence)
          FROM octet_topics t JOIN octet_topic_events e ON e.topic = t.topic GROUP BY t.topic, t.last_sequence
          """
        ) { row in (0...3).map { row[$0] as Int } },
        try reader.first("PRAGMA integrity_check") { $0[0] as String }
      )
    }
    for topic in topics {
      #expect(topic == [topic[0], topic[0], 1, topic[0]], "not dense", sourceLocation: sourceLocation)
    }
    #expect(check == "ok", sourceLocation: sourceLocation)
    var traces: [Int: [Int]] = [:]
    for (index, list) in lists.enumerated() {
      for number in list { traces[number, default: [0, 0, 0, 0]][index] += 1 }
    }
    return traces
  }

  /// Has several callers ask at once, so that what they ask shares a commit: the writer is held until all wait for it.
  func together(_ calls: [@Sendable () async -> Void]) async throws {
    let (isHeld, mayGoOn) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    let finished = Locked(0)
    try await withThrowingTaskGroup(of: Void.self) { group in
      // The group waits for the one that holds the writer, whatever fails here.
      defer { mayGoOn.close() }
      group.addTask {
        _ = try? await database.write { _ in
          isHeld.unpark()
          _ = mayGoOn.pop(atMost: 1)
        }
        // A writer that takes nothing holds nobody.
        isHeld.unpark()
      }
      try await isHeld.park()
      for call in calls {
        group.addTask {
          await call()
          finished.withLock { $0 += 1 }
        }
      }
      while database.waiting.writes + finished.withLock({ $0 }) < calls.count { await Task.yield() }
      try mayGoOn.push(())
      try await group.waitForAll()
    }
  }
}
