import Base
import Cryptography
import StoragePostgreSQL
import Streaming
import Testing

@testable import Storage

/// Writes under idempotency keys, each repeated until it is acknowledged, as a client would do it, each with an event, a
/// timer, a job and a message, which are worked off meanwhile; then the database is asked whether each is there once.
struct Load {
  let database: any Database
  let hub: TopicHub
  let seed: UInt64
  private let timers: Timers
  private let outbox: Outbox
  /// The messages that were delivered, some of them more than once.
  private let delivered = Locked<Set<Int64>>([])
  /// Goes on with each write.
  private let clock = ManualClock()

  static let migrations =
    TopicStore.migrations + [
      Migration(
        "load", 1, "notes",
        sql: """
          CREATE TABLE load_notes (id INTEGER PRIMARY KEY, caller INTEGER NOT NULL, number INTEGER NOT NULL);
          CREATE TABLE load_counters (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
          CREATE TABLE load_effects (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL);
          """)
    ]

  static let topics = 4

  init(_ database: any Database, seed: UInt64) {
    self.database = database
    self.seed = seed
    hub = TopicHub(database: database, clock: clock, key: SecretKey([UInt8](repeating: 1, count: 32)))
    let random = SeededRandomSource(seed: seed)
    timers = Timers(database: database, clock: clock, random: random)
    outbox = Outbox.patient(database, clock, random)
    timers.handle(Self.timer, policy: Self.soon) { writer, timer in try Self.leaveEffect(of: timer, in: writer) }
    timers.work(Self.job, policy: Self.soon, lease: Self.lease) { job in
      try await job.finish { writer in try Self.leaveEffect(of: job.timer, in: writer) }
    }
    outbox.deliver(Self.channel, policy: Self.soon) { [delivered] entry in
      delivered.withLock { _ = $0.insert(entry.id) }
    }
  }

  private static let (timer, job, channel) = ("load.timer", "load.job", "load")
  private static let lease = Duration.seconds(10)
  /// Longer than whatever an attempt that came to no end holds.
  private static let longestLease = Duration.seconds(120)

  /// Attempts fail as often as the way to the database breaks: far more often than a policy permits, which counts none of
  /// them. They come again while it breaks.
  private static var soon: RetryPolicy {
    var policy = RetryPolicy()
    (policy.base, policy.longest) = (.milliseconds(10), .milliseconds(100))
    return policy
  }

  private static func leaveEffect(of timer: DueTimer, in writer: any Writer) throws {
    try writer.send("INSERT INTO load_effects (kind, key) VALUES ($1, $2)", timer.kind, timer.key)
  }

  /// Begins to work off what writes leave, beside them.
  func start() {
    timers.start { _ in }
    outbox.start { _ in }
  }

  /// Works off the rest, when nothing breaks any more; but what takes too long for the database's limits may still be
  /// given up.
  private func finish() async throws {
    await timers.stop()
    await outbox.stop()
    repeat {
      clock.advance(by: Self.longestLease)
      _ = try await insist { try await timers.runDue() }
      _ = try await insist { try await outbox.deliverWaiting() }
    } while try await read({ reader in
      try reader.exists("SELECT 1 FROM octet_timers") || reader.exists("SELECT 1 FROM octet_outbox")
    })
  }

  private func read<Result: Sendable>(
    _ body: @escaping @Sendable (any Reader) throws -> Result
  ) async throws -> Result {
    try await insist { try await database.read(body) }
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
    clock.advance(by: .milliseconds(1))
    try await insist {
      try await database.write { writer in
        _ = try writer.once(key, hash: [1], now: clock.now()) {
          try writer.send("INSERT INTO load_notes (caller, number) VALUES ($1, $2)", caller, number)
          // A hot row, and a topic that others write to as well.
          try writer.send(
            """
            INSERT INTO load_counters (id, value) VALUES (1, 1)
            ON CONFLICT (id) DO UPDATE SET value = load_counters.value + 1
            """)
          try hub.publish(Topic("load", String(caller % Self.topics)), [1], in: writer)
          for kind in [Self.timer, Self.job] {
            try timers.set(kind, key: "\(caller) \(number)", due: clock.now(), in: writer)
          }
          try outbox.append(Self.channel, Array("\(caller) \(number)".utf8), in: writer)
          return []
        }
      }
    }
  }

  /// Looks for every note, once, with what each has led to, and for dense topics.
  func check(callers: Int, writes: Int) async throws {
    try await finish()
    let (notes, distinct, counted, topics) = try await read { reader in
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
    let (effects, distinctEffects, dead) = try await read { reader in
      (
        try reader.rows("SELECT count(*) FROM load_effects GROUP BY kind ORDER BY kind") { $0.integer(0) },
        try reader.rows("SELECT count(DISTINCT key) FROM load_effects GROUP BY kind ORDER BY kind") { $0.integer(0) },
        try reader.exists("SELECT 1 FROM octet_dead_timers") || reader.exists("SELECT 1 FROM octet_dead_outbox")
      )
    }
    #expect(effects == [expected, expected] && distinctEffects == effects, "of jobs and timers, seed \(seed)")
    #expect(!dead, "seed \(seed)")
    #expect(delivered.withLock { Int64($0.count) } == expected, "messages, seed \(seed)")
    #expect(topics.count == Self.topics)
    for topic in topics { #expect(topic == [topic[0], topic[0], topic[0]], "seed \(seed)") }
    #expect(topics.map { $0[0] }.reduce(0, +) == expected, "seed \(seed)")
  }
}
