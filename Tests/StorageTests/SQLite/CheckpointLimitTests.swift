import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// How much of a long log is copied and synced by which thread, while commits go on. Each round of the checkpointing
/// thread begins with a sync of the log; commits come in just then.
@Suite(.timeLimit(.minutes(60))) struct CheckpointLimitTests {
  private static let startingPages = 2000

  /// What the checkpointing thread does, and what is committed meanwhile.
  private final class Watch: Sendable {
    private struct State {
      var rounds = 0
      var database: SQLiteDatabase?
      /// The most pages of the database file that a sync by a thread found, by the thread's name.
      var synced: [String: Int] = [:]
    }

    private let state = Locked(State())
    private let pagesInRound: @Sendable (Int) -> Int
    /// All that the log holds is in the file.
    let hasCopied = ParkingSpot()
    /// The checkpointing thread has come to the end of a round.
    let syncs = ParkingSpot()

    init(_ pagesInRound: @escaping @Sendable (Int) -> Int) {
      self.pagesInRound = pagesInRound
    }

    var rounds: Int { state.withLock { $0.rounds } }

    /// The most pages that were synced at once by `thread`.
    func synced(by thread: String) -> Int { state.withLock { $0.synced[thread] ?? 0 } }

    func watch(_ database: SQLiteDatabase?) { state.withLock { $0.database = database } }

    func willSync(_ path: String, _ writes: Int) {
      let (isLog, thread) = (path.hasSuffix("-wal"), FaultDisk.thread)
      if !isLog {
        state.withLock { state in
          if state.database != nil { state.synced[thread] = max(state.synced[thread] ?? 0, writes) }
        }
      }
      guard thread == "sqlite-check" else { return }
      // The file itself is synced piece by piece, within a round that has copied all there was, and after each round.
      guard isLog else {
        if writes < SQLiteLimits.checkpointedPagesPerSync { syncs.unpark() }
        if writes == 0 { hasCopied.unpark() }
        return
      }
      let (round, database) = state.withLock { state in
        state.rounds += 1
        return (state.rounds, state.database)
      }
      let pages = pagesInRound(round)
      guard let database, pages > 0 else { return }
      let isCommitted = BlockingQueue<Bool>(limit: 1)
      Task {
        let isThere = (try? await LoggedRows.insert(pages, database)) != nil
        // The writer comes to the next one when it has told how long the log is by now.
        try? await database.write { _ in }
        try isCommitted.push(isThere)
      }
      #expect(isCommitted.pop(atMost: 1) == [true])
    }
  }

  private func withDatabase(
    _ watch: Watch, _ body: (SQLiteDatabase) async throws -> Void
  ) async throws {
    try await LoggedRows.with(FaultDisk(willSync: watch.willSync), checkpointPages: Self.startingPages) { database in
      watch.watch(database)
      defer { watch.watch(nil) }
      try await body(database)
    }
  }

  /// Gives the writer its turn, without a page of its own, until the log has been copied to its end.
  private func awaitCheckpoint(_ number: Int, of database: SQLiteDatabase) async throws {
    while database.checkpoints < number { try await database.write { _ in } }
  }

  @Test func `the checkpointing thread copies until less than the remainder is left to the writer`() async throws {
    let watch = Watch {
      [2 * SQLiteLimits.checkpointRemainder, SQLiteLimits.checkpointRemainder + 10, 10, 0][min($0, 4) - 1]
    }
    try await withDatabase(watch) { database in
      try await LoggedRows.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.rounds == 3)
    }
  }

  @Test func `a remainder of nearly the limit is left to the writer`() async throws {
    // The row has a few pages besides its filling.
    let watch = Watch { $0 == 1 ? SQLiteLimits.checkpointRemainder - 10 : 0 }
    try await withDatabase(watch) { database in
      try await LoggedRows.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.rounds == 1)
      #expect(watch.synced(by: "sqlite-check") == SQLiteLimits.checkpointedPagesPerSync)
      #expect((1..<SQLiteLimits.checkpointRemainder).contains(watch.synced(by: "sqlite-write")))
    }
  }

  @Test func `the thread goes on as long as it gains, and syncs what it has copied`() async throws {
    // More than ends it when it gains nothing.
    let rounds = SQLiteLimits.checkpointRounds + 3
    let watch = Watch { $0 < rounds ? Int(Double(Self.startingPages) * pow(0.85, Double($0))) : 0 }
    try await withDatabase(watch) { database in
      try await LoggedRows.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.rounds == rounds && database.outrunCheckpoints == 0)
      #expect(watch.synced(by: "sqlite-write") < SQLiteLimits.checkpointRemainder)
    }
  }

  @Test func `under load that it cannot keep up with, the thread ends after so many rounds, and the writer helps`()
    async throws
  {
    let watch = Watch { $0 <= 3 * SQLiteLimits.checkpointRounds ? 2 * SQLiteLimits.checkpointRemainder : 0 }
    try await withDatabase(watch) { database in
      try await LoggedRows.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      // The first one copies what was there before the load, and gains.
      #expect(watch.rounds == 1 + SQLiteLimits.checkpointRounds)
      // What came in during the last round; a row has a few pages besides its filling.
      #expect(watch.synced(by: "sqlite-write") < 2 * SQLiteLimits.checkpointRemainder + 20)
      #expect(database.outrunCheckpoints == 1)
    }
  }

  @Test func `a large commit after the thread has ended is not the writer's to copy`() async throws {
    let watch = Watch { $0 == 1 ? 10 : 0 }
    try await withDatabase(watch) { database in
      try await LoggedRows.insert(Self.startingPages, database)
      try await watch.syncs.park()
      try await LoggedRows.insert(2 * SQLiteLimits.checkpointRemainder, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.synced(by: "sqlite-write") < SQLiteLimits.checkpointRemainder)
    }
  }

  @Test func `a log that started over by itself is copied by the thread the next time too`() async throws {
    let watch = Watch { _ in 0 }
    try await withDatabase(watch) { database in
      for number in 1...3 {
        try await LoggedRows.insert(Self.startingPages, database)
        try await watch.hasCopied.park()
        // All is copied, so this commit begins at the start of the log.
        try await LoggedRows.insert(1, database)
        try await awaitCheckpoint(number, of: database)
        #expect(database.checkpoints == number)
        #expect(watch.rounds == number)
      }
    }
  }
}
