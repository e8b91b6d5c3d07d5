import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// A server whose commits wait for a synchronous standby, which is not there.
@Suite struct StandbyTests {
  /// Shorter than the waits of this test: a COMMIT must not run into it.
  private static let timeout = Duration.seconds(1)

  @Test(.timeLimit(.minutes(60))) func `what no standby has is neither acknowledged nor replayed`() async throws {
    let server = try await PostgreSQLServer()
    let database = try await PostgreSQLDatabase.open(
      url: try await server.makeDatabase(), migrations: [], clock: SystemClock(), options: .ofTests)
    try await demandStandby(of: server)
    let id = "01890a5d-ac96-774b-bcce-b302099a8057"
    let key = try #require(RequestKey(caller: Identifier(rawValue: 1), method: "octet.test.v1.Test/Do", requestID: id))
    let request: @Sendable () async throws -> (reply: [UInt8], isReplay: Bool) = {
      try await database.write { writer in
        let answer = try writer.once(key, hash: [1], now: Instant(seconds: 0)) { [7] }
        try writer.execute("SET LOCAL statement_timeout = \(Self.timeout.inMilliseconds)")
        return answer
      }
    }

    // A task of its own, so that a test which fails does not wait for its commit.
    let first = Task { try await request() }
    let session = try await waitingSession(in: database, longerThan: Self.timeout * 3)
    try await server.run("SELECT pg_cancel_backend(\(session))")
    do {
      _ = try await first.value
      Issue.record("a commit that only the primary has was acknowledged")
    } catch let error as StorageError {
      #expect(error.code == .outcomeUnknown)
    }
    // It is committed here all the same, and everybody sees it.
    let isThere = try await database.read { try $0.exists("SELECT 1 FROM octet_requests") }
    #expect(isThere)

    let second = Task { try await request() }
    _ = try await waitingSession(in: database, longerThan: .zero)
    try await server.run("ALTER SYSTEM RESET synchronous_standby_names")
    try await server.run("SELECT pg_reload_conf()")
    let (reply, isReplay) = try await second.value
    #expect(reply == [7] && isReplay)
    await database.close()
    await server.stop()
  }

  /// From its return on, commits wait.
  private func demandStandby(of server: PostgreSQLServer) async throws {
    try await server.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    try await server.run("SELECT pg_reload_conf()")
    try await server.wait(until: "current_setting('synchronous_standby_names') = 'nobody'")
    // The checkpointer tells the others that commits wait. It has had the signal before a session knew the setting, and
    // heeds it before a checkpoint that is asked for.
    try await server.run("CHECKPOINT")
  }

  /// The server's process that has waited for a standby for so long.
  private func waitingSession(in database: any Database, longerThan time: Duration) async throws -> Int {
    while true {
      let session: Int? = try await database.read { reader in
        try reader.first(
          """
          SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'
          AND clock_timestamp() - query_start > $1 * interval '1 millisecond'
          """, time.inMilliseconds
        ) { $0[0] }
      }
      if let session { return session }
      await Task.yield()
    }
  }
}
