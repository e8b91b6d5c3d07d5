import Base
import Storage
import Testing

@testable import StorageSQLite

/// The limits of the SQLite engine alone; those that both engines have are in `EngineLimitConformance`.
@Suite struct SQLiteLimitTests {
  private struct Refused: Error, Equatable {}

  private func withDatabase(_ body: (SQLiteDatabase) async throws -> Void) async throws {
    let database = try await SQLiteDatabase.openTemporary(migrations: [Fixture.values], clock: ManualClock())
    do {
      try await body(database)
    } catch {
      Issue.record(error)
    }
    await database.close()
  }

  @Test func `a body that asks to be run again is run as often as the limit says, after the run without a savepoint`()
    async throws
  {
    try await withDatabase { database in
      let runs = Locked(0)
      let error = await storageError {
        try await database.write { _ in
          runs.withLock { $0 += 1 }
          throw RetryTransaction()
        }
      }
      #expect(error?.code == .conflict)
      #expect(runs.withLock { $0 } == 1 + SQLiteLimits.attempts)
    }
  }

  @Test func `after a batch that had to be run again, so many have savepoints from the start`() async throws {
    try await withDatabase { database in
      /// How often the body of a transaction that fails after it has written is run.
      func runsOfFailing() async -> Int {
        let runs = Locked(0)
        await #expect(throws: Refused()) {
          try await database.write { writer in
            runs.withLock { $0 += 1 }
            try writer.execute("INSERT INTO samples (id) VALUES (0)")
            throw Refused()
          }
        }
        return runs.withLock { $0 }
      }
      func succeed(_ times: Int) async throws {
        // Each waits for the one before, so each is a batch.
        for _ in 0..<times { try await database.write { try $0.execute("INSERT INTO samples (i) VALUES (1)") } }
      }
      #expect(await runsOfFailing() == 2)
      try await succeed(SQLiteLimits.cautiousBatches - 1)
      // The last of the cautious ones.
      #expect(await runsOfFailing() == 1)
      #expect(await runsOfFailing() == 2)
      try await succeed(SQLiteLimits.cautiousBatches)
      #expect(await runsOfFailing() == 2)
    }
  }
}
