import Base
import Foundation
import Storage
import StorageSQLite
import Testing

@Suite struct ScrubTests {
  private static let table = Migration(
    "test", 1, "people", sql: "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, filler BLOB NOT NULL);")

  private func withDatabase(
    _ options: SQLiteOptions = SQLiteOptions(), _ body: (String, SQLiteDatabase) async throws -> Void
  ) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-scrub-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let database = try await SQLiteDatabase.open(
      path: path, migrations: [Self.table], clock: ManualClock(), options: options)
    do {
      try await body(path, database)
    } catch {
      await database.close()
      throw error
    }
    await database.close()
  }

  private func name(_ id: Int) -> String { "person \(id + 100_000) of the town" }

  private func insert(_ ids: [Int], _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      for id in ids {
        try writer.execute(
          "INSERT INTO people (id, name, filler) VALUES ($1, $2, $3)", id, name(id),
          [UInt8](repeating: 7, count: 20 + id * 37 % 300))
      }
    }
  }

  /// Whose names are in the database's files.
  private func found(_ ids: [Int], _ path: String) -> [Int] {
    let bytes = [path, path + "-wal"].reduce(into: Data()) { bytes, path in
      bytes += (try? Data(contentsOf: URL(filePath: path))) ?? Data()
    }
    return ids.filter { bytes.range(of: Data(name($0).utf8)) != nil }
  }

  @Test func `a scrub leaves nothing of deleted rows, in the file or in the log`() async throws {
    try await withDatabase { path, database in
      let ids = Array(0..<20)
      try await insert(ids, database)
      try await database.scrub()
      #expect(found(ids, path) == ids)
      _ = try await database.write { try $0.execute("DELETE FROM people WHERE id < 10") }
      _ = try await database.write { try $0.execute("UPDATE people SET name = '' WHERE id >= 10 AND id < 15") }
      try await database.scrub()
      #expect(found(ids, path) == Array(15..<20))
      let left: Int? = try await database.read { reader in
        try reader.first("SELECT COUNT(*) FROM people WHERE name <> ''") { $0[0] }
      }
      #expect(left == 5)
    }
  }

  @Test func `scrubs and commits do not keep each other from their work`() async throws {
    try await withDatabase { _, database in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for start in 0..<20 {
          group.addTask { try await insert(Array(start * 50..<start * 50 + 50), database) }
          group.addTask { try await database.scrub() }
          group.addTask { _ = try await database.read { try $0.first("SELECT COUNT(*) FROM people") { $0[0] as Int } } }
        }
        try await group.waitForAll()
      }
      let count: Int? = try await database.read { try $0.first("SELECT COUNT(*) FROM people") { $0[0] } }
      #expect(count == 1000)
      #expect(database.writeRefusal == nil)
    }
  }

  @Test func `a scrub that waits for a read does not keep commits waiting`() async throws {
    var options = SQLiteOptions()
    // Who waits for a lock waits far longer than a busy machine takes for a commit.
    options.busyMilliseconds = 60_000
    try await withDatabase(options) { path, database in
      try await insert([0, 1, 2], database)
      let (count, (slowest, scrubbing)) = try await database.duringRead(of: "SELECT COUNT(*) FROM people") {
        let scrubbing = Task {
          _ = try await database.write { try $0.execute("DELETE FROM people WHERE id < 2") }
          try await database.scrub()
        }
        return (try await slowestInsert(database), scrubbing)
      }
      #expect(count == 3)
      try await scrubbing.value
      #expect(slowest < .milliseconds(options.busyMilliseconds / 2), "less than the waits for a lock")
      #expect(found([0, 1, 2], path) == [2])
    }
  }

  /// Inserts rows for a second, in which what goes on beside has begun.
  private func slowestInsert(_ database: SQLiteDatabase) async throws -> Duration {
    let clock = ContinuousClock()
    let start = clock.now
    var (slowest, id) = (Duration.zero, 10)
    while clock.now - start < .seconds(1) {
      slowest = max(slowest, try await clock.measure { try await insert([id], database) })
      id += 1
    }
    return slowest
  }

  @Test func `a database that is written anew keeps its rows, and nothing of the others where pages were split`()
    async throws
  {
    try await withDatabase { path, database in
      var random = SystemRandomNumberGenerator()
      let ids = Array(0..<2000).shuffled(using: &random)
      for start in stride(from: 0, to: 2000, by: 100) {
        try await insert(Array(ids[start..<start + 100]), database)
      }
      let gone = Array(ids[..<500])
      try await database.write { writer in
        for id in gone { try writer.execute("DELETE FROM people WHERE id = $1", id) }
      }
      let inUse = await #expect(throws: StorageError.self) { try await SQLiteRewrite.run(path) }
      #expect(inUse?.code == .inUse)
      await database.close()
      try await SQLiteRewrite.run(path)
      #expect(found(gone, path) == [])
      #expect(found(Array(ids[500...]), path).count == 1500)
      let again = try await SQLiteDatabase.open(path: path, migrations: [Self.table], clock: ManualClock())
      let count: Int? = try await again.read { try $0.first("SELECT COUNT(*) FROM people") { $0[0] } }
      #expect(count == 1500)
      await again.close()
    }
  }
}
