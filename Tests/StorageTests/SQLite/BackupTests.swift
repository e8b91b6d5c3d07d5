import Base
import Foundation
import Storage
import StorageSQLite
import Testing

@Suite struct BackupTests {
  private func withDirectory(_ body: (URL) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-backup-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try await body(directory)
  }

  private func open(_ path: String, options: SQLiteOptions = SQLiteOptions()) async throws -> SQLiteDatabase {
    try await SQLiteDatabase.open(
      path: path, migrations: [Fixture.values], clock: ManualClock(), options: options)
  }

  private func insert(_ database: SQLiteDatabase, _ id: Int, bytes: Int = 10) async throws {
    try await database.write {
      try $0.execute("INSERT INTO samples (id, b) VALUES ($1, $2)", id, [UInt8](repeating: 1, count: bytes))
    }
  }

  private func ids(_ path: String) async throws -> [Int] {
    let database = try await open(path)
    let ids: [Int] = try await database.read { try $0.rows("SELECT id FROM samples ORDER BY id") { $0[0] } }
    await database.close()
    return ids
  }

  @Test func `a backup under load has all that was acknowledged before it began, and no gap in what follows`()
    async throws
  {
    try await withDirectory { directory in
      let path = directory.appending(path: "octet.db").path
      let copy = directory.appending(path: "copies/copy.db").path
      var options = SQLiteOptions()
      options.checkpointPages = 100
      let database = try await open(path, options: options)
      // More pages than SQLiteLimits.copiedPagesPerSync, so that the copy is made in several pieces.
      for id in 1...250 { try await insert(database, id, bytes: 20_000) }
      let isDone = Locked(false)
      let last = Locked(250)
      async let load: Void = {
        // One after the other, so that a copy of any moment holds a run from 1.
        while !isDone.withLock({ $0 }) {
          let id = last.withLock { $0 } + 1
          try await insert(database, id, bytes: 5000)
          last.withLock { $0 = id }
        }
      }()
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { isDone.withLock { $0 = true } }
      for round in 0..<5 {
        let acknowledged = last.withLock { $0 }
        let bytes = try await SQLiteBackup.backUp(path, to: copy, replaces: round > 0)
        let copied = directory.appending(path: "\(round)/octet.db").path
        #expect(try await SQLiteBackup.restore(from: copy, to: copied) == bytes)
        let found = try await ids(copied)
        #expect(found.count >= acknowledged)
        #expect(found == Array(1...found.count))
      }
      isDone.withLock { $0 = true }
      try await load
      await database.close()
      #expect(!FileManager.default.fileExists(atPath: copy + "-wal"))
      #expect(!FileManager.default.fileExists(atPath: copy + ".part"))
      let mode = try FileManager.default.attributesOfItem(atPath: copy)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
  }

  @Test func `what a crash left in the log is in the backup`() async throws {
    try await withDirectory { directory in
      let path = directory.appending(path: "octet.db").path
      let crashed = directory.appending(path: "crashed.db").path
      let database = try await open(path)
      for id in 1...20 { try await insert(database, id) }
      for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + suffix, toPath: crashed + suffix) }
      await database.close()
      let copy = directory.appending(path: "copy.db").path
      try await SQLiteBackup.backUp(crashed, to: copy)
      #expect(try await ids(copy) == Array(1...20))
    }
  }

  @Test func `a backup of what a crash left does not keep the next start from looking for damage`() async throws {
    try await withDirectory { directory in
      let path = directory.appending(path: "octet.db").path
      let crashed = directory.appending(path: "crashed.db").path
      var database = try await open(path)
      for id in 1...100 { try await insert(database, id, bytes: 1000) }
      await database.close()
      database = try await open(path)
      try await insert(database, 101)
      for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + suffix, toPath: crashed + suffix) }
      await database.close()
      try await SQLiteBackup.backUp(crashed, to: directory.appending(path: "copy.db").path)
      // Of a page that is not in the log.
      let file = try FileHandle(forUpdating: URL(filePath: crashed))
      let pages = try file.seekToEnd() / 4096
      try file.seek(toOffset: pages / 2 * 4096)
      try file.write(contentsOf: Data(repeating: 0xaa, count: 4096))
      try file.close()
      let error = await storageError { try await open(crashed) }
      #expect(error?.code == .corrupt)
    }
  }

  @Test func `each restore begins another history, a backup none`() async throws {
    try await withDirectory { directory in
      let path = directory.appending(path: "octet.db").path
      func history() async throws -> DatabaseHistory {
        let database = try await SQLiteDatabase.open(
          path: path, migrations: NodeRegistry.migrations, clock: ManualClock())
        let history = try await database.read { try DatabaseHistory.current(in: $0) }
        await database.close()
        return history
      }
      #expect(try await history() == .first)
      let copy = directory.appending(path: "copy.db").path
      try await SQLiteBackup.backUp(path, to: copy)
      var seen = [try await history()]
      #expect(seen == [.first])
      for _ in 0..<2 {
        try await SQLiteBackup.restore(from: copy, to: path, replaces: true)
        seen.append(try await history())
      }
      #expect(seen[1] != .first && seen[2] != .first && seen[1] != seen[2])
      #expect(!FileManager.default.fileExists(atPath: path + ".part-journal"))
    }
  }

  @Test func `neither backup nor restore replaces what is there unless told to`() async throws {
    try await withDirectory { directory in
      let (a, b) = (directory.appending(path: "a.db").path, directory.appending(path: "b.db").path)
      for (path, id) in [(a, 1), (b, 2)] {
        let database = try await open(path)
        try await insert(database, id)
        await database.close()
      }
      #expect(await storageError { try await SQLiteBackup.backUp(a, to: b) }?.code == .alreadyExists)
      #expect(await storageError { try await SQLiteBackup.restore(from: a, to: b) }?.code == .alreadyExists)
      #expect(try await ids(b) == [2])
      try await SQLiteBackup.restore(from: a, to: b, replaces: true)
      #expect(try await ids(b) == [1])
    }
  }

  @Test func `a database in use is neither restored over nor taken for a place of backups`() async throws {
    try await withDirectory { directory in
      let (used, copy) = (directory.appending(path: "used.db").path, directory.appending(path: "copy.db").path)
      let database = try await open(used)
      try await insert(database, 1)
      try await SQLiteBackup.backUp(used, to: copy)
      for replaces in [false, true] {
        let error = await storageError { try await SQLiteBackup.restore(from: copy, to: used, replaces: replaces) }
        #expect(error?.code == .inUse)
      }
      #expect(await storageError { try await SQLiteBackup.backUp(used, to: used, replaces: true) }?.code == .inUse)
      try await insert(database, 2)
      await database.close()
      #expect(try await ids(used) == [1, 2])
    }
  }

  @Test func `the log of a replaced database is not applied to its successor`() async throws {
    try await withDirectory { directory in
      let path = directory.appending(path: "octet.db").path
      let (old, copy) = (directory.appending(path: "old.db").path, directory.appending(path: "copy.db").path)
      let database = try await open(path)
      try await insert(database, 1)
      try await SQLiteBackup.backUp(path, to: copy)
      for id in 2...50 { try await insert(database, id, bytes: 5000) }
      for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + suffix, toPath: old + suffix) }
      await database.close()
      try await SQLiteBackup.restore(from: copy, to: old, replaces: true)
      #expect(try await ids(old) == [1])
    }
  }

  @Test func `a damaged copy, or a database of another program, is not restored`() async throws {
    try await withDirectory { directory in
      let (path, copy) = (directory.appending(path: "octet.db").path, directory.appending(path: "copy.db").path)
      let database = try await open(path)
      for id in 1...100 { try await insert(database, id, bytes: 1000) }
      try await SQLiteBackup.backUp(path, to: copy)
      await database.close()
      var bytes = try Data(contentsOf: URL(filePath: copy))
      let middle = bytes.count / 4096 / 2 * 4096
      bytes.replaceSubrange(middle..<(middle + 4096), with: Data(repeating: 0xaa, count: 4096))
      let damaged = directory.appending(path: "damaged.db")
      try bytes.write(to: damaged)
      let empty = directory.appending(path: "empty.db")
      try Data().write(to: empty)
      let text = directory.appending(path: "text.db")
      try Data(repeating: 0x55, count: 8192).write(to: text)
      for (file, code) in [
        (damaged.path, StorageError.Code.corrupt), (text.path, .corrupt), (empty.path, .schemaMismatch),
        (directory.appending(path: "missing.db").path, .cannotOpen),
      ] {
        let error = await storageError { try await SQLiteBackup.restore(from: file, to: path, replaces: true) }
        #expect(error?.code == code, "\(file)")
      }
      #expect(try await ids(path) == Array(1...100))
      #expect(!FileManager.default.fileExists(atPath: path + ".part"))
    }
  }

  @Test func `two copies to the same file at once do not mix`() async throws {
    try await withDirectory { directory in
      let (path, copy) = (directory.appending(path: "octet.db").path, directory.appending(path: "copy.db").path)
      let database = try await open(path)
      for id in 1...500 { try await insert(database, id, bytes: 5000) }
      let codes = await withTaskGroup(of: StorageError.Code?.self) { group in
        for _ in 0..<4 {
          group.addTask {
            do {
              try await SQLiteBackup.backUp(path, to: copy, replaces: true)
              return nil
            } catch {
              return (error as? StorageError)?.code ?? .engine
            }
          }
        }
        return await group.reduce(into: [StorageError.Code?]()) { $0.append($1) }
      }
      #expect(codes.contains(nil))
      #expect(codes.allSatisfy { $0 == nil || $0 == .inUse })
      await database.close()
      #expect(try await ids(copy) == Array(1...500))
    }
  }
}
