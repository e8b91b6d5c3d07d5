import Base
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL

/// Limits of time that a role or a URL gives all sessions, and indexes of tables that others write to. A pooler may stand
/// between that gives each transaction another session, and none what it asks for at its start.
@Suite(.timeLimit(.minutes(60))) struct MigrationTimeLimitTests {
  private static let table = Migration("parts", 1, "parts", sql: "CREATE TABLE parts (id INTEGER PRIMARY KEY)")
  private static let index = Migration(
    "parts", 2, "by id", sql: "CREATE INDEX parts_by_id ON parts (unhurried(id))")

  /// Says what a row has in the index, in a session without limits alone.
  private static let unhurried = """
    CREATE FUNCTION unhurried(id BIGINT) RETURNS BIGINT IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
      IF current_setting('statement_timeout') <> '0' OR current_setting('lock_timeout') <> '0' THEN
        RAISE 'the session has limits';
      END IF;
      RETURN id;
    END $$
    """

  /// Makes a database in which every session has these settings, unless it says otherwise.
  private func make(_ name: String, _ settings: [String]) async throws -> PostgreSQLServer {
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE DATABASE \(name)")
    try await server.run(Self.unhurried, database: name)
    for setting in settings { try await server.run("ALTER ROLE octet IN DATABASE \(name) SET \(setting)") }
    return server
  }

  /// A transaction that has run a statement, and ends when it may.
  private struct LongWrite {
    let mayEnd = BlockingQueue<Void>(limit: 1)
    let task: Task<Void, any Error>

    init(_ database: any Database, _ statement: String) async throws {
      let hasBegun = ParkingSpot()
      task = Task { [mayEnd] in
        try await database.write { writer in
          try writer.execute(statement)
          hasBegun.unpark()
          _ = mayEnd.pop(atMost: 1)
        }
      }
      try await hasBegun.park()
    }

    func end() async throws {
      mayEnd.close()
      try await task.value
    }
  }

  /// Whether a statement comes to wait for somebody for hundreds of times the limit of the sessions.
  private func waits(_ statement: String, unless isOver: Locked<Bool>, _ database: any Database) async throws -> Bool {
    let sql = """
      SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND starts_with(query, $1)
        AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > INTERVAL '300 milliseconds'
      """
    while !isOver.withLock({ $0 }) {
      if try await database.read({ try $0.exists(sql, statement) }) { return true }
      await Task.yield()
    }
    return false
  }

  @Test(arguments: [false, true]) func `an index takes the time that it needs, whatever limits sessions are given`(
    isPooled: Bool
  ) async throws {
    let name = isPooled ? "hurried_pooled" : "hurried"
    let limits = ["lock_timeout = 1", "statement_timeout = 600000"]
    let server = try await make(name, ["default_transaction_isolation = 'repeatable read'"] + (isPooled ? limits : []))
    let pooler = isPooled ? try await PgBouncer(before: server, sessions: 4) : nil
    let said = limits.map { "-c%20" + $0.split(separator: " = ").joined(separator: "%3D") }.joined(separator: "%20")
    let url = pooler?.url(name) ?? server.url(name) + "&options=" + said
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (2, 1)
    let old = try await PostgreSQLDatabase.open(
      url: server.url(name), migrations: [Self.table], clock: ManualClock(), options: options)
    let new = try await PostgreSQLDatabase.open(
      url: url, migrations: [Self.table], clock: ManualClock(), options: options)
    try await old.write { try $0.execute("INSERT INTO parts (id) VALUES (1)") }

    // One that the lock on the table has to wait for, and one that the index has to.
    let locks = try await LongWrite(old, "LOCK TABLE parts IN SHARE UPDATE EXCLUSIVE MODE")
    let writes = try await LongWrite(old, "INSERT INTO parts (id) VALUES (2)")
    let isOver = Locked(false)
    let step = Task {
      defer { isOver.withLock { $0 = true } }
      try await Migrator([Self.table, Self.index], clock: ManualClock()).migrate(new)
    }
    #expect(try await waits("LOCK TABLE parts", unless: isOver, old))
    try await locks.end()
    #expect(try await waits("CREATE INDEX CONCURRENTLY parts_by_id", unless: isOver, old))
    try await writes.end()
    try await step.value
    let isValid = "SELECT 1 FROM pg_index WHERE indisvalid AND indexrelid = CAST('parts_by_id' AS regclass)"
    #expect(try await old.read { try $0.exists(isValid) })
    await old.close()
    await new.close()
    await pooler?.stop()
  }

  @Test func `a pooler's session has its limits again after an index, and after one that failed`() async throws {
    let server = try await make("hurried_again", ["statement_timeout = 1234567"])
    let pooler = try await PgBouncer(before: server, sessions: 1)
    try await server.run(
      "CREATE TABLE parts (id BIGINT PRIMARY KEY)", "INSERT INTO parts (id) VALUES (1)", database: "hurried_again")
    let url = pooler.url("hurried_again")
    try await OSThread.run(name: "hurried") {
      let connection = try PostgreSQLConnection(url, .ofTests, isPooled: true, keepsStatements: false)
      func expectLimit() throws {
        var limit = ""
        _ = try connection.run("SHOW statement_timeout", []) { row in
          limit = row.text(0)
          return false
        }
        #expect(limit == "1234567ms")
      }
      try expectLimit()
      try connection.defineAlone("CREATE INDEX CONCURRENTLY parts_by_id ON parts (unhurried(id))")
      try expectLimit()
      var failure: PostgreSQLFailure?
      do throws(PostgreSQLFailure) {
        try connection.defineAlone("CREATE INDEX CONCURRENTLY parts_by_color ON parts (color)")
      } catch { failure = error }
      #expect(failure?.sqlState == "42703")
      try expectLimit()
    }
    await pooler.stop()
  }
}
