import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// How much of a long log is copied by which thread, while commits go on. Each round of the checkpointing thread begins
/// with a sync of the log; commits come in just then.
@Suite(.timeLimit(.minutes(2))) struct CheckpointLimitTests {
  private static let schema = Migration(
    "rows", 1, "rows", sql: "CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, filling BLOB NOT NULL)")
  /// More than the schema takes.
  private static let startingPages = 2000

  /// What the checkpointing thread does, and what is committed meanwhile.
  private final class Watch: Sendable {
    private struct State {
      var rounds = 0
      var database: SQLiteDatabase?
      var disk: FaultDisk?
      /// The most pages of the database file that a sync by a thread found, by the thread's name.
      var synced: [String: Int] = [:]
    }

    private let state = Locked(State())
    private let pagesInRound: @Sendable (Int) -> Int
    let hasCopied = ParkingSpot()

    init(_ pagesInRound: @escaping @Sendable (Int) -> Int) {
      self.pagesInRound = pagesInRound
    }

    var rounds: Int { state.withLock { $0.rounds } }

    func watch(_ database: SQLiteDatabase?, _ disk: FaultDisk? = nil) {
      state.withLock { ($0.database, $0.disk) = (database, disk) }
    }

    /// The most pages that were synced at once by `thread`.
    func synced(by thread: String) -> Int { state.withLock { $0.synced[thread + "\n"] ?? 0 } }

    func willSync(_ path: String) {
      guard let thread = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8) else { return }
      let isLog = path.hasSuffix("-wal")
      if !isLog { noteSync(of: path, by: thread) }
      guard isLog, thread == "sqlite-check\n" else { return }
      let (round, database) = state.withLock { state in
        state.rounds += 1
        return (state.rounds, state.database)
      }
      let pages = pagesInRound(round)
      guard let database, pages > 0 else { return }
      let isCommitted = BlockingQueue<Bool>(limit: 1)
      Task { try isCommitted.push((try? await CheckpointLimitTests.insert(pages, database)) != nil) }
      #expect(isCommitted.pop(atMost: 1) == [true])
    }

    private func noteSync(of path: String, by thread: String) {
      let pages = state.withLock { state in
        let pages = state.disk?.unsynced(path) ?? 0
        state.synced[thread] = max(state.synced[thread] ?? 0, pages)
        return pages
      }
      // Less than a whole piece is synced when a round has copied all there was.
      if pages < SQLiteLimits.checkpointedPagesPerSync, thread == "sqlite-check\n" { hasCopied.unpark() }
    }
  }

  /// Commits a row that takes so many pages, and a few more.
  private static func insert(_ pages: Int, _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      try writer.execute("INSERT INTO rows (filling) VALUES ($1)", [UInt8](repeating: 1, count: pages * 4096))
    }
  }

  private func withDatabase(
    _ watch: Watch, _ body: (SQLiteDatabase) async throws -> Void
  ) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-log-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let disk = FaultDisk(willSync: watch.willSync)
    let system = FaultSystem(name: "log-\(UUID().uuidString)", disk: disk)
    var options = SQLiteOptions()
    options.system = system.name
    options.checkpointPages = Self.startingPages
    let database = try await SQLiteDatabase.open(
      path: directory.appending(path: "octet.db").path, migrations: [Self.schema], clock: ManualClock(),
      options: options)
    watch.watch(database, disk)
    do {
      try await body(database)
    } catch {
      Issue.record(error)
    }
    watch.watch(nil)
    await database.close()
    withExtendedLifetime(system) {}
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
      try await Self.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.rounds == 3)
    }
  }

  @Test func `a remainder of nearly the limit is left to the writer`() async throws {
    // The row has a few pages besides its filling.
    let watch = Watch { $0 == 1 ? SQLiteLimits.checkpointRemainder - 10 : 0 }
    try await withDatabase(watch) { database in
      try await Self.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.rounds == 1)
    }
  }

  @Test func `what the thread has copied is on the disk before the writer copies the rest`() async throws {
    let watch = Watch { $0 == 1 ? SQLiteLimits.checkpointRemainder - 10 : 0 }
    try await withDatabase(watch) { database in
      try await Self.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.synced(by: "sqlite-check") == SQLiteLimits.checkpointedPagesPerSync)
      let left = SQLiteLimits.checkpointRemainder + SQLiteLimits.checkpointedPagesPerSync
      #expect((1...left).contains(watch.synced(by: "sqlite-write")))
    }
  }

  @Test func `under load that it cannot keep up with, the thread ends after so many rounds`() async throws {
    let watch = Watch { $0 <= 3 * SQLiteLimits.checkpointRounds ? 2 * SQLiteLimits.checkpointRemainder : 0 }
    try await withDatabase(watch) { database in
      try await Self.insert(Self.startingPages, database)
      try await awaitCheckpoint(1, of: database)
      #expect(watch.rounds == SQLiteLimits.checkpointRounds)
    }
  }

  @Test func `a log that started over by itself is copied by the thread the next time too`() async throws {
    let watch = Watch { _ in 0 }
    try await withDatabase(watch) { database in
      for number in 1...3 {
        try await Self.insert(Self.startingPages, database)
        try await watch.hasCopied.park()
        // All is copied, so this commit begins at the start of the log.
        for _ in 0..<100 where database.checkpoints < number { try await Self.insert(1, database) }
        #expect(database.checkpoints == number)
        #expect(watch.rounds == number)
      }
    }
  }
}
