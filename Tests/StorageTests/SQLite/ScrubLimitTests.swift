import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// What a scrub does when others write, or the disk fails, while it is under way. It begins with a sync of the log.
@Suite(.timeLimit(.minutes(60))) struct ScrubLimitTests {
  /// More than the tests write: nobody else copies.
  private static let checkpointPages = 20_000

  /// Holds a scrub up at its syncs.
  private final class Watch: Sendable {
    private let database = Locked<SQLiteDatabase?>(nil)
    private let seenLog = Locked<String?>(nil)
    private let heldPages = Locked(0)
    private let atBeginning: @Sendable (SQLiteDatabase) async throws -> Void
    private let atFileSync: @Sendable (SQLiteDatabase) async throws -> Void

    /// - Parameters:
    ///   - atBeginning: done when the scrub has seen how long the log is, and has not copied yet.
    ///   - atFileSync: done whenever it syncs the database file and does not keep writers waiting.
    init(
      atBeginning: @escaping @Sendable (SQLiteDatabase) async throws -> Void,
      atFileSync: @escaping @Sendable (SQLiteDatabase) async throws -> Void = { _ in }
    ) {
      self.atBeginning = atBeginning
      self.atFileSync = atFileSync
    }

    /// How many pages of the file were synced while writers had to wait.
    var held: Int { heldPages.withLock { $0 } }

    /// The path of the log; nil before the scrub has begun.
    var log: String? { seenLog.withLock { $0 } }

    func scrub(_ database: SQLiteDatabase) async throws {
      self.database.withLock { $0 = database }
      defer { self.database.withLock { $0 = nil } }
      try await database.scrub()
    }

    func willSync(_ path: String, _ writes: Int) {
      guard FaultDisk.thread == "sqlite-scrub", let database = database.withLock({ $0 }) else { return }
      if path.hasSuffix("-wal") {
        let isFirst = seenLog.withLock { seenLog in
          defer { seenLog = path }
          return seenLog == nil
        }
        if isFirst { awaiting(atBeginning, database) }
      } else if (try? ForeignTool(path).run("BEGIN IMMEDIATE; ROLLBACK")) == nil {
        heldPages.withLock { $0 += writes }
      } else {
        awaiting(atFileSync, database)
      }
    }

    private func awaiting(
      _ action: @escaping @Sendable (SQLiteDatabase) async throws -> Void, _ database: SQLiteDatabase
    ) {
      let isDone = BlockingQueue<Bool>(limit: 1)
      Task { try isDone.push((try? await action(database)) != nil) }
      #expect(isDone.pop(atMost: 1) == [true])
    }
  }

  @Test func `what comes in during a scrub is copied before commits are held up`() async throws {
    let watch = Watch { database in
      try await LoggedRows.insert(2 * SQLiteLimits.checkpointRemainder, database)
    } atFileSync: { database in
      try await LoggedRows.insert(1, database)
    }
    try await LoggedRows.with(FaultDisk(willSync: watch.willSync), checkpointPages: Self.checkpointPages) { database in
      try await LoggedRows.insert(1, database)
      try await watch.scrub(database)
      // What came in with the last sync has to be copied then.
      #expect((1..<SQLiteLimits.checkpointRemainder).contains(watch.held))
    }
  }

  @Test func `a scrub leaves the log when the disk becomes doubtful meanwhile`() async throws {
    let failing = Locked<FaultDisk?>(nil)
    let watch = Watch { database in
      failing.withLock { $0 }?.fail(.failsOnce)
      await #expect(throws: StorageError.self) { try await LoggedRows.insert(1, database) }
    }
    let disk = FaultDisk(willSync: watch.willSync)
    failing.withLock { $0 = disk }
    try await LoggedRows.with(disk, checkpointPages: Self.checkpointPages) { database in
      try await LoggedRows.insert(1, database)
      let error = await #expect(throws: StorageError.self) { try await watch.scrub(database) }
      #expect(error?.code == .ioFailure && error?.message == database.writeRefusal?.message)
      #expect(SQLiteFiles.size(try #require(watch.log)) > 0)
    }
  }
}
