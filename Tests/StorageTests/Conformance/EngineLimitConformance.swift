import Base
import Glibc
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL
@testable import StorageSQLite

/// How many transactions may wait, share a commit or share a snapshot, on both engines with one thread for each kind.
@Suite(.timeLimit(.minutes(60))) struct EngineLimitConformance {
  /// An engine with its limits.
  struct Bounded: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let waitingWrites: Int
    let waitingReads: Int
    let transactionsPerCommit: Int
    let readsPerSnapshot: Int
    let open: @Sendable () async throws -> any Database
  }

  private static let engines = [
    Bounded(
      testDescription: "SQLite", waitingWrites: SQLiteLimits.waitingWrites, waitingReads: SQLiteLimits.waitingReads,
      transactionsPerCommit: SQLiteLimits.transactionsPerCommit, readsPerSnapshot: SQLiteLimits.readsPerSnapshot
    ) {
      var options = SQLiteOptions()
      options.readers = 1
      return try await SQLiteDatabase.openTemporary(
        migrations: [Fixture.values], clock: ManualClock(), options: options)
    },
    Bounded(
      testDescription: "PostgreSQL", waitingWrites: PostgreSQLLimits.waitingWrites,
      waitingReads: PostgreSQLLimits.waitingReads, transactionsPerCommit: PostgreSQLLimits.transactionsPerCommit,
      readsPerSnapshot: PostgreSQLLimits.readsPerSnapshot
    ) {
      var options = PostgreSQLOptions.ofTests
      (options.writers, options.readers) = (1, 1)
      return try await PostgreSQLDatabase.open(
        url: try await PostgreSQLServer.common().makeSchema(), migrations: [Fixture.values], clock: ManualClock(),
        options: options)
    },
  ]

  private enum Kind: CaseIterable {
    case reads, writes
  }

  /// Runs `body` while the engine's thread of a kind is busy with a transaction that ends when `body` calls its
  /// argument, which it must.
  private func whileBusy<Outcome>(
    _ kind: Kind, of database: any Database, _ body: (_ release: @Sendable () -> Void) async throws -> Outcome
  ) async throws -> Outcome {
    let hasBegun = ParkingSpot()
    let mayEnd = BlockingQueue<Void>(limit: 1)
    async let slow: Void = perform(kind, database) { _ in
      hasBegun.unpark()
      _ = mayEnd.pop(atMost: 1)
    }
    try await hasBegun.park()
    let outcome: Outcome
    do {
      outcome = try await body { mayEnd.close() }
    } catch {
      mayEnd.close()
      throw error
    }
    try await slow
    return outcome
  }

  private func perform(
    _ kind: Kind, _ database: any Database, _ body: @escaping @Sendable (any Reader) throws -> Void
  ) async throws {
    switch kind {
    case .reads: try await database.read { try body($0) }
    case .writes: try await database.write { try body($0) }
    }
  }

  private func waiting(_ kind: Kind, _ database: any Database) -> Int {
    kind == .reads ? database.waiting.reads : database.waiting.writes
  }

  @Test(arguments: engines, Kind.allCases)
  private func `as many wait as the limit says, and those above it are refused at once`(
    engine: Bounded, kind: Kind
  ) async throws {
    let database = try await engine.open()
    let limit = kind == .reads ? engine.waitingReads : engine.waitingWrites
    let above = 5
    let (refused, done) = (Locked(0), Locked(0))
    try await whileBusy(kind, of: database) { release in
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<limit + above {
          group.addTask {
            do {
              try await perform(kind, database) { _ in }
              done.withLock { $0 += 1 }
            } catch {
              #expect((error as? StorageError)?.code == .overloaded)
              #expect((error as? StorageError)?.isTransient == true)
              refused.withLock { $0 += 1 }
            }
          }
        }
        while waiting(kind, database) + refused.withLock({ $0 }) < limit + above { await Task.yield() }
        #expect(waiting(kind, database) == limit)
        release()
      }
    }
    #expect(refused.withLock { $0 } == above)
    #expect(done.withLock { $0 } == limit)
    await database.close()
  }

  @Test(arguments: engines)
  private func `as many transactions share a commit as the limit says`(engine: Bounded) async throws {
    let database = try await engine.open()
    let count = 2 * engine.transactionsPerCommit + 1
    /// How many transactions had been told of their commits when each was run.
    let toldBefore = Locked<[Int]>([])
    let told = Locked(0)
    let end = ContinuousClock.now + .seconds(600)
    try await whileBusy(.writes, of: database) { release in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<count {
          group.addTask {
            try await database.write { writer in
              try writer.execute("INSERT INTO samples (id) VALUES ($1)", number)
              // Those of the commits before may be told beside the writer: the first of a commit waits for them.
              let run = toldBefore.withLock { $0.count }
              let before = run / engine.transactionsPerCommit * engine.transactionsPerCommit
              while told.withLock({ $0 }) < before, ContinuousClock.now < end { sched_yield() }
              toldBefore.withLock { $0.append(told.withLock { $0 }) }
              writer.afterCommit { told.withLock { $0 += 1 } }
            }
          }
        }
        while database.waiting.writes < count { await Task.yield() }
        release()
        try await group.waitForAll()
      }
    }
    let expected = (0..<count).map { $0 / engine.transactionsPerCommit * engine.transactionsPerCommit }
    #expect(toldBefore.withLock { $0 } == expected)
    await database.close()
  }

  @Test(arguments: engines)
  private func `as many reads share a snapshot as the limit says`(engine: Bounded) async throws {
    let database = try await engine.open()
    let count = 2 * engine.readsPerSnapshot + 1
    /// How many rows each read saw. Before it ends, another one is committed.
    let seen = Locked<[Int]>([])
    try await whileBusy(.reads, of: database) { release in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<count {
          group.addTask {
            try await database.read { reader in
              let rows = try reader.first("SELECT count(*) FROM samples") { $0[0] as Int } ?? 0
              let id = seen.withLock { seen in
                seen.append(rows)
                return seen.count
              }
              let isCommitted = BlockingQueue<Bool>(limit: 1)
              Task {
                let changed = try? await database.write { try $0.execute("INSERT INTO samples (id) VALUES ($1)", id) }
                try isCommitted.push(changed == 1)
              }
              #expect(isCommitted.pop(atMost: 1) == [true])
            }
          }
        }
        while database.waiting.reads < count { await Task.yield() }
        release()
        try await group.waitForAll()
      }
    }
    let expected = (0..<count).map { $0 / engine.readsPerSnapshot * engine.readsPerSnapshot }
    #expect(seen.withLock { $0 } == expected)
    await database.close()
  }
}
