import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// What the server is told of a session's settings, by the engine and by the operator's URL.
@Suite struct SessionOptionsTests {
  private static let names = [
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "work_mem", "search_path",
  ]

  /// The settings that sessions have under this URL.
  private func settings(_ url: String) async throws -> [String: String] {
    // Makes the tables, in which a lock may be met: who has met one waits longer for the next.
    await (try PostgreSQLDatabase.open(url: url, migrations: [], clock: ManualClock(), options: .ofTests)).close()
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (1, 1)
    options.statementTimeout = .seconds(614)
    options.lockTimeout = .seconds(604)
    let database = try await PostgreSQLDatabase.open(
      url: url, migrations: [], clock: ManualClock(), options: options)
    var written = try await database.write { try Self.settings(in: $0) }
    let read = try await database.read { try Self.settings(in: $0) }
    await database.close()
    // A batch gives up waiting for a lock much earlier.
    #expect(written.removeValue(forKey: "lock_timeout") == "30ms")
    #expect(written == read.filter { $0.key != "lock_timeout" })
    return read
  }

  private static func settings(in reader: any Reader) throws -> [String: String] {
    try names.reduce(into: [:]) { settings, name in settings[name] = try reader.first("SHOW \(name)") { $0.text(0) } }
  }

  @Test func `without options in the URL the engine's limits hold`() async throws {
    let found = try await settings(try await PostgreSQLServer.common().makeSchema())
    #expect(found["statement_timeout"] == "614s")
    #expect(found["lock_timeout"] == "604s")
    #expect(found["idle_in_transaction_session_timeout"] == "614s")
  }

  @Test func `options in the URL come beside the engine's limits, and go before the one that they name`() async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    let usual = try await settings(url)
    let found = try await settings(url + "&options=-c%20work_mem%3D5MB%20-c%20lock_timeout%3D7s")
    #expect(found["work_mem"] == "5MB")
    #expect(found["lock_timeout"] == "7s")
    for name in ["statement_timeout", "idle_in_transaction_session_timeout", "search_path"] {
      #expect(found[name] == usual[name], "\(name)")
    }
  }

  @Test func `transactions are isolated as the engine wants it, whatever the database has for others`() async throws {
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE DATABASE isolated")
    try await server.run("ALTER DATABASE isolated SET default_transaction_isolation = 'serializable'")
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (1, 1)
    let database = try await PostgreSQLDatabase.open(
      url: server.url("isolated"), migrations: [], clock: ManualClock(), options: options)
    let isolation = "SHOW transaction_isolation"
    #expect(try await database.write { try $0.first(isolation) { $0.text(0) } } == "read committed")
    #expect(try await database.read { try $0.first(isolation) { $0.text(0) } } == "repeatable read")
    await database.close()
  }

  @Test func `options may hold what a URL and a command line set apart`() async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    let found = try await settings(url + "&options=--search_path%3D%22a%5C%20b%22%2Cpublic")
    #expect(found["search_path"] == #""a b",public"#)
    #expect(found["statement_timeout"] == "614s")
  }
}
