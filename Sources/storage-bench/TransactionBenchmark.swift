import Base
import Glibc
import Storage
import StoragePostgreSQL
import StorageSQLite
import Streaming
import TransactionShapes

/// Durable transactions per second through the storage API: each caller makes one after the other, and all together
/// give the group commit its batches. With a rate, calls begin at their times, whatever became of those before.
struct TransactionBenchmark {
  let path: String
  let callers: Int
  let seconds: Int
  /// Transactions that are there before the clock starts.
  let rows: Int
  /// How often it is measured, on the same database.
  var rounds = 1
  /// Transactions a second; nil for as many as go.
  let rate: Int?
  /// The writer's page cache.
  let cacheMiB: Int
  /// How long the log gets before it is copied.
  let checkpointPages: Int
  /// Idempotency rows that are swept meanwhile, with events of topics; 0 for none.
  var swept = 0
  /// Whether whoever has started the server makes it forget what it has in memory.
  var asksToForget = false
  /// How a `postgres://` path is used.
  var postgreSQL = PostgreSQLOptions()

  private static let migrations = TopicStore.migrations + [OrderShape.schema, TransferShape.schema, HotShape.schema]
  private static let rowsPerFill = 100_000

  /// Fills the database and measures.
  /// - Parameter make: makes the shape for the open database.
  func run(_ make: (any Database) -> any TransactionShape) async throws {
    var database = try await open()
    let shape = make(database)
    try await database.write { try shape.prepare($0) }
    for first in stride(from: 0, to: rows, by: Self.rowsPerFill) {
      let range = Int64(first)..<Int64(min(rows, first + Self.rowsPerFill))
      try await database.write { try shape.fill(range, of: Int64(rows), $0) }
    }
    if swept > 0 { try await AgedRows(rows: swept).fill(database) }
    for round in 0..<rounds {
      if rows > 0 {
        // What is measured begins with cold caches: those of the database and of the system.
        await database.close()
        try forget()
        database = try await open()
      }
      try await measureSwept(round, make(database), database)
    }
    await database.close()
  }

  private func measureSwept(_ round: Int, _ shape: any TransactionShape, _ database: any Database) async throws {
    // Counting reads what is to begin cold.
    guard swept > 0 else { return await measure(round, shape, database) }
    let before = try await AgedRows.count(database)
    let sweeper = AgedRows(rows: swept).sweeper(database)
    sweeper.start { sweep, error in print("\(sweep) failed: \(error)") }
    await measure(round, shape, database)
    await sweeper.stop()
    let after = try await AgedRows.count(database)
    print(
      "swept meanwhile: \((before.requests - after.requests) / seconds) idempotency rows/s,",
      "\((before.events - after.events) / seconds) events/s")
  }

  private var isPostgreSQL: Bool { path.hasPrefix("postgres://") }

  private func open() async throws -> any Database {
    if isPostgreSQL {
      return try await PostgreSQLDatabase.open(
        url: path, migrations: Self.migrations, clock: SystemClock(), options: postgreSQL.patient)
    }
    var options = SQLiteOptions()
    options.writerCacheMiB = cacheMiB
    options.checkpointPages = checkpointPages
    options.checksAfterCrash = false
    return try await SQLiteDatabase.open(
      path: path, migrations: Self.migrations, clock: SystemClock(), options: options)
  }

  /// Has the system drop the file's pages from its cache. A server's are forgotten by whoever has started it: it is asked
  /// to, and answers with a line when that is done.
  private func forget() throws {
    if isPostgreSQL {
      if asksToForget {
        print("forget")
        fflush(nil)
        _ = readLine()
      } else {
        print("caches are warm")
      }
      return
    }
    let descriptor = Glibc.open(path, O_RDONLY)
    guard descriptor >= 0 else { throw SystemFailure(code: errno) }
    defer { close(descriptor) }
    fsync(descriptor)
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  private struct SystemFailure: Error {
    let code: Int32
  }

  private func measure(_ round: Int, _ shape: any TransactionShape, _ database: any Database) async {
    let clock = SystemClock()
    let before = counts(database)
    let latencies = Locked<[Int64]>([])
    let start = clock.now()
    let end = start + .seconds(seconds)
    await withTaskGroup(of: Void.self) { group in
      for caller in 0..<callers {
        group.addTask {
          var own: [Int64] = []
          // No round repeats the requests of another one.
          let random = SeededRandomSource(seed: UInt64(round * callers + caller))
          var number = 0
          while clock.now() < end {
            let began = await self.turn(caller, number, start, clock)
            number += 1
            do {
              try await shape.transaction(random, began).run(on: database)
            } catch {
              print("failed: \(error)")
              return
            }
            own.append((clock.now() - began).inNanoseconds)
          }
          latencies.withLock { $0 += own }
        }
      }
    }
    let elapsed = Double((clock.now() - start).inNanoseconds) / 1e9
    let sorted = latencies.withLock { $0.sorted() }
    let now = counts(database)
    let made = now.commits - before.commits
    let batch = made == 0 ? "" : ", \(Double(sorted.count * 10 / made) / 10) in a commit"
    print(
      "\(shape.name): \(callers) callers, \(rows) rows before: \(Int(Double(sorted.count) / elapsed))/s,",
      "p50 \(percentile(sorted, 500)) us, p99 \(percentile(sorted, 990)) us, p99.9 \(percentile(sorted, 999)) us,",
      "max \(percentile(sorted, 1000)) us, \(now.checkpoints - before.checkpoints) checkpoints,",
      "\(now.outrun - before.outrun) outrun" + batch)
  }

  /// What SQLite has done so far; nothing is known of PostgreSQL.
  private func counts(_ database: any Database) -> (commits: Int, checkpoints: Int, outrun: Int) {
    guard let database = database as? SQLiteDatabase else { return (0, 0, 0) }
    return (database.commits, database.checkpoints, database.outrunCheckpoints)
  }

  /// Waits for the time of a caller's next call.
  /// - Returns: when it begins: with a rate, when it should have begun if that is past, so that a stall counts for all
  ///   calls that it delays.
  private func turn(_ caller: Int, _ number: Int, _ start: Instant, _ clock: SystemClock) async -> Instant {
    guard let rate else { return clock.now() }
    let nanoseconds = (Int64(number) * Int64(callers) + Int64(caller)) * 1_000_000_000 / Int64(rate)
    let due = start + .nanoseconds(nanoseconds)
    let now = clock.now()
    if now >= due { return due }
    // Nobody cancels the task.
    try? await Task.sleep(for: due - now, tolerance: .zero)
    return clock.now()
  }

  private func percentile(_ sorted: [Int64], _ perMille: Int) -> Int64 {
    sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * perMille / 1000)] / 1000
  }
}
