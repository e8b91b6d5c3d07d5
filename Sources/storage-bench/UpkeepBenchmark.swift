import Base
import Storage
import Streaming

/// What upkeep costs those who commit: the latency of small transactions at a steady rate, alone and while a sweep
/// empties a generation of idempotency rows; and how long it takes to lease timers of one kind among very many due ones
/// of another.
struct UpkeepBenchmark {
  let path: String
  /// Idempotency rows, and due timers of the other kind.
  let rows: Int
  let seconds: Int

  private static let rowsPerFill = 5_000
  private static let commitsPerSecond = 500

  func run() async throws {
    let database = try await openDatabase(at: path, migrations: TopicStore.migrations)
    try await retention(database)
    try await fairness(database)
    await database.close()
  }

  // MARK: Retention

  private func retention(_ database: any Database) async throws {
    let aged = AgedRows(rows: rows)
    try await aged.fill(database)
    await report("commits alone", await commits(database))
    let sweeper = aged.sweeper(database)
    let before = try await AgedRows.count(database)
    sweeper.start { sweep, error in print("\(sweep) failed: \(error)") }
    let latencies = await commits(database)
    await sweeper.stop()
    let after = try await AgedRows.count(database)
    let swept = before.requests + before.events - after.requests - after.events
    await report("commits while rows are swept (\(swept / seconds) rows/s)", latencies)
  }

  /// Commits at a steady rate, each begun at its time, whether or not those before it are done.
  private func commits(_ database: any Database) async -> [Int64] {
    let clock = ContinuousClock()
    let random = SystemRandomSource()
    let start = clock.now
    return await withTaskGroup(of: Int64?.self) { group in
      for n in 0..<(seconds * Self.commitsPerSecond) {
        let due = start + .nanoseconds(n * 1_000_000_000 / Self.commitsPerSecond)
        group.addTask {
          try? await Task.sleep(until: due, clock: clock)
          let began = clock.now
          let key = RequestKey(
            caller: Identifier(rawValue: 1), method: "bench", requestID: UUIDText.text(random.bytes(16)))
          guard let key else { return nil }
          let done = try? await database.write { try $0.once(key, hash: [1], now: SystemClock().now()) { [1] } }
          return done == nil ? nil : (clock.now - began).inNanoseconds
        }
      }
      return await group.reduce(into: []) { if let latency = $1 { $0.append(latency) } }
    }
  }

  // MARK: Fairness

  private func fairness(_ database: any Database) async throws {
    let clock = SystemClock()
    let timers = Timers(database: database, clock: clock, random: SystemRandomSource())
    let early = clock.now() - .seconds(3600)
    for first in stride(from: 0, to: rows, by: Self.rowsPerFill) {
      try await database.write { writer in
        for n in first..<(first + Self.rowsPerFill) { try timers.set("bulk", key: "\(n)", due: early, in: writer) }
      }
    }
    let arrived = ParkingSpot()
    let bulk = Locked(0)
    timers.handle("bulk") { writer, _ in writer.afterCommit { bulk.withLock { $0 += 1 } } }
    timers.handle("rare") { writer, _ in writer.afterCommit { arrived.unpark() } }
    timers.start { error in print("timers failed: \(error)") }
    var latencies: [Int64] = []
    let start = clock.now()
    while clock.now() < start + .seconds(seconds) {
      let began = clock.now()
      try await database.write { try timers.set("rare", key: "a", due: began, in: $0) }
      try await arrived.park()
      latencies.append((clock.now() - began).inNanoseconds)
    }
    await timers.stop()
    await report("a timer's way among \(rows) due ones (\(bulk.withLock { $0 } / seconds) of those/s)", latencies)
  }

  private func report(_ name: String, _ latencies: [Int64]) async {
    let sorted = latencies.sorted()
    func at(_ percent: Int) -> Int64 {
      sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * percent / 100)] / 1000
    }
    print("\(name): \(sorted.count) done, p50 \(at(50)) us, p99 \(at(99)) us, max \(at(100)) us")
  }
}
