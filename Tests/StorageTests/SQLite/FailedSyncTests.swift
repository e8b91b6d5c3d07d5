import Base
import Foundation
import Storage
import StorageSQLite
import Testing

/// A sync of the database file that fails when a part of the log was copied into it before.
@Suite(.timeLimit(.minutes(2))) struct FailedSyncTests {
  private static let schema = Migration(
    "rows", 1, "rows", sql: "CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, filling BLOB NOT NULL)")

  private static func insert(_ database: SQLiteDatabase, pages: Int = 3) async throws {
    try await database.write { writer in
      try writer.execute("INSERT INTO rows (filling) VALUES ($1)", [UInt8](repeating: 1, count: pages * 4096))
    }
  }

  private func open(_ path: String, _ system: String? = nil) async throws -> SQLiteDatabase {
    var options = SQLiteOptions()
    options.system = system
    options.checkpointPages = 12
    return try await SQLiteDatabase.open(
      path: path, migrations: [Self.schema], clock: ManualClock(), options: options)
  }

  @Test func `the log stays when the file cannot be trusted, and the file is made whole from it`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-sync-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let watched = Locked<SQLiteDatabase?>(nil)
    let acknowledged = Locked(0)
    // A commit just when the copying thread has begun: it then copies what was there before, and not to the end.
    let disk = FaultDisk { path, _ in
      guard path.hasSuffix("-wal"),
        FaultDisk.thread == "sqlite-check",
        let database = watched.withLock({ watched in
          defer { watched = nil }
          return watched
        })
      else { return }
      let isCommitted = BlockingQueue<Bool>(limit: 1)
      Task { try isCommitted.push((try? await Self.insert(database)) != nil) }
      #expect(isCommitted.pop(atMost: 1) == [true])
      acknowledged.withLock { $0 += 1 }
    }
    let system = FaultSystem(name: "sync-\(UUID().uuidString)", disk: disk)
    let database = try await open(path, system.name)
    watched.withLock { $0 = database }
    disk.failSync(of: path)
    let error = await #expect(throws: StorageError.self) {
      while true {
        try await Self.insert(database)
        acknowledged.withLock { $0 += 1 }
      }
    }
    #expect(error?.code == .ioFailure)
    #expect(watched.withLock { $0 } == nil, "the thread has copied a part")
    await database.close()
    withExtendedLifetime(system) {}
    try disk.losePower(SeededRandomSource(seed: 1))

    let again = try await open(path)
    let found = try await again.read { reader in
      (
        try reader.first("PRAGMA integrity_check") { $0[0] as String },
        try reader.first("SELECT count(*) FROM rows") { $0[0] as Int }
      )
    }
    #expect(found.0 == "ok")
    #expect(found.1 == acknowledged.withLock { $0 })
    await again.close()
  }

  @Test func `after a sync that failed nothing more is copied into the file`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-sync-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let syncs = Locked(0)
    let disk = FaultDisk { synced, _ in if synced == path { syncs.withLock { $0 += 1 } } }
    let system = FaultSystem(name: "sync-\(UUID().uuidString)", disk: disk)
    let database = try await open(path, system.name)
    // The log starts over, and nobody copies.
    while database.checkpoints == 0 { try await Self.insert(database) }
    disk.failSync(of: path)
    // The copying thread copies all of this by itself, so the sync that fails is its own.
    try await Self.insert(database, pages: 20)
    while database.writeRefusal == nil { await Task.yield() }
    let before = syncs.withLock { $0 }
    for _ in 0..<10 {
      await #expect(throws: StorageError.self) { try await Self.insert(database) }
    }
    await database.close()
    withExtendedLifetime(system) {}
    #expect(syncs.withLock { $0 } == before)
  }
}
