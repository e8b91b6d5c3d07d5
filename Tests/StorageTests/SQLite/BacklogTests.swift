import Base
import Storage
import Testing

@testable import StorageSQLite

/// What a long read has kept in the log, and who copies it once the read has ended.
@Suite(.timeLimit(.minutes(60))) struct BacklogTests {
  /// Whose turn it is when a read ends is a matter of chance.
  private static let reads = 5
  private static let startingPages = 200

  /// The pages that the writer's thread copies into the file at once. A copying begins with a sync of the log, as a commit
  /// ends with one.
  private final class Watch: Sendable {
    private let state = Locked((copied: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func willSync(_ path: String, _ writes: Int) {
      guard path.hasSuffix("-wal"), FaultDisk.thread == "sqlite-write" else { return }
      state.withLock { $0.copied = 0 }
    }

    func willWrite(_ path: String) {
      guard !path.hasSuffix("-wal"), FaultDisk.thread == "sqlite-write" else { return }
      state.withLock { state in
        state.copied += 1
        state.most = max(state.most, state.copied)
      }
    }
  }

  /// Commits four times what the writer may be asked to copy, while a read keeps all of it in the log.
  private func commitDuringRead(_ database: SQLiteDatabase) async throws {
    _ = try await database.duringRead(of: "SELECT count(*) FROM rows") {
      for _ in 0..<4 { try await LoggedRows.insert(SQLiteLimits.checkpointRemainder, database) }
      for _ in 0..<10 { try await LoggedRows.insert(1, database) }
    }
  }

  @Test func `the writer is asked to copy no more than the remainder`() async throws {
    let watch = Watch()
    let disk = FaultDisk(willSync: watch.willSync, willWrite: watch.willWrite)
    try await LoggedRows.with(disk, checkpointPages: Self.startingPages) { database in
      for _ in 0..<Self.reads {
        try await commitDuringRead(database)
        let checkpoints = database.checkpoints
        while database.checkpoints == checkpoints { try await LoggedRows.insert(1, database) }
      }
      #expect(watch.most < SQLiteLimits.checkpointRemainder)
    }
  }
}
