import Base
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL

/// Statements that nobody waits for, on a connection by itself.
@Suite(.timeLimit(.minutes(60))) struct PipelineTests {
  private static let insert = "INSERT INTO samples (id, b) VALUES ($1, $2)"

  /// Runs `body` with a connection in a transaction, and another one that may look on.
  private func withConnections<Outcome: Sendable>(
    _ body: @escaping @Sendable (PostgreSQLConnection, _ other: PostgreSQLConnection) throws -> Outcome
  ) async throws -> Outcome {
    let url = try await PostgreSQLServer.common().makeSchema()
    let database = try await PostgreSQLDatabase.open(
      url: url, migrations: [Fixture.values], clock: ManualClock(), options: .ofTests)
    await database.close()
    return try await OSThread.run(name: "pipeline") {
      func connect() throws -> PostgreSQLConnection {
        try PostgreSQLConnection(url, .ofTests, isPooled: false, keepsStatements: true)
      }
      let (connection, other) = (try connect(), try connect())
      connection.begin(isReadOnly: false)
      return try body(connection, other)
    }
  }

  private static func count(_ connection: PostgreSQLConnection, _ sql: String) throws -> Int {
    var count = 0
    _ = try connection.run(sql, []) { row in
      count = row[0]
      return true
    }
    return count
  }

  /// How many statements can be sent before the failure of the first shows.
  private static func sentAfterFailure(_ connection: PostgreSQLConnection, _ blob: [UInt8]) throws -> Int {
    try connection.queue(insert, [.integer(1), .blob([])], mustChange: false)
    try connection.settle()
    var sent = 0
    do {
      while true {
        sent += 1
        try connection.queue(insert, [.integer(1), .blob(blob)], mustChange: false)
      }
    } catch let failure as PostgreSQLFailure {
      #expect(failure.error.code == .uniqueViolation && failure.isLate)
    }
    return sent
  }

  @Test func `as many statements are sent without an answer as the limit says`() async throws {
    let sent = try await withConnections { connection, _ in try Self.sentAfterFailure(connection, []) }
    #expect(sent == PostgreSQLLimits.queuedStatements)
  }

  @Test func `as much is sent without an answer as the limit says`() async throws {
    let size = PostgreSQLLimits.queuedBytes / 4
    let sent = try await withConnections { connection, _ in
      try Self.sentAfterFailure(connection, [UInt8](repeating: 1, count: size))
    }
    // With the number and an octet at the end, four are above it.
    #expect(sent == 4)
  }

  @Test func `the server begins when enough is sent, though nobody waits`() async throws {
    try await withConnections { connection, other in
      other.begin(isReadOnly: false)
      let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"
      try connection.queue("SELECT pg_advisory_xact_lock(4711)", [], mustChange: false)
      for number in 1..<PostgreSQLLimits.statementsPerFlush {
        #expect(try Self.count(other, held) == 0, "\(number)")
        try connection.queue(Self.insert, [.integer(Int64(number)), .null], mustChange: false)
      }
      while try Self.count(other, held) == 0 {}
    }
  }

  @Test func `what a failure has skipped is not taken for done`() async throws {
    try await withConnections { connection, _ in
      // Both fail; the second text is prepared only after the first has failed, so it is not.
      for _ in 0..<2 {
        try connection.queue("INSERT INTO samples (id) VALUES (1), (1)", [], mustChange: false)
        #expect(throws: PostgreSQLFailure.self) { try Self.count(connection, "SELECT count(*) FROM samples") }
        connection.rollBack()
        connection.begin(isReadOnly: false)
      }
      #expect(try Self.count(connection, "SELECT count(*) FROM samples") == 0)
      // An unmet condition is none of the server's business, so it must not come to the commit.
      try connection.queue(Self.insert, [.integer(1), .null], mustChange: true)
      try connection.queue("UPDATE samples SET i = 1 WHERE id = 2", [], mustChange: true)
      #expect(throws: PostgreSQLFailure.self) { try connection.commit() }
      connection.rollBack()
      connection.begin(isReadOnly: false)
      #expect(try Self.count(connection, "SELECT count(*) FROM samples") == 0)
      // A statement that fails together with the commit leaves no transaction open.
      try connection.queue("INSERT INTO samples (id) VALUES (1), (1)", [], mustChange: false)
      #expect(throws: PostgreSQLFailure.self) { try connection.commit() }
      connection.rollBack()
      connection.begin(isReadOnly: false)
      try connection.queue(Self.insert, [.integer(1), .null], mustChange: true)
      try connection.commit()
      connection.begin(isReadOnly: true)
      #expect(try Self.count(connection, "SELECT count(*) FROM samples") == 1)
      connection.rollBack()
    }
  }
}
