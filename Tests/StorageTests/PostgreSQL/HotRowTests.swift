import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// Callers with a connection each who all write the same two rows, half of them the other way round. If their connections
/// go on to fight for the rows, one deadlock follows the other. This server never looks for one, so whoever is in it is
/// refused in the end.
@Suite(.timeLimit(.minutes(60)))
struct HotRowTests {
  private static let callers = 16
  private static let transfers = 50
  /// A transfer that did not get a lock runs again in its turn. Turns are soon so long that nearly all run once: of 800
  /// some 20 run again, some 40 if they come from two nodes.
  private static let mostRuns = callers * transfers * 2

  /// Ends a test that would go on for very long.
  private struct Collapse: Error {}

  /// - Parameter nodes: among which the callers share out.
  @Test(arguments: [1, 2]) func `writers that fight soon take turns, so that little of what they do is in vain`(
    nodes: Int
  ) async throws {
    let server = try await PostgreSQLServer(settings: ["deadlock_timeout=600000"])
    let url = try await server.makeDatabase()
    var options = PostgreSQLOptions.ofTests
    // What ends a deadlock here; long enough for a machine that stands still.
    options.lockTimeout = .seconds(60)
    (options.writers, options.readers) = (Self.callers / nodes, 1)
    var databases: [PostgreSQLDatabase] = []
    do {
      for _ in 0..<nodes {
        databases.append(
          try await PostgreSQLDatabase.open(
            url: url, migrations: [Fixture.accounts], clock: SystemClock(), options: options))
      }
      try await fight(databases)
    } catch {
      Issue.record(error)
    }
    for database in databases { await database.close() }
    await server.stop()
  }

  private func fight(_ databases: [PostgreSQLDatabase]) async throws {
    try await databases[0].write { writer in
      for id in 1...2 {
        try writer.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 1000000)", id, "a\(id)")
      }
    }
    let runs = Locked(0)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for caller in 0..<Self.callers {
        let (debtor, creditor) = caller % 2 == 0 ? (1, 2) : (2, 1)
        // Each node has callers of both ways.
        let database = databases[caller / 2 % databases.count]
        group.addTask {
          for _ in 0..<Self.transfers {
            try await database.write { writer in
              let count = runs.withLock { runs in
                runs += 1
                return runs
              }
              if count > Self.mostRuns { throw Collapse() }
              try writer.execute("UPDATE accounts SET balance = balance - 1 WHERE id = $1", debtor)
              try writer.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", creditor)
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
