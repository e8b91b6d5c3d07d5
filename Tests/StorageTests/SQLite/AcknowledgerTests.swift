import Base
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// Which thread tells callers that their transactions are durable, and what happens when it falls behind.
@Suite(.timeLimit(.minutes(60))) struct AcknowledgerTests {
  private static let insert = "INSERT INTO samples (i) VALUES (1)"

  private func withDatabase(_ body: (SQLiteDatabase) async throws -> Void) async throws {
    let database = try await SQLiteDatabase.openTemporary(migrations: [Fixture.values], clock: ManualClock())
    try await closing(database) { try await body(database) }
  }

  /// Starts so many transactions while another one keeps the writer, so that they are one batch.
  private func startBatch(
    of count: Int, _ database: SQLiteDatabase, _ group: inout ThrowingTaskGroup<Void, any Error>,
    action: @escaping @Sendable () -> Void
  ) async throws {
    let hasBegun = ParkingSpot()
    let mayEnd = BlockingQueue<Void>(limit: 1)
    defer { mayEnd.close() }
    group.addTask {
      try await database.write { _ in
        hasBegun.unpark()
        _ = mayEnd.pop(atMost: 1)
      }
    }
    try await hasBegun.park()
    for _ in 0..<count {
      group.addTask {
        try await database.write { writer in
          try writer.execute(Self.insert)
          writer.afterCommit(action)
        }
      }
    }
    while database.waiting.writes < count { await Task.yield() }
  }

  @Test(arguments: [
    (SQLiteLimits.acknowledgedByWriter, "sqlite-write"), (SQLiteLimits.acknowledgedByWriter + 1, "sqlite-done"),
  ])
  func `a few callers are told by the writer itself, more by another thread`(count: Int, thread: String) async throws {
    try await withDatabase { database in
      let names = Locked<[String]>([])
      try await withThrowingTaskGroup(of: Void.self) { group in
        try await startBatch(of: count, database, &group) { names.withLock { $0.append(FaultDisk.thread) } }
        try await group.waitForAll()
      }
      #expect(names.withLock { $0 } == Array(repeating: thread, count: count))
    }
  }

  private static func count(_ database: SQLiteDatabase) async throws -> Int {
    try await database.read { try $0.first("SELECT count(*) FROM samples") { $0[0] } } ?? 0
  }

  @Test func `when callers are not told, so many more batches become durable, and none is told before its turn`()
    async throws
  {
    try await withDatabase { database in
      let mayEnd = BlockingQueue<Void>(limit: 1)
      let isHeldUp = ParkingSpot()
      let isFirst = Locked(true)
      let first = SQLiteLimits.acknowledgedByWriter + 1
      let told = Locked<[Int]>([])
      // The queue holds as many as the limit says, and one more is with the writer, which waits for room.
      let durable = SQLiteLimits.unacknowledgedBatches + 1
      try await withThrowingTaskGroup(of: Void.self) { group in
        // The group waits for those who are not told, whatever fails here.
        defer { mayEnd.close() }
        try await startBatch(of: first, database, &group) {
          guard
            isFirst.withLock({ isFirst in
              defer { isFirst = false }
              return isFirst
            })
          else { return }
          isHeldUp.unpark()
          _ = mayEnd.pop(atMost: 1)
        }
        try await isHeldUp.park()
        for number in 1...(durable + 1) {
          group.addTask {
            try await database.write { writer in
              try writer.execute(Self.insert)
              writer.afterCommit { told.withLock { $0.append(number) } }
            }
          }
          // Each is a batch, as the one before is durable.
          while number <= durable, try await Self.count(database) < first + number {}
        }
        // Time enough for the last one, if the writer did not wait.
        for _ in 0..<200 { #expect(try await Self.count(database) == first + durable) }
        #expect(told.withLock { $0 }.isEmpty)
        try mayEnd.push(())
        try await group.waitForAll()
      }
      #expect(told.withLock { $0 } == Array(1...(durable + 1)))
      #expect(try await Self.count(database) == first + durable + 1)
    }
  }
}
