import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// What a long read has kept in the log, and who copies it once the read has ended.
@Suite(.timeLimit(.minutes(2))) struct BacklogTests {
  private static let schema = Migration(
    "rows", 1, "rows", sql: "CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, filling BLOB NOT NULL)")
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

  private func insert(_ pages: Int, _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      try writer.execute("INSERT INTO rows (filling) VALUES ($1)", [UInt8](repeating: 1, count: pages * 4096))
    }
  }

  /// Commits four times what the writer may be asked to copy, while a read keeps all of it in the log.
  private func commitDuringRead(_ database: SQLiteDatabase) async throws {
    let (hasBegun, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    async let reading: Int? = database.read { reader in
      let count: Int? = try reader.first("SELECT count(*) FROM rows") { $0[0] }
      hasBegun.unpark()
      _ = mayEnd.pop(atMost: 1)
      return count
    }
    try await hasBegun.park()
    defer { try? mayEnd.push(()) }
    for _ in 0..<4 { try await insert(SQLiteLimits.checkpointRemainder, database) }
    for _ in 0..<10 { try await insert(1, database) }
    try mayEnd.push(())
    _ = try await reading
  }

  @Test func `the writer is asked to copy no more than the remainder`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-backlog-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let watch = Watch()
    let disk = FaultDisk(willSync: watch.willSync, willWrite: watch.willWrite)
    let system = FaultSystem(name: "backlog-\(UUID().uuidString)", disk: disk)
    var options = SQLiteOptions()
    options.system = system.name
    options.checkpointPages = Self.startingPages
    let database = try await SQLiteDatabase.open(
      path: directory.appending(path: "octet.db").path, migrations: [Self.schema], clock: ManualClock(),
      options: options)
    do {
      for _ in 0..<Self.reads {
        try await commitDuringRead(database)
        let checkpoints = database.checkpoints
        while database.checkpoints == checkpoints { try await insert(1, database) }
      }
    } catch {
      Issue.record(error)
    }
    #expect(watch.most < SQLiteLimits.checkpointRemainder)
    await database.close()
    withExtendedLifetime(system) {}
  }
}
