import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// What is gathered of the log before it is written.
@Suite struct LogBufferTests {
  private struct Refused: Error {}

  private static let page = 4096

  private func withDatabase(
    _ options: SQLiteOptions = SQLiteOptions(), _ body: (SQLiteDatabase) async throws -> Void
  ) async throws {
    let database = try await SQLiteDatabase.openTemporary(
      migrations: [Fixture.values], clock: ManualClock(), options: options)
    try await closing(database) { try await body(database) }
  }

  @Test func `a commit of many pages is a write for each full buffer`() async throws {
    let disk = FaultDisk()
    let system = FaultSystem(name: "buffer-\(UUID().uuidString)", disk: disk)
    var options = SQLiteOptions()
    options.system = system.name
    let buffers = 4
    try await withDatabase(options) { database in
      let before = disk.operations
      try await database.write { writer in
        try writer.execute(
          "INSERT INTO samples (b) VALUES ($1)", [UInt8](repeating: 1, count: buffers * SQLiteLimits.logBuffer))
      }
      let operations = disk.operations - before
      // Without a buffer there are two for each page. Syncs count too, and the last sector is filled up.
      #expect((buffers...(buffers + 6)).contains(operations), "\(operations) operations")
    }
    withExtendedLifetime(system) {}
  }

  /// Each row has a page of its own, and they are many times what the cache holds.
  private static func fill(_ rows: Range<Int>, _ writer: any Writer) throws {
    for row in rows {
      try writer.execute(
        "INSERT INTO samples (id, b) VALUES ($1, $2)", row, [UInt8](repeating: UInt8(row % 251), count: page - 200))
    }
  }

  private static func isWhole(_ rows: Range<Int>, _ reader: any Reader) throws -> Bool {
    let found = try reader.rows("SELECT id, b FROM samples ORDER BY id") { ($0[0] as Int, $0[1] as [UInt8]) }
    return found.map(\.0) == Array(rows)
      && found.allSatisfy { $0.1 == [UInt8](repeating: UInt8($0.0 % 251), count: page - 200) }
  }

  @Test func `a transaction reads what it has written, also what has left the cache for the log`() async throws {
    var options = SQLiteOptions()
    options.writerCacheMiB = 1
    let rows = 0..<(4 * 1024 * 1024 / Self.page)
    try await withDatabase(options) { database in
      let seen = try await database.write { writer in
        try Self.fill(rows, writer)
        // Written to the log a second time in the same transaction.
        try writer.execute("UPDATE samples SET i = id")
        return try Self.isWhole(rows, writer)
      }
      #expect(seen)
      #expect(try await database.read { try Self.isWhole(rows, $0) })
      #expect(try await database.read { try $0.first("PRAGMA integrity_check") { $0[0] as String } } == "ok")
    }
  }

  @Test(arguments: [FaultDisk.Fault.isFullOnce, .failsOnce])
  func `what a read could not have written to the log first is not missing there when the transaction goes on`(
    fault: FaultDisk.Fault
  ) async throws {
    let disk = FaultDisk()
    let system = FaultSystem(name: "unread-\(UUID().uuidString)", disk: disk)
    var options = SQLiteOptions()
    options.system = system.name
    options.writerCacheMiB = 1
    let rows = 0..<(4 * 1024 * 1024 / Self.page)
    try await withDatabase(options) { database in
      var isCommitted = true
      do {
        try await database.write { writer in
          try Self.fill(rows, writer)
          disk.fail(fault)
          // A body may go on after a statement that has failed.
          _ = try? Self.isWhole(rows, writer)
          #expect(disk.hasFailed)
        }
      } catch {
        isCommitted = false
      }
      let isWhole = try await database.read { [isCommitted] in try Self.isWhole(isCommitted ? rows : 0..<0, $0) }
      #expect(isWhole, "committed: \(isCommitted)")
      let verdict = try await database.read { try $0.first("PRAGMA integrity_check") { $0[0] as String } }
      #expect(verdict == "ok")
    }
    withExtendedLifetime(system) {}
  }

  @Test func `a commit that was refused for a full disk is not there after a crash`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-refused-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let disk = FaultDisk()
    let system = FaultSystem(name: "refused-\(UUID().uuidString)", disk: disk)
    var options = SQLiteOptions()
    options.system = system.name
    options.writerCacheMiB = 1
    let rows = 0..<(4 * 1024 * 1024 / Self.page)
    let path = directory.appending(path: "octet.db").path
    let crashed = directory.appending(path: "crashed.db").path
    let database = try await SQLiteDatabase.open(
      path: path, migrations: [Fixture.values], clock: ManualClock(), options: options)
    try await closing(database) {
      try await database.write { try Self.fill(rows, $0) }
      let error = await storageError {
        try await database.write { writer in
          try Self.fill(rows.upperBound..<(rows.upperBound + 1), writer)
          disk.fail(.isFullOnce)
        }
      }
      #expect(error?.code == .diskFull)
      try await database.write { writer in
        // Reads from the log what has left the cache, which has everything written first that waits for it.
        let isWhole = try Self.isWhole(rows, writer)
        #expect(isWhole)
        for suffix in ["", "-wal"] {
          try FileManager.default.copyItem(atPath: path + suffix, toPath: crashed + suffix)
        }
      }
    }
    let after = try await SQLiteDatabase.open(path: crashed, migrations: [Fixture.values], clock: ManualClock())
    try await closing(after) {
      let isWhole = try await after.read { try Self.isWhole(rows, $0) }
      #expect(isWhole, "a commit that was refused is there")
    }
    withExtendedLifetime(system) {}
  }

  @Test func `a transaction that was given up leaves nothing in the log of the next ones`() async throws {
    var options = SQLiteOptions()
    options.writerCacheMiB = 1
    let rows = 0..<(4 * 1024 * 1024 / Self.page)
    try await withDatabase(options) { database in
      for _ in 0..<3 {
        await #expect(throws: Refused.self) {
          try await database.write { writer in
            try Self.fill(rows, writer)
            throw Refused()
          }
        }
        try await database.write { try Self.fill(0..<3, $0) }
        #expect(try await database.read { try Self.isWhole(0..<3, $0) })
        try await database.write { try $0.execute("DELETE FROM samples") }
      }
      try await database.write { try Self.fill(rows, $0) }
      #expect(try await database.read { try Self.isWhole(rows, $0) })
      #expect(try await database.read { try $0.first("PRAGMA integrity_check") { $0[0] as String } } == "ok")
    }
  }
}
