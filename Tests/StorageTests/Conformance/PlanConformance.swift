import Base
import Blobs
import Cryptography
import PostgreSQLServer
import Streaming
import Testing

@testable import Storage

/// What runs with every call, every event and every second goes by an index, however much there is beside what it is
/// about. The statements that are explained are those that ran.
@Suite struct PlanConformance {
  /// Rows of each table that are beside the matter.
  static let others = 3000
  private static let tables = [
    "octet_timers", "octet_requests", "octet_requests_b", "octet_requests_kept", "octet_outbox", "octet_leases",
    "octet_topics", "octet_topic_events", "octet_search_documents", "octet_search_past",
  ]
  private static let engines = Engine.all.filter { !$0.testDescription.contains("twice") }
  private static let busyTopic = Topic("chat", "busy")
  // Of each case its own: one that moves it must not move the others'.
  let clock = ManualClock()
  let random = SeededRandomSource(seed: 1)
  private let index: SearchIndex

  init() { index = SearchIndex("things", fields: ["text": 1], clock: clock, random: random) }

  /// Parts of statements, and the index that each goes by; nil: the one of the primary key.
  private static let expected: [(part: String, index: String?)] = [
    ("SELECT kind, due FROM octet_timers WHERE kind = $1 ORDER BY due LIMIT 1", "octet_timers_kind_due"),
    ("FROM octet_timers\nWHERE kind = $1 AND due <= $2 ORDER BY due LIMIT $3", "octet_timers_kind_due"),
    ("UPDATE octet_timers SET due = $3, fence", nil),
    ("DELETE FROM octet_timers WHERE kind = $1 AND key = $2 AND fence = $3", nil),
    ("FROM octet_timers WHERE kind = $1 AND key = $2", nil),
    ("SELECT hash, reply FROM octet_requests WHERE", nil),
    ("SELECT hash, reply FROM octet_requests_kept WHERE", nil),
    ("DELETE FROM octet_requests_b WHERE (request_id, caller, method) <=", nil),
    ("SELECT retry_at FROM octet_outbox WHERE channel = $1 ORDER BY id LIMIT 1", "octet_outbox_channel"),
    ("attempts, retry_at FROM octet_outbox WHERE channel = $1 ORDER BY id LIMIT $2", "octet_outbox_channel"),
    ("FROM octet_leases WHERE name = $1 AND holder", nil),
    ("FROM octet_leases WHERE name = $1 AND fence", nil),
    ("FROM octet_leases WHERE name >= $1 AND name < $2", nil),
    ("FROM octet_leases WHERE name > $1 ORDER BY name LIMIT $2", nil),
    ("LEFT JOIN octet_topics t ON t.topic = $1", nil),
    ("FROM octet_topic_events WHERE topic = $1 AND sequence > $2 ORDER BY sequence LIMIT $3", nil),
    ("FROM octet_search_documents WHERE collection = $1 AND document IN ($2, ", nil),
    ("FROM octet_search_past WHERE collection = $1 AND until > $2\nORDER BY until, document LIMIT $3", nil),
    ("SELECT 1 FROM octet_search_past WHERE collection = $1 AND until <= $2", nil),
  ]

  @Test(arguments: engines) func `the statements that must stay quick go by an index`(_ engine: Engine) async throws {
    let migrations =
      NodeRegistry.migrations + TopicStore.migrations + SearchSchema.migrations + BlobSchema.migrations
    try await engine.withDatabase(migrations, clock: clock) { database in
      try await fill(database)
      let noting = NotingDatabase(database)
      try await work(with: noting)
      let statements = noting.statements
      let plans = try await database.takenBack { writer in
        try statements.map { try Self.plan(of: $0, writer) }
      }
      for (statement, plan) in zip(statements, plans) {
        for line in plan { #expect(!Self.isWalk(line, statement.sql), "\(statement.sql)\n\(plan)") }
      }
      for (part, index) in Self.expected + Self.expectedOfUpkeep {
        let found = zip(statements, plans).filter { $0.0.sql.contains(part) }
        #expect(!found.isEmpty, "nothing ran that has \(part)")
        for (statement, plan) in found {
          let names = index.map { [$0] } ?? ["PRIMARY KEY", "_pkey"]
          #expect(
            plan.contains { line in names.contains { line.contains($0) } }, "\(statement.sql)\n\(plan)")
        }
      }
    }
  }

  /// Whether a line of a plan says that a table is gone through, or that rows are put in an order.
  private static func isWalk(_ line: String, _ sql: String) -> Bool {
    // The end of a batch of old requests is the last of the first rows: a walk of so many rows, and an order of them.
    if sql.contains("FROM octet_requests") && sql.contains(") page") { return line.contains("Seq Scan") }
    // The table is in the order of its row numbers.
    if sql.contains("FROM octet_dead_timers ORDER BY id LIMIT") && line.hasPrefix("SCAN") { return false }
    // A node that starts looks at all the numbers, of which there are a thousand.
    if sql.contains("FROM octet_nodes ORDER BY expires_at") { return false }
    let words = line.split(whereSeparator: { " ()".contains($0) }).map(String.init)
    let isScan = (tables + upkeepTables).contains { table in
      zip(words, words.dropFirst()).contains { $0 == "SCAN" && $1 == table } || line.contains("Seq Scan on \(table) ")
    }
    // The last of the first events is found in the same way.
    if sql.contains("FROM octet_topic_events") && sql.contains(") page") { return isScan }
    return isScan || line.contains("TEMP B-TREE") || words.contains("Sort")
  }

  private static func plan(of statement: NotingDatabase.Statement, _ writer: any Writer) throws -> [String] {
    switch writer.dialect {
    case .sqlite:
      try writer.rows("EXPLAIN QUERY PLAN " + statement.sql, statement.arguments) { $0.text(3) }
    case .postgreSQL:
      try writer.rows("EXPLAIN " + statement.sql, statement.arguments) { $0.text(0) }
    }
  }

  // MARK: What is there, and what is done

  private func fill(_ database: any Database) async throws {
    let now = clock.now()
    try await database.write { writer in
      for number in 0..<Self.others {
        for (kind, due) in [("busy", now + .seconds(3600)), ("flood", now - .seconds(1))] {
          try writer.send(
            """
            INSERT INTO octet_timers (kind, key, due, scheduled_for, fence, attempts, payload)
            VALUES ($1, $2, $3, $3, 1, 0, $4)
            """, kind, "\(number)", due + .milliseconds(number), [UInt8]())
        }
        let id = [UInt8](repeating: 0, count: 14) + [UInt8(number >> 8), UInt8(number & 255)]
        for table in ["octet_requests", "octet_requests_b", "octet_requests_kept"] {
          try writer.send(
            """
            INSERT INTO \(table) (request_id, caller, method, hash, reply, created_at) VALUES ($1, $2, 1, $3, $3, $4)
            """, id, number % 50, [1] as [UInt8], now)
        }
        try writer.send(
          "INSERT INTO octet_outbox (channel, payload, created_at) VALUES ($1, $2, $3)", "channel \(number % 20)",
          [1] as [UInt8], now)
        try writer.send(
          "INSERT INTO octet_leases (name, holder, fence, expires_at) VALUES ($1, $2, $3, $3)", "room/\(number)",
          "other", now)
        try writer.send(
          "INSERT INTO octet_search_documents (collection, document, entry, changed_at) VALUES ($1, $2, $3, $4)",
          number % 50, number, [UInt8](repeating: 0, count: 500), now)
        try writer.send(
          "INSERT INTO octet_search_past (collection, until, document, since, entry) VALUES ($1, $2, $3, $2, $4)",
          number % 50, now, number, [UInt8](repeating: 0, count: 500))
        try writer.send("INSERT INTO octet_topics (topic, last_sequence) VALUES ($1, 1)", "chat/\(number)")
        for (topic, sequence) in [("chat/\(number)", 1), (Self.busyTopic.name, number + 1)] {
          try writer.send(
            "INSERT INTO octet_topic_events (topic, sequence, payload, published_at) VALUES ($1, $2, $3, $4)", topic,
            sequence, [1] as [UInt8], now)
        }
      }
      try writer.send(
        "INSERT INTO octet_topics (topic, last_sequence) VALUES ($1, $2)", Self.busyTopic.name, Self.others)
      try fillUpkeep(writer)
      try index.put((0..<100).map { SearchDocument(id: $0, texts: ["text": "lamp"]) }, in: writer)
      // SQLite plans without having counted, as it does in earnest.
      if writer.dialect == .postgreSQL {
        for table in Self.tables + Self.upkeepTables { try writer.execute("ANALYZE \(table)") }
      }
    }
  }

  private func work(with database: NotingDatabase) async throws {
    try await runTimers(database)
    for keeping in [RequestKeeping.retention, .forever] { try await serve(keeping, database) }
    try await deliver(database)
    try await lease(database)
    try await publish(database)
    try await search(database)
    try await keepUp(database)
    let retention = RequestRetention(clock: clock)
    _ = try await retention.step(database)
    clock.advance(by: RequestRetention.standard)
    #expect(try await retention.step(database))
  }

  private func runTimers(_ database: NotingDatabase) async throws {
    let timers = Timers(database: database, clock: clock, random: random)
    timers.handle("busy") { _, _ in }
    timers.handle("idle") { _, _ in }
    try await database.write { writer in
      try timers.set("busy", key: "mine", due: clock.now(), in: writer)
      try timers.setIfAbsent("busy", key: "mine", due: clock.now(), in: writer)
      _ = try timers.status("busy", key: "mine", in: writer)
      try timers.cancel("busy", key: "1", in: writer)
    }
    #expect(try await timers.runDue() == 1)
  }

  private func serve(_ keeping: RequestKeeping, _ database: NotingDatabase) async throws {
    let id = "01890000-0000-7000-8000-00000000000\(keeping == .forever ? 2 : 1)"
    let key = try #require(
      RequestKey(caller: Identifier(rawValue: 7), method: "plan", requestID: id, keeping: keeping))
    for isReplay in [false, true] {
      let found = try await database.write { try $0.once(key, hash: [1], now: clock.now()) { [2] }.isReplay }
      #expect(found == isReplay)
    }
  }

  private func deliver(_ database: NotingDatabase) async throws {
    let outbox = Outbox.patient(database, clock, random)
    outbox.deliver("mine") { _ in }
    try await database.write { try outbox.append("mine", [1], in: $0) }
    #expect(try await outbox.deliverWaiting() == 1)
  }

  private func lease(_ database: NotingDatabase) async throws {
    let leases = Leases(database: database, clock: clock, random: random)
    let lease = try #require(try await leases.acquire("mine", for: .seconds(10)))
    let renewed = try await leases.renew(lease, for: .seconds(10))
    try await leases.write(under: renewed) { _ in }
    try await leases.release(renewed)
    let ownership = Ownership(database: database, clock: clock, random: random, kind: "city", node: 1)
    #expect(try await ownership.round(["a", "b"]).count == 2)
    try await ownership.releaseAll()
    _ = try await LeaseSweep(clock: clock).step(database)
  }

  /// A further page of a list that is known.
  private func search(_ database: NotingDatabase) async throws {
    let query = SearchQuery("lamp")
    let first = try await database.database.read { try index.search(query, pageSize: 20, in: $0) }
    let before = database.count
    let second = try await database.read { try index.search(query, pageSize: 20, after: first.next, in: $0) }
    #expect(second.hits.count == 20 && Set((first.hits + second.hits).map(\.id)).count == 40)
    #expect(database.count == before + 1)
    // What a node does beside that has not made the list, and in the background.
    _ = try await database.read { [now = clock.now()] in try index.past(at: now, $0) }
    #expect(try await index.forgetPast(database) == false)
  }

  private func publish(_ database: NotingDatabase) async throws {
    let hub = TopicHub(database: database, clock: clock, key: SecretKey([UInt8](repeating: 1, count: 32)))
    try await database.write { _ = try hub.publish(Self.busyTopic, [1], in: $0) }
    let subscription = try await hub.subscribe(Self.busyTopic, after: 0)
    #expect(try await subscription.next().sequence == 1)
    hub.close()
  }
}
