import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// Group commit gathers what waits, and waits for nobody.
@Suite struct LoneWriterTests {
  private static let rounds = 200
  /// Other tests may have both processors all the while, now and then.
  private static let tries = 100
  /// Above a commit without the engine: the way to the writer's thread. A timer that is to gather anything is longer than
  /// that.
  private static let longestWay = Duration.microseconds(500)
  /// The same on a machine on which that is little: so many ways of a read to its thread.
  private static let mostWays = 5

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

  /// The quickest way of a read to its thread.
  private func quickestWay(_ database: SQLiteDatabase) async throws -> Duration {
    let clock = ContinuousClock()
    var quickest = Duration.seconds(60)
    for _ in 0..<Self.rounds {
      let start = clock.now
      quickest = min(quickest, try await database.read { _ in clock.now - start })
    }
    return quickest
  }

  /// The quickest commit without the engine.
  private func quickestBare(_ statement: String, _ path: String) async throws -> Duration {
    try await OSThread.run(name: "bare") {
      let connection = try SQLiteConnection(path: path, settings: SQLiteOptions().writerSettings)
      let clock = ContinuousClock()
      return try (0..<Self.rounds).map { _ in
        try clock.measure {
          for sql in ["BEGIN IMMEDIATE", statement, "COMMIT"] { try connection.run(sql) }
        }
      }.min() ?? .zero
    }
  }

  @Test func `a lone writer is not made to wait for others`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-lone-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    // Of the same tables, and nobody else's.
    let other = directory.appending(path: "bare.db").path
    let insert = "INSERT INTO samples (i) VALUES (1)"
    try await SQLiteDatabase.open(path: other, migrations: [Fixture.values], clock: ManualClock()).close()
    let database = try await SQLiteDatabase.open(path: path, migrations: [Fixture.values], clock: ManualClock())
    var (alone, bare, way) = (Duration.seconds(60), Duration.seconds(60), Duration.seconds(60))
    var limit = Duration.zero
    for _ in 0..<Self.tries where alone >= limit {
      bare = min(bare, try await quickestBare(insert, other))
      way = min(way, try await quickestWay(database))
      alone = min(alone, try await quickest(insert, database))
      limit = bare + max(Self.longestWay, way * Self.mostWays)
    }
    await database.close()
    #expect(alone < limit, "\(alone) through the engine, \(bare) without it, \(way) to a reader")
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
