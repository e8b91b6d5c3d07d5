import Base
import Foundation
import Storage
import StorageSQLite
import Testing

/// A page of the database file turns to rubbish while the database is served. Whoever meets it first, nothing is
/// acknowledged from then on, and what was is there once the file is whole again.
@Suite(.timeLimit(.minutes(60))) struct CorruptionTests {
  private static let schema = Migration(
    "two", 1, "two tables",
    sql: """
      CREATE TABLE sound (id INTEGER PRIMARY KEY, filling BLOB NOT NULL);
      CREATE TABLE damaged (id INTEGER PRIMARY KEY, filling BLOB NOT NULL);
      """)

  private enum Table: String {
    case sound, damaged
  }

  /// A database whose table `damaged` is rubbish on the disk, and in no connection's cache.
  private func withDamage(_ body: (SQLiteDatabase) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-damage-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    var database = try await open(path)
    for table in [Table.sound, .damaged] { try await insert(into: table, database) }
    let page = try await database.read { reader in
      try reader.first("SELECT rootpage FROM sqlite_schema WHERE name = 'damaged'") { $0[0] as Int }
    }
    await database.close()
    database = try await open(path)
    let place = try UInt64(#require(page) - 1) * 4096
    let before = try overwrite(path, at: place, with: Data(repeating: 0xff, count: 4096))
    do {
      try await body(database)
    } catch {
      await database.close()
      throw error
    }
    await database.close()

    _ = try overwrite(path, at: place, with: before)
    let again = try await open(path)
    let sound = try await again.read { try $0.first("PRAGMA integrity_check") { $0[0] as String } }
    #expect(sound == "ok")
    #expect(try await count(.damaged, again) == 1)
    try await insert(into: .sound, again)
    await again.close()
  }

  private func open(_ path: String) async throws -> SQLiteDatabase {
    try await SQLiteDatabase.open(path: path, migrations: [Self.schema], clock: ManualClock())
  }

  private func insert(into table: Table, _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      try writer.execute("INSERT INTO \(table.rawValue) (filling) VALUES ($1)", [UInt8](repeating: 1, count: 100))
    }
  }

  private func count(_ table: Table, _ database: SQLiteDatabase) async throws -> Int? {
    try await database.read { try $0.first("SELECT count(*) FROM \(table.rawValue)") { $0[0] } }
  }

  /// - Returns: what was there.
  private func overwrite(_ path: String, at offset: UInt64, with bytes: Data) throws -> Data {
    let file = try FileHandle(forUpdating: URL(filePath: path))
    defer { try? file.close() }
    try file.seek(toOffset: offset)
    let before = try #require(try file.read(upToCount: bytes.count))
    try file.seek(toOffset: offset)
    try file.write(contentsOf: bytes)
    return before
  }

  @Test func `a reader that meets damage stops the writes, not the reads`() async throws {
    try await withDamage { database in
      try await insert(into: .sound, database)
      #expect(database.writeRefusal == nil)
      let error = await storageError { try await count(.damaged, database) }
      #expect(error?.code == .corrupt)
      #expect(database.writeRefusal?.code == .corrupt)
      for _ in 0..<3 {
        let refused = await storageError { try await insert(into: .sound, database) }
        #expect(refused?.code == .corrupt)
      }
      let scrubbed = await storageError { try await database.scrub() }
      #expect(scrubbed?.code == .corrupt)
      #expect(try await count(.sound, database) == 2, "what is whole can be read")
    }
  }

  @Test func `a body that hides the error hides no damage`() async throws {
    try await withDamage { database in
      struct Hidden: Error {}
      await #expect(throws: (any Error).self) {
        try await database.read { reader in
          do {
            try reader.forEachRow("SELECT * FROM damaged", []) { _ in true }
          } catch {
            throw Hidden()
          }
        }
      }
      #expect(database.writeRefusal?.code == .corrupt)
    }
  }

  @Test func `a writer that meets damage fails all who share its commit`() async throws {
    try await withDamage { database in
      try await insert(into: .sound, database)
      let (isHeld, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
      // The database waits for it when it is closed, whatever fails here.
      defer { mayEnd.close() }
      let holding = Task {
        try await database.write { _ in
          isHeld.unpark()
          _ = mayEnd.pop(atMost: 1)
        }
      }
      try await isHeld.park()
      let others = [Table.sound, .sound, .damaged, .sound].map { table in
        Task { await storageError { try await insert(into: table, database) } }
      }
      while database.waiting.writes < others.count { await Task.yield() }
      try mayEnd.push(())
      try await holding.value
      for other in others { #expect(await other.value?.code == .corrupt) }
      #expect(database.writeRefusal?.code == .corrupt)
      let refused = await storageError { try await insert(into: .sound, database) }
      #expect(refused?.code == .corrupt)
      #expect(try await count(.sound, database) == 2, "none of those who were refused")
    }
  }
}
