import Base
import Foundation
import Storage
import StorageSQLite
import Testing

/// What lies beside a database that is replaced: it belongs to that one, and goes neither too early nor too late.
@Suite struct RestoreLogTests {
  private let directory = FileManager.default.temporaryDirectory.appending(path: "octet-restore-\(UUID().uuidString)")

  private func path(_ name: String) -> String { directory.appending(path: name).path }

  private func open(_ path: String) async throws -> SQLiteDatabase {
    try await SQLiteDatabase.open(path: path, migrations: [Fixture.values], clock: ManualClock())
  }

  private func insert(_ database: SQLiteDatabase, _ ids: ClosedRange<Int>) async throws {
    try await database.write { writer in
      for id in ids {
        try writer.execute("INSERT INTO samples (id, b) VALUES ($1, $2)", id, [UInt8](repeating: 1, count: 2000))
      }
    }
  }

  private func ids(_ path: String) async throws -> [Int] {
    let database = try await open(path)
    let ids: [Int] = try await database.read { try $0.rows("SELECT id FROM samples ORDER BY id") { $0[0] } }
    await database.close()
    return ids
  }

  /// Calls `body` with a copy that holds 1 and a database of 1...100, most of which is in its log alone.
  private func withLog(_ body: (_ copy: String, _ old: String) async throws -> Void) async throws {
    defer { try? FileManager.default.removeItem(at: directory) }
    let database = try await open(path("octet.db"))
    try await insert(database, 1...1)
    try await SQLiteBackup.backUp(path("octet.db"), to: path("copy.db"))
    try await insert(database, 2...100)
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: path("octet.db") + suffix, toPath: path("old.db") + suffix)
    }
    await database.close()
    try await body(path("copy.db"), path("old.db"))
  }

  @Test func `a log that another program still reads is not thrown away`() async throws {
    try await withLog { copy, old in
      var reader: ForeignTool? = try ForeignTool(old)
      try reader?.run("BEGIN; SELECT count(*) FROM samples")
      let error = await storageError { try await SQLiteBackup.restore(from: copy, to: old, replaces: true) }
      #expect(error?.code == .inUse)
      reader = nil
      #expect(try await ids(old) == Array(1...100))
      try await SQLiteBackup.restore(from: copy, to: old, replaces: true)
      #expect(try await ids(old) == [1])
    }
  }

  @Test func `a database too damaged for its log is replaced`() async throws {
    try await withLog { copy, old in
      try Data(repeating: 0x55, count: 8192).write(to: URL(filePath: old))
      try await SQLiteBackup.restore(from: copy, to: old, replaces: true)
      #expect(try await ids(old) == [1])
    }
  }

  @Test func `a journal of the replaced database is not rolled back into its successor`() async throws {
    try await withLog { copy, old in
      do {
        let crashing = try ForeignTool(old)
        try crashing.run("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN; UPDATE samples SET b = x'00'")
        for suffix in ["", "-journal"] {
          try FileManager.default.copyItem(atPath: old + suffix, toPath: path("crashed.db") + suffix)
        }
      }
      let crashed = path("crashed.db")
      try await SQLiteBackup.restore(from: copy, to: crashed, replaces: true)
      #expect(!FileManager.default.fileExists(atPath: crashed + "-journal"))
      #expect(try await ids(crashed) == [1])
    }
  }
}
