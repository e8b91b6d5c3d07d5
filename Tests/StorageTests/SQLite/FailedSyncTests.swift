import Base
import Storage
import StorageSQLite
import Testing

/// A sync of the database file that fails when a part of the log was copied into it before.
@Suite(.timeLimit(.minutes(60))) struct FailedSyncTests {
  private static let startingPages = 12
  private static let pages = 3

  @Test func `the log stays when the file cannot be trusted, and the file is made whole from it`() async throws {
    try await LoggedRows.withPath { path in
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
        Task { try isCommitted.push((try? await LoggedRows.insert(Self.pages, database)) != nil) }
        #expect(isCommitted.pop(atMost: 1) == [true])
        acknowledged.withLock { $0 += 1 }
      }
      try await LoggedRows.with(disk, at: path, checkpointPages: Self.startingPages) { database in
        watched.withLock { $0 = database }
        disk.failSync(of: path)
        let error = await #expect(throws: StorageError.self) {
          while true {
            try await LoggedRows.insert(Self.pages, database)
            acknowledged.withLock { $0 += 1 }
          }
        }
        #expect(error?.code == .ioFailure)
        #expect(watched.withLock { $0 } == nil, "the thread has copied a part")
      }
      try disk.losePower(SeededRandomSource(seed: 1))

      let again = try await LoggedRows.open(path)
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
  }

  @Test func `after a sync that failed nothing more is copied into the file`() async throws {
    try await LoggedRows.withPath { path in
      let (syncs, syncsBefore) = (Locked(0), Locked(0))
      let disk = FaultDisk { synced, _ in if synced == path { syncs.withLock { $0 += 1 } } }
      try await LoggedRows.with(disk, at: path, checkpointPages: Self.startingPages) { database in
        // The log starts over.
        while database.checkpoints == 0 { try await LoggedRows.insert(Self.pages, database) }
        // The copying thread may still be at it, so nobody knows which of its syncs this will be.
        disk.failSync(of: path, by: "sqlite-check")
        while database.writeRefusal == nil { try? await LoggedRows.insert(20, database) }
        syncsBefore.withLock { $0 = syncs.withLock { $0 } }
        for _ in 0..<10 {
          await #expect(throws: StorageError.self) { try await LoggedRows.insert(Self.pages, database) }
        }
      }
      // Closing it has copied nothing either.
      #expect(syncs.withLock { $0 } == syncsBefore.withLock { $0 })
    }
  }
}
