import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// Group commit gathers what waits, and waits for nobody.
@Suite struct LoneWriterTests {
  private static let rounds = 200
  /// Other tests may have both processors all the while, now and then.
  private static let tries = 20
  /// Above a commit without the engine: the way to the writer's thread. A timer that is to gather anything is longer than
  /// that.
  private static let longestWay = Duration.microseconds(500)

  /// The quickest of many, which is that of a machine with nothing else to do, however busy it is at other times. By the
  /// writer's thread: where the caller goes on, the tasks of all other tests wait for their turn as well.
  private func quickest(_ statement: String, _ database: SQLiteDatabase) async throws -> Duration {
    let clock = ContinuousClock()
    var quickest = Duration.seconds(60)
    for _ in 0..<Self.rounds {
      let took = Locked(quickest)
      let start = clock.now
      try await database.write { writer in
        try writer.execute(statement)
        writer.afterCommit { took.withLock { $0 = clock.now - start } }
      }
      quickest = min(quickest, took.withLock { $0 })
    }
    return quickest
  }

  @Test func `a lone writer is not made to wait for others`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-lone-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let insert = "INSERT INTO samples (i) VALUES (1)"
    // Makes the table.
    try await SQLiteDatabase.open(path: path, migrations: [Fixture.values], clock: ManualClock()).close()
    let bare = try await OSThread.run(name: "bare") {
      let connection = try SQLiteConnection(path: path, settings: SQLiteOptions().writerSettings)
      let clock = ContinuousClock()
      return try (0..<Self.rounds).map { _ in
        try clock.measure {
          for sql in ["BEGIN IMMEDIATE", insert, "COMMIT"] { try connection.run(sql) }
        }
      }.min() ?? .zero
    }
    let database = try await SQLiteDatabase.open(path: path, migrations: [Fixture.values], clock: ManualClock())
    var alone = Duration.seconds(60)
    for _ in 0..<Self.tries where alone >= bare + Self.longestWay {
      alone = min(alone, try await quickest(insert, database))
    }
    await database.close()
    #expect(alone < bare + Self.longestWay, "\(alone) through the engine, \(bare) without it")
  }

  @Test func `what waits while the writer is busy shares a commit`() async throws {
    let database = try await SQLiteDatabase.openTemporary(migrations: [Fixture.values], clock: ManualClock())
    let before = database.commits
    for _ in 1...3 { try await insert(database) }
    #expect(database.commits == before + 3, "each by itself")
    let (hasBegun, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    async let busy: Void = database.write { _ in
      hasBegun.unpark()
      _ = mayEnd.pop(atMost: 1)
    }
    defer { mayEnd.close() }
    try await hasBegun.park()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 1...10 { group.addTask { try await insert(database) } }
      while database.waiting.writes < 10 { await Task.yield() }
      mayEnd.close()
      try await group.waitForAll()
    }
    try await busy
    #expect(database.commits == before + 5)
    await database.close()
  }

  private func insert(_ database: SQLiteDatabase) async throws {
    _ = try await database.write { writer in try writer.execute("INSERT INTO samples (i) VALUES (1)") }
  }
}
