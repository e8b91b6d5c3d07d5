import Base
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL

/// Changes of the schema, and those who wait: for a transaction that they share, or for their turn.
@Suite(.timeLimit(.minutes(60))) struct SchemaTurnTests {
  /// A run of a body that came to change the schema.
  private struct Run: Equatable {
    /// How long it waits for a lock, which shows whether it has a turn, and which.
    let lockTimeout: Duration
    let hasChanged: Bool
  }

  private static func lockTimeout(in reader: any Reader) throws -> Duration {
    let sql = "SELECT CAST(setting AS BIGINT) FROM pg_settings WHERE name = 'lock_timeout'"
    return .milliseconds(try #require(try reader.first(sql) { $0[0] as Int }))
  }

  private static func change(_ writer: any Writer, _ runs: Locked<[Run]>) throws {
    let lockTimeout = try lockTimeout(in: writer)
    do {
      try writer.define("CREATE TABLE made (id INTEGER)")
    } catch {
      runs.withLock { $0.append(Run(lockTimeout: lockTimeout, hasChanged: false)) }
      throw error
    }
    runs.withLock { $0.append(Run(lockTimeout: lockTimeout, hasChanged: true)) }
  }

  private static var options: PostgreSQLOptions {
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers, options.statementTimeout) = (1, 1, .seconds(600))
    return options
  }

  private func open(_ url: String) async throws -> PostgreSQLDatabase {
    try await PostgreSQLDatabase.open(
      url: url, migrations: [Fixture.values], clock: ManualClock(), options: Self.options)
  }

  /// - Parameter turn: how long those wait for a lock whose turn the body comes to.
  @Test(arguments: [PostgreSQLLimits.turnLockTimeout, PostgreSQLLimits.nodesTurnLockTimeout])
  func `the schema is not changed in a turn that others wait for`(turn: Duration) async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    let (first, second) = (try await open(url), try await open(url))
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
      // The row does not come, until the body has this turn.
      if try Self.lockTimeout(in: writer) < turn { try writer.execute("UPDATE samples SET i = 2 WHERE id = 1") }
      try Self.change(writer, runs)
    }
    #expect(
      runs.withLock { $0 } == [
        Run(lockTimeout: turn, hasChanged: false), Run(lockTimeout: Self.options.lockTimeout, hasChanged: true),
      ])
    mayEnd.close()
    try await holder
    for database in [first, second] { await database.close() }
  }

  @Test func `a change of the schema that comes with others runs by itself, and has nobody take turns`() async throws {
    let beside = PostgreSQLLimits.batchLockTimeout
    let expected = [Run(lockTimeout: beside, hasChanged: false), Run(lockTimeout: beside, hasChanged: true)]
    // It may meet another test that lengthens the server's catalogues, so the best of some tries counts.
    var found: [Run] = []
    for _ in 0..<20 where found != expected { found = try await runsOfChangeBesideOthers() }
    #expect(found == expected)
  }

  private func runsOfChangeBesideOthers() async throws -> [Run] {
    let database = try await open(try await PostgreSQLServer.common().makeSchema())
    let (isBusy, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    async let earlier: Void = database.write { _ in
      isBusy.unpark()
      _ = mayEnd.pop(atMost: 1)
    }
    // Whatever fails here lets it end.
    defer { mayEnd.close() }
    try await isBusy.park()

    let runs = Locked<[Run]>([])
    async let change: Void = database.write { try Self.change($0, runs) }
    async let other: Void = database.write { try $0.execute("INSERT INTO samples (id, i) VALUES (1, 0)") }
    while database.waiting.writes < 2 { await Task.yield() }
    mayEnd.close()
    _ = try await (earlier, change, other)
    await database.close()
    return runs.withLock { $0 }
  }
}
