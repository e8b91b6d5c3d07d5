import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// What the tests of the log share: rows that take as many pages as wanted, on a disk that is watched or fails.
enum LoggedRows {
  private static let schema = Migration(
    "rows", 1, "rows", sql: "CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, filling BLOB NOT NULL)")

  /// Calls `body` with a path for a database, and removes what is there.
  static func withPath(_ body: (String) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-log-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    try await body(directory.appending(path: "octet.db").path)
  }

  static func open(_ path: String, _ options: SQLiteOptions = SQLiteOptions()) async throws -> SQLiteDatabase {
    try await SQLiteDatabase.open(path: path, migrations: [schema], clock: ManualClock(), options: options)
  }

  /// Calls `body` with a database whose log is empty, and closes it. An error of the body is an issue.
  /// - Parameter pages: how long its log may get before it is copied.
  static func with(
    _ disk: FaultDisk, at path: String, checkpointPages pages: Int, _ body: (SQLiteDatabase) async throws -> Void
  ) async throws {
    // Makes the tables, which nobody is to copy while the body runs.
    try await open(path).close()
    let system = FaultSystem(name: "log-\(UUID().uuidString)", disk: disk)
    var options = SQLiteOptions()
    options.system = system.name
    options.checkpointPages = pages
    let database = try await open(path, options)
    do {
      try await body(database)
    } catch {
      Issue.record(error)
    }
    await database.close()
    withExtendedLifetime(system) {}
  }

  /// The same at a path of its own.
  static func with(
    _ disk: FaultDisk, checkpointPages pages: Int, _ body: (SQLiteDatabase) async throws -> Void
  ) async throws {
    try await withPath { try await with(disk, at: $0, checkpointPages: pages, body) }
  }

  /// Commits a row that takes so many pages, and a few more.
  static func insert(_ pages: Int, _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      try writer.execute("INSERT INTO rows (filling) VALUES ($1)", [UInt8](repeating: 1, count: pages * 4096))
    }
  }
}

/// The file of a database's log.
enum LogFile {
  /// Tells the log from the one before: it has another number each time that it starts over. So says its header
  /// (sqlite.org/fileformat2.html §4.1).
  static func number(beside path: String) throws -> [UInt8] {
    let file = try FileHandle(forReadingFrom: URL(filePath: path + "-wal"))
    defer { try? file.close() }
    return try Array((file.read(upToCount: 16) ?? Data()).suffix(4))
  }
}

extension SQLiteDatabase {
  /// Calls `body` while a read keeps its snapshot, which ends then.
  /// - Parameter count: what the read asks for.
  func duringRead<Outcome>(
    of count: String, _ body: () async throws -> Outcome
  ) async throws -> (count: Int?, outcome: Outcome) {
    let (hasBegun, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    async let reading: Int? = read { reader in
      let count: Int? = try reader.first(count) { $0[0] }
      hasBegun.unpark()
      _ = mayEnd.pop(atMost: 1)
      return count
    }
    // Also if the body throws: the read is waited for.
    defer { mayEnd.close() }
    try await hasBegun.park()
    let outcome = try await body()
    mayEnd.close()
    return (try await reading, outcome)
  }
}
