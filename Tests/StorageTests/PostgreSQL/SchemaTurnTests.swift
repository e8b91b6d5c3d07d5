import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// Changes of the schema, and the turns that nodes share while they fight for the same rows.
@Suite(.timeLimit(.minutes(10))) struct SchemaTurnTests {
  /// A run of a body that came to change the schema.
  private struct Run: Equatable {
    let isInSharedTurn: Bool
    let hasChanged: Bool
  }

  @Test func `the schema is not changed in a turn that others wait for`() async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    var options = PostgreSQLOptions()
    (options.writers, options.readers, options.statementTimeout) = (1, 1, .seconds(600))
    let (first, second) = (
      try await PostgreSQLDatabase.open(
        url: url, migrations: [Fixture.values], clock: ManualClock(), options: options),
      try await PostgreSQLDatabase.open(
        url: url, migrations: [Fixture.values], clock: ManualClock(), options: options)
    )
    try await first.write { try $0.execute("INSERT INTO samples (id, i) VALUES (1, 0)") }
    let (hasRow, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    async let holder: Void = first.write { writer in
      try writer.execute("UPDATE samples SET i = 1 WHERE id = 1")
      hasRow.unpark()
      _ = mayEnd.pop(atMost: 1)
    }
    // Behind the task, which is waited for when this ends: whatever fails here lets it end.
    defer { mayEnd.close() }
    try await hasRow.park()

    let runs = Locked<[Run]>([])
    try await second.write { writer in
      let isInSharedTurn = try writer.exists(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
      // The row does not come, until the turn is one that nodes share.
      if !isInSharedTurn, runs.withLock({ $0.isEmpty }) {
        try writer.execute("UPDATE samples SET i = 2 WHERE id = 1")
      }
      do {
        try writer.define("CREATE TABLE made (id INTEGER)")
      } catch {
        runs.withLock { $0.append(Run(isInSharedTurn: isInSharedTurn, hasChanged: false)) }
        throw error
      }
      runs.withLock { $0.append(Run(isInSharedTurn: isInSharedTurn, hasChanged: true)) }
    }
    #expect(
      runs.withLock { $0 } == [
        Run(isInSharedTurn: true, hasChanged: false), Run(isInSharedTurn: false, hasChanged: true),
      ])
    mayEnd.close()
    try await holder
    for database in [first, second] { await database.close() }
  }
}
