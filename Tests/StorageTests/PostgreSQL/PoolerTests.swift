import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// A pooler that gives each transaction another session knows no prepared statement, or one of another client.
@Suite struct PoolerTests {
  @Test(arguments: [[], ["options", "extra_float_digits"]])
  func `transactions through pgbouncer survive the change of sessions`(ignored: [String]) async throws {
    let server = try await PostgreSQLServer.common()
    let name = "pooled\(ignored.count)"
    try await server.run("CREATE DATABASE \(name)")
    let pooler = try await PgBouncer(before: server, ignoring: ignored)
    var options = PostgreSQLOptions.ofTests
    // More than the pooler has sessions.
    (options.writers, options.readers) = (4, 4)
    let database = try await PostgreSQLDatabase.open(
      url: pooler.url(name), migrations: Load.migrations, clock: SystemClock(), options: options)
    let load = Load(database, seed: 0)
    load.start()
    try await load.run(callers: 16, numbers: 0..<20)
    try await load.check(callers: 16, writes: 20)
    // What a session would say of its limits, a transaction has to say.
    let timeout: String? = try await database.write { writer in
      try writer.first("SELECT current_setting('statement_timeout')") { $0[0] }
    }
    #expect(timeout == "10min")
    // An index is built outside of a transaction, in whichever session.
    let index = Migration("load", 2, "notes by caller", sql: "CREATE INDEX load_notes_caller ON load_notes (caller)")
    try await Migrator(Load.migrations + [index], clock: SystemClock()).migrate(database)
    let isValid = "SELECT 1 FROM pg_index WHERE indisvalid AND indexrelid = CAST('load_notes_caller' AS regclass)"
    #expect(try await database.read { try $0.exists(isValid) })
    await database.close()
    await pooler.stop()
  }

  /// It refuses start-up parameters as well, but looks after prepared statements as newer ones do.
  @Test func `through a pooler that keeps prepared statements they are kept`() async throws {
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE DATABASE pooled")
    let pooler = try await PgBouncer(before: server, mode: .session, sessions: 4)
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (1, 1)
    let database = try await PostgreSQLDatabase.open(
      url: pooler.url("pooled"), migrations: [], clock: SystemClock(), options: options)
    for _ in 0..<2 {
      // This statement is on the list itself.
      let count: Int? = try await database.read { reader in
        try reader.first("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%pg_prepared%'") { $0[0] }
      }
      #expect(count == 1)
    }
    await database.close()
    await pooler.stop()
  }
}
