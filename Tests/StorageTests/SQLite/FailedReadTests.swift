import Base
import Foundation
import Storage
import StorageSQLite
import Testing

/// One read of the disk fails and the next one works. Nothing is cached, so whoever wants a row reads.
@Suite(.timeLimit(.minutes(60))) struct FailedReadTests {
  private static let schema = Migration(
    "rows", 1, "rows", sql: "CREATE TABLE rows (id INTEGER PRIMARY KEY, filling BLOB NOT NULL)")
  private static let rows = 100

  private func open(_ path: String, _ system: String? = nil) async throws -> SQLiteDatabase {
    var options = SQLiteOptions()
    options.system = system
    options.writerCacheMiB = 0
    options.readerCacheMiB = 0
    return try await SQLiteDatabase.open(
      path: path, migrations: [Self.schema], clock: ManualClock(), options: options)
  }

  private func insert(_ id: Int, _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      try writer.execute("INSERT INTO rows (id, filling) VALUES ($1, $2)", id, [UInt8](repeating: 1, count: 3000))
    }
  }

  private func count(_ database: SQLiteDatabase) async throws -> Int? {
    try await database.read { try $0.first("SELECT count(*) FROM rows WHERE length(filling) = 3000") { $0[0] } }
  }

  /// Calls `body` with a database on a disk whose next read of the file by a thread fails.
  /// - Returns: how many rows are there when it is opened again.
  private func withFailure(
    for thread: String, _ body: (SQLiteDatabase, FaultDisk) async throws -> Void
  ) async throws -> Int? {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-read-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let filled = try await open(path)
    for id in 1...Self.rows { try await insert(id, filled) }
    await filled.close()

    let disk = FaultDisk()
    let system = FaultSystem(name: "read-\(UUID().uuidString)", disk: disk)
    let database = try await open(path, system.name)
    disk.failRead(of: path, by: thread)
    do {
      try await body(database, disk)
    } catch {
      Issue.record(error)
    }
    await database.close()
    withExtendedLifetime(system) {}

    let again = try await open(path)
    let found = try await count(again)
    let check = try await again.read { try $0.first("PRAGMA integrity_check") { $0[0] as String } }
    #expect(check == "ok")
    await again.close()
    return found
  }

  @Test func `a read that fails is that reader's matter`() async throws {
    let found = try await withFailure(for: "sqlite-read") { database, disk in
      let error = await storageError { try await count(database) }
      #expect(error?.code == .ioFailure)
      #expect(!disk.awaitsRead)
      #expect(database.writeRefusal == nil)
      try await insert(Self.rows + 1, database)
      #expect(try await count(database) == Self.rows + 1)
    }
    #expect(found == Self.rows + 1)
  }

  @Test func `a read that fails the writer ends all writes`() async throws {
    let found = try await withFailure(for: "sqlite-write") { database, disk in
      let error = await storageError { try await insert(Self.rows + 1, database) }
      #expect(error?.code == .ioFailure)
      #expect(!disk.awaitsRead)
      #expect(database.writeRefusal?.code == .ioFailure)
      let refused = await storageError { try await insert(Self.rows + 2, database) }
      #expect(refused?.code == .ioFailure)
      let readable = try await count(database)
      #expect(readable == Self.rows)
    }
    #expect(found == Self.rows)
  }
}
