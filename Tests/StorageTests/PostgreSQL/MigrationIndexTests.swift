import Base
import PostgreSQLServer
import StoragePostgreSQL
import Testing

@testable import Storage

/// Indexes of tables that others write to.
@Suite(.timeLimit(.minutes(60))) struct MigrationIndexTests {
  private static let table = Migration(
    "parts", 1, "parts", sql: "CREATE TABLE parts (id INTEGER PRIMARY KEY, color INTEGER, size INTEGER)")
  private static let indexes = Migration(
    "parts", 2, "by color, by size",
    sql: "CREATE INDEX parts_color ON parts (color) WHERE size IS NULL; CREATE INDEX parts_size ON parts (size)")

  /// A node of the version before, and one that has its steps and no more yet. There is a row.
  private func withNodes(
    writers: Int = 2, _ body: (_ old: PostgreSQLDatabase, _ new: PostgreSQLDatabase) async throws -> Void
  ) async throws {
    // Not one with other tests, whose transactions the server would wait for.
    let url = try await PostgreSQLServer.common().makeDatabase()
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (2, 1)
    let clock = ManualClock()
    let old = try await PostgreSQLDatabase.open(url: url, migrations: [Self.table], clock: clock, options: options)
    // A session that is ended is one that is lost.
    (options.patience, options.writers) = (.seconds(600), writers)
    let new = try await PostgreSQLDatabase.open(url: url, migrations: [Self.table], clock: clock, options: options)
    try await insert(1, old)
    try await body(old, new)
    await old.close()
    await new.close()
  }

  private func insert(_ id: Int, _ database: any Database) async throws {
    try await database.write { try $0.execute("INSERT INTO parts (id, color) VALUES ($1, 7)", id) }
  }

  private func migrate(_ database: any Database) async throws {
    try await Migrator([Self.table, Self.indexes], clock: ManualClock()).migrate(database)
  }

  /// Runs `body` while a transaction has written to the table and is not over; the step waits for that.
  private func besideLongWrite(
    _ old: PostgreSQLDatabase, _ new: PostgreSQLDatabase, _ body: () async throws -> Void
  ) async throws {
    let (hasWritten, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    async let long: Void = old.write { writer in
      try writer.execute("INSERT INTO parts (id, color) VALUES (1000, 7)")
      hasWritten.unpark()
      _ = mayEnd.pop(atMost: 1)
    }
    try await hasWritten.park()
    async let step: Void = migrate(new)
    do {
      try await body()
    } catch {
      try mayEnd.push(())
      throw error
    }
    try mayEnd.push(())
    try await long
    try await step
  }

  /// The process of the server that runs a statement and waits for somebody.
  private func waiting(_ statement: String, _ database: any Database) async throws -> Int {
    while true {
      let id: Int? = try await database.read { reader in
        try reader.first(
          """
          SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND starts_with(query, $1)
          AND wait_event_type = 'Lock'
          """, statement
        ) { $0[0] }
      }
      if let id { return id }
      await Task.yield()
    }
  }

  private func expectIndexes(_ database: any Database, _ names: [String] = ["parts_color", "parts_size"]) async throws {
    let (found, applied, left) = try await database.read { reader in
      let found: [String] = try reader.rows(
        """
        SELECT CAST(c.relname AS TEXT) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE starts_with(CAST(c.relname AS TEXT), 'parts_') AND i.indisvalid AND NOT i.indisprimary ORDER BY 1
        """
      ) { $0[0] }
      let applied: Int? = try reader.first("SELECT count(*) FROM octet_migrations WHERE component = 'parts'") { $0[0] }
      let left: Int? = try reader.first("SELECT count(*) FROM octet_migration_walks") { $0[0] }
      return (found, applied, left)
    }
    #expect(found == names && applied == 2 && left == 0)
  }

  @Test func `others write while an index is built`() async throws {
    try await withNodes { old, new in
      try await besideLongWrite(old, new) {
        _ = try await waiting("CREATE INDEX CONCURRENTLY parts_color", old)
        for id in 2...20 { try await insert(id, old) }
      }
      try await expectIndexes(old)
      let rows: Int? = try await old.read { try $0.first("SELECT count(*) FROM parts") { $0[0] } }
      #expect(rows == 21)
    }
  }

  @Test func `an index that was broken off is built anew`() async throws {
    try await withNodes { old, new in
      try await besideLongWrite(old, new) {
        let builder = try await waiting("CREATE INDEX CONCURRENTLY parts_color", old)
        _ = try await old.read { try $0.exists("SELECT pg_terminate_backend(CAST($1 AS INTEGER))", builder) }
        _ = try await waiting("DROP INDEX CONCURRENTLY parts_color", old)
      }
      try await expectIndexes(old)
    }
  }

  @Test func `a node that takes over waits for the index that the other's server process still builds`() async throws {
    try await withNodes { old, new in
      var other: Task<Void, any Error>?
      try await besideLongWrite(old, new) {
        _ = try await waiting("CREATE INDEX CONCURRENTLY parts_color", old)
        // The session that holds the lock on the schema; the one that builds goes on.
        _ = try await old.read { reader in
          try reader.exists(
            """
            SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.locktype = 'advisory'
            """)
        }
        other = Task { try await migrate(old) }
        _ = try await waiting("LOCK TABLE parts IN SHARE UPDATE EXCLUSIVE", new)
      }
      try await other?.value
      try await expectIndexes(old)
    }
  }

  @Test func `an index that is asked for together with other writes is built when they are done`() async throws {
    try await withNodes(writers: 1) { old, new in
      let (isBusy, mayEnd, runs) = (ParkingSpot(), BlockingQueue<Void>(limit: 1), Locked(0))
      async let first: Void = new.write { _ in
        isBusy.unpark()
        _ = mayEnd.pop(atMost: 1)
      }
      try await isBusy.park()
      async let index: Void = new.write { writer in
        runs.withLock { $0 += 1 }
        let color = NewIndex("CREATE INDEX parts_color ON parts (color)")
        if let color, let builder = writer as? any IndexBuilding { try builder.buildIndex(color) }
      }
      async let row: Void = insert(2, new)
      // These two share a transaction at first, for which the index would wait.
      while new.waiting.writes < 2 { await Task.yield() }
      try mayEnd.push(())
      _ = try await (first, index, row)
      #expect(runs.withLock { $0 } > 1)
      let isValid = "SELECT 1 FROM pg_index WHERE indisvalid AND indexrelid = CAST('parts_color' AS regclass)"
      #expect(try await old.read { try $0.exists(isValid) && $0.exists("SELECT 1 FROM parts WHERE id = 2") })
    }
  }

  @Test func `an index that was made by hand is taken for the step's`() async throws {
    try await withNodes { old, new in
      let oid = "SELECT CAST(oid AS BIGINT) FROM pg_class WHERE relname = 'parts_color'"
      let made: Int? = try await old.write { writer in
        try writer.execute("CREATE INDEX parts_color ON parts (color)")
        return try writer.first(oid) { $0[0] }
      }
      try await migrate(new)
      try await expectIndexes(old)
      #expect(try await old.read { try $0.first(oid) { $0[0] as Int } } == made)
    }
  }
}
