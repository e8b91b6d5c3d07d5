import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// Nodes that start while another one changes the schema, and steps that change tables in use.
@Suite(.timeLimit(.minutes(60)))
struct MigrationLockTests {
  /// Takes as long as nobody raises the flag.
  private static let slow = Migration("slow", 1, "waits", sql: "CREATE TABLE slow_done (id INTEGER); SELECT flagged()")

  private static let flag = [
    "CREATE TABLE flags (id BIGINT)",
    """
    CREATE FUNCTION flagged() RETURNS VOID LANGUAGE plpgsql AS $$
    BEGIN WHILE NOT EXISTS (SELECT 1 FROM flags) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$
    """,
  ]

  /// How long a node waits for an answer: shorter than what the nodes have to wait for.
  private static let timeout = Duration.seconds(3)

  /// Two nodes, whose limits are all shorter than what they have to wait for, and somebody who looks on and has none.
  /// - Parameter patience: how long the first node looks for a session when it has lost its own.
  private func withNodes(
    patience: Duration = .seconds(600),
    _ body: (_ first: CountingDatabase, _ second: CountingDatabase, _ watcher: PostgreSQLDatabase) async throws -> Void
  ) async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    let watcher = try await PostgreSQLDatabase.open(url: url, migrations: [], clock: ManualClock(), options: .ofTests)
    try await watcher.write { writer in for statement in Self.flag { try writer.execute(statement) } }
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (1, 1)
    options.lockTimeout = .milliseconds(50)
    options.statementTimeout = Self.timeout
    options.connectionTimeout = Self.timeout
    // The names that the server's list of sessions shows.
    let second = try await openNode("second", url, options)
    options.patience = patience
    // One that makes no other session must not lose its own to a machine that stands still.
    if patience == .zero { options.connectionTimeout = .seconds(600) }
    let first = try await openNode("first", url, options)
    do {
      try await body(CountingDatabase(first), CountingDatabase(second), watcher)
    } catch {
      // Closing waits for a step that nobody lets end any more.
      try? await raiseFlag(watcher)
      for database in [first, second, watcher] { await database.close() }
      throw error
    }
    for database in [first, second, watcher] { await database.close() }
  }

  /// Opens a node with its sessions.
  private func openNode(
    _ name: String, _ url: String, _ options: PostgreSQLOptions
  ) async throws -> PostgreSQLDatabase {
    var options = options
    options.applicationName = name
    let node = try await insist {
      try await PostgreSQLDatabase.open(url: url, migrations: [], clock: ManualClock(), options: options)
    }
    _ = try await insist { try await node.write { try $0.exists("SELECT 1") } }
    return node
  }

  /// Begins a step that ends when the flag is raised: as a task of its own, so that a test which fails does not wait for it.
  /// A node that does not even come to look for the lock begins again.
  private func beginSlowStep(_ node: CountingDatabase) -> Task<Void, any Error> {
    Task {
      try await insist(while: { node.writes == 0 }) {
        try await Migrator([Self.slow], clock: ManualClock()).migrate(node)
      }
    }
  }

  /// The process ID of the session that runs the slow step of a node.
  private func session(of node: String, _ database: any Database) async throws -> Int {
    while true {
      let id: Int? = try await database.read { reader in
        try reader.first(
          """
          SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'SELECT flagged%'
            AND usename = current_user AND state = 'active'
          """, node
        ) { $0[0] }
      }
      if let id { return id }
      await Task.yield()
    }
  }

  private func raiseFlag(_ database: any Database) async throws {
    try await database.write { try $0.execute("INSERT INTO flags (id) VALUES (1)") }
  }

  private func applied(_ database: any Database) async throws -> Int? {
    try await database.read { reader in
      try reader.first("SELECT count(*) FROM octet_migrations WHERE component = 'slow'") { $0[0] }
    }
  }

  @Test func `a node waits for another's step, however long that takes`() async throws {
    try await withNodes { first, second, watcher in
      let slow = beginSlowStep(first)
      _ = try await session(of: "first", watcher)
      let waiting = beginSlowStep(second)
      // Longer than any limit of the two nodes, and than all of them together.
      let end = ContinuousClock.now + Self.timeout * 3
      while second.writes < 25 || .now < end { await Task.yield() }
      try await raiseFlag(watcher)
      try await slow.value
      try await waiting.value
      #expect(try await applied(watcher) == 1)
    }
  }

  @Test func `a node takes over when the one that changed the schema is gone`() async throws {
    try await withNodes(patience: .zero) { first, second, watcher in
      let slow = beginSlowStep(first)
      let session = try await session(of: "first", watcher)
      let waiting = beginSlowStep(second)
      while second.writes < 3 { await Task.yield() }
      let isGone = try await watcher.read { reader in
        try reader.first("SELECT pg_terminate_backend(CAST($1 AS INTEGER))", session) { $0[0] as Bool }
      }
      #expect(isGone == true)
      await #expect(throws: StorageError.self) { try await slow.value }
      _ = try await self.session(of: "second", watcher)
      try await raiseFlag(watcher)
      try await waiting.value
      #expect(try await applied(watcher) == 1)
    }
  }

  @Test func `a node whose steps are all applied does not wait`() async throws {
    try await withNodes { first, second, watcher in
      let slow = beginSlowStep(first)
      _ = try await session(of: "first", watcher)
      try await insist { try await Migrator([], clock: ManualClock()).migrate(second) }
      #expect(second.writes == 0)
      try await raiseFlag(watcher)
      try await slow.value
    }
  }

  @Test func `a step does not keep those waiting who use its table`() async throws {
    try await withNodes { _, second, old in
      let (isReading, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
      async let long: Void = old.read { reader in
        _ = try reader.exists("SELECT 1 FROM flags")
        isReading.unpark()
        _ = mayEnd.pop(atMost: 1)
      }
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { mayEnd.close() }
      try await isReading.park()
      let step = Migration("slow", 1, "a column", sql: "ALTER TABLE flags ADD COLUMN more INTEGER;")
      // So long that its last attempt is far away when the third is over.
      async let change: Void = Migrator([step], clock: ManualClock(), tableWait: .milliseconds(500)).migrate(second)
      // The step has given up and come back.
      while second.writes < 4 { await Task.yield() }
      try await old.write { try $0.execute("INSERT INTO flags (id) VALUES (2)") }
      try mayEnd.push(())
      try await long
      try await change
      #expect(try await applied(old) == 1)

      // If it never gets the table, it says so.
      let held = Task {
        try await old.read { reader in
          _ = try reader.exists("SELECT 1 FROM flags")
          isReading.unpark()
          _ = mayEnd.pop(atMost: 1)
        }
      }
      try await isReading.park()
      let next = Migration("slow", 2, "another", sql: "ALTER TABLE flags ADD COLUMN another INTEGER;")
      let error = await storageError {
        try await Migrator([step, next], clock: ManualClock(), tableWait: .milliseconds(1)).migrate(second)
      }
      #expect(error?.code == .busy)
      try mayEnd.push(())
      try await held.value
    }
  }
}

/// Counts the write transactions that are asked for.
private struct CountingDatabase: PassingDatabase {
  let database: any Database
  private let count = Locked(0)

  init(_ database: any Database) {
    self.database = database
  }

  var writes: Int { count.withLock { $0 } }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    count.withLock { $0 += 1 }
    return try await database.write(body)
  }
}
