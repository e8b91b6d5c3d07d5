import Base
import Foundation
import Storage
import StorageSQLite
import Testing

@Suite(.timeLimit(.minutes(60))) struct LongReadTests {
  private static let schema = Migration(
    "long", 1, "rows", sql: "CREATE TABLE rows (id INTEGER PRIMARY KEY, filling BLOB NOT NULL)")

  private func insert(_ ids: Range<Int>, _ database: SQLiteDatabase) async throws {
    for id in ids {
      try await database.write {
        try $0.execute("INSERT INTO rows (id, filling) VALUES ($1, $2)", id, [UInt8](repeating: 1, count: 20_000))
      }
    }
  }

  private func count(_ reader: any Reader) throws -> Int? {
    try reader.first("SELECT count(*) FROM rows") { $0[0] }
  }

  @Test func `a long read holds up no write; the log grows until it ends, and then starts over`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-long-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    var options = SQLiteOptions()
    options.checkpointPages = 50
    let database = try await SQLiteDatabase.open(
      path: path, migrations: [Self.schema], clock: ManualClock(), options: options)
    try await insert(0..<10, database)

    let hasBegun = ParkingSpot()
    let mayEnd = BlockingQueue<Void>(limit: 1)
    async let slow: (Int?, Int?) = database.read { reader in
      let before = try count(reader)
      hasBegun.unpark()
      _ = mayEnd.pop(atMost: 1)
      return (before, try count(reader))
    }
    // Behind the task, which is waited for when this ends: whatever fails here lets it end.
    defer { mayEnd.close() }
    try await hasBegun.park()
    // Every one of these is acknowledged while the read is under way, far beyond where the log usually starts over.
    try await insert(10..<310, database)
    func logged() throws -> Int {
      (try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int ?? 0) / 4096
    }
    let grown = try logged()
    #expect(grown > 300 * 5)
    // Other reads see what is new.
    #expect(try await database.read { try count($0) } == 310)
    try mayEnd.push(())
    let seen = try await slow
    #expect(seen.0 == 10 && seen.1 == 10, "a read is of one snapshot")

    // Sooner or later: whoever copies it back has a processor and the disk to share with these writes and other tests.
    let number = try LogFile.number(beside: path)
    var id = 310
    while try LogFile.number(beside: path) == number {
      try await insert(id..<id + 1, database)
      id += 1
    }
    await database.close()
  }

  @Test func `somebody else's write lock is waited for, and reported as busy when it stays`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-busy-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    var options = SQLiteOptions()
    options.busyMilliseconds = 50
    let database = try await SQLiteDatabase.open(
      path: path, migrations: [Self.schema], clock: ManualClock(), options: options)
    let tool = try ForeignTool(path)
    try tool.run("BEGIN IMMEDIATE")
    let error = await storageError { try await insert(0..<1, database) }
    #expect(error?.code == .busy)
    #expect(error?.isTransient == true)
    #expect(try await database.read { try count($0) } == 0)
    try tool.run("ROLLBACK")
    // Nothing has to be opened anew: a lock is no damage.
    #expect(database.writeRefusal == nil)
    try await insert(0..<1, database)
    #expect(try await database.read { try count($0) } == 1)
    await database.close()
  }
}
