import Base
import Foundation
import Storage
import StorageSQLite
import Testing

@Suite struct SQLiteDatabaseTests {
  /// A directory that goes away at the end of the test, with a database in it.
  private func withDirectory(_ body: (String) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-test-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    try await body(directory.appending(path: "data/octet.db").path)
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

  private func count(_ database: SQLiteDatabase) async throws -> Int? {
    try await database.read { try $0.first("SELECT count(*) FROM samples") { $0[0] } }
  }

  @Test(arguments: [
    ("synchronous", "2"), ("journal_mode", "wal"), ("page_size", "4096"), ("foreign_keys", "1"),
    ("wal_autocheckpoint", "0"), ("mmap_size", "0"), ("cache_size", "-262144"), ("secure_delete", "1"),
  ])
  func `the writer has the settings that durability and speed rest on`(pragma: String, value: String) async throws {
    try await withDirectory { path in
      let database = try await open(path)
      let found = try await database.write { writer in
        try writer.first("PRAGMA \(pragma)") { row in
          pragma == "journal_mode" ? row[0] as String : String(row[0] as Int)
        }
      }
      #expect(found == value)
      await database.close()
    }
  }

  @Test func `what was written is there after closing and opening`() async throws {
    try await withDirectory { path in
      var database = try await open(path)
      try await insert(database, 1)
      await database.close()
      database = try await open(path)
      let rows = try await count(database)
      #expect(rows == 1)
      await database.close()
    }
  }

  @Test func `closing folds the log into the file, which only its owner can read`() async throws {
    try await withDirectory { path in
      let database = try await open(path)
      try await insert(database, 1)
      #expect(FileManager.default.fileExists(atPath: path + "-wal"))
      await database.close()
      #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
  }

  @Test func `a second process is turned away`() async throws {
    try await withDirectory { path in
      let database = try await open(path)
      let error = await storageError { try await open(path) }
      #expect(error?.code == .inUse)
      await database.close()
      await (try open(path)).close()
    }
  }

  @Test func `a place where nothing can be created is reported`() async throws {
    let error = await storageError { try await open("/proc/octet/octet.db") }
    #expect(error?.code == .cannotOpen)
  }

  @Test func `a file that is no database is reported as corrupt`() async throws {
    try await withDirectory { path in
      await (try open(path)).close()
      try Data(repeating: 0x55, count: 8192).write(to: URL(filePath: path))
      let error = await storageError { try await open(path) }
      #expect(error?.code == .corrupt)
    }
  }

  @Test func `damage is found on start after a crash`() async throws {
    try await withDirectory { path in
      let database = try await open(path)
      for id in 1...100 { try await insert(database, id, bytes: 1000) }
      await database.close()
      var file = try Data(contentsOf: URL(filePath: path))
      let middle = file.count / 4096 / 2 * 4096
      file.replaceSubrange(middle..<(middle + 4096), with: Data(repeating: 0xaa, count: 4096))
      try file.write(to: URL(filePath: path))
      // A log that was left behind is the mark of a crash.
      try Data(repeating: 0, count: 32).write(to: URL(filePath: path + "-wal"))
      let error = await storageError { try await open(path) }
      #expect(error?.code == .corrupt)
    }
  }

  @Test func `a full disk fails the transaction that needs the room, and nothing else`() async throws {
    try await withDirectory { path in
      let database = try await open(path)
      try await insert(database, 1)
      let limit = try await database.write { writer in
        try writer.first("PRAGMA max_page_count = 60") { $0[0] as Int }
      }
      #expect(limit == 60)
      let outcomes = await withTaskGroup(of: (Int, StorageError.Code?).self) { group in
        for id in 2...21 {
          group.addTask {
            do {
              try await insert(database, id, bytes: id % 5 == 0 ? 1_000_000 : 10)
              return (id, nil)
            } catch let error as StorageError {
              return (id, error.code)
            } catch {
              return (id, .engine)
            }
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      for (id, code) in outcomes {
        #expect(code == (id % 5 == 0 ? .diskFull : nil))
      }
      let rows = try await count(database)
      #expect(rows == 17)
      // Room is made: all goes on.
      _ = try await database.write { try $0.first("PRAGMA max_page_count = 100000") { $0[0] as Int } }
      try await insert(database, 100, bytes: 1_000_000)
      await database.close()
    }
  }

  @Test func `if the commit fails, nothing is acknowledged and no action runs`() async throws {
    let deferred = Migration(
      "deferred", 1, "a constraint that is checked at the commit",
      sql: """
        CREATE TABLE parents (id INTEGER PRIMARY KEY);
        CREATE TABLE children (id INTEGER PRIMARY KEY,
          parent INTEGER NOT NULL REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
        """)
    let database = try await SQLiteDatabase.openTemporary(migrations: [deferred], clock: ManualClock())
    let actions = Locked<[Int]>([])
    let failed: [Int] = await withTaskGroup(of: Int?.self) { group in
      for n in 1...50 {
        group.addTask {
          do {
            try await database.write { writer in
              if n % 10 != 0 { try writer.execute("INSERT INTO parents (id) VALUES ($1)", n) }
              try writer.execute("INSERT INTO children (id, parent) VALUES ($1, $1)", n)
              writer.afterCommit { actions.withLock { $0.append(n) } }
            }
            return nil
          } catch {
            return n
          }
        }
      }
      return await group.reduce(into: [Int]()) { failed, n in if let n { failed.append(n) } }
    }
    #expect(failed.sorted() == [10, 20, 30, 40, 50])
    #expect(actions.withLock { $0.sorted() } == (1...50).filter { $0 % 10 != 0 })
    let rows: Int? = try await database.read { try $0.first("SELECT count(*) FROM children") { $0[0] } }
    #expect(rows == 45)
    await database.close()
  }

  @Test(.timeLimit(.minutes(60))) func `the log is copied back and starts over while commits go on`() async throws {
    try await withDirectory { path in
      var options = SQLiteOptions()
      options.checkpointPages = 50
      let database = try await open(path, options: options)
      var id = 0
      // Again and again, however many commits it takes until whoever copies has come to an end.
      for _ in 0..<5 {
        let number = try LogFile.number(beside: path)
        while try LogFile.number(beside: path) == number {
          id += 1
          try await insert(database, id, bytes: 20_000)
        }
      }
      let rows = try await count(database)
      #expect(rows == id)
      await database.close()
    }
  }
}
