import Base
import Storage
import StorageSQLite

/// Durable orders per second through the storage API: each caller writes one order after the other, and all callers
/// together give the group commit its batches.
///
/// An order is an order row, two items, two conditional stock updates and an outbox row.
struct OrderBenchmark {
  let path: String
  let callers: Int
  let seconds: Int
  /// Orders that are there before the clock starts.
  let rows: Int

  private static let products = 10_000
  private static let stock = 1_000_000_000
  private static let rowsPerFill = 10_000

  private static let schema = Migration(
    "bench", 1, "orders",
    sql: """
      CREATE TABLE bench_products (id INTEGER PRIMARY KEY, stock INTEGER NOT NULL);
      CREATE TABLE bench_orders (
        id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, total INTEGER NOT NULL, state INTEGER NOT NULL,
        created_at INTEGER NOT NULL);
      CREATE TABLE bench_items (
        order_id INTEGER NOT NULL, line INTEGER NOT NULL, product INTEGER NOT NULL, quantity INTEGER NOT NULL,
        price INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
      """)

  func run() async throws {
    let clock = SystemClock()
    let database = try await SQLiteDatabase.open(path: path, migrations: [Self.schema], clock: clock)
    let ids = IdentifierGenerator(clock: clock)
    let outbox = Outbox(database: database, clock: clock, random: SystemRandomSource())
    try await fill(database, ids, outbox)

    let latencies = Locked<[Int64]>([])
    let start = clock.now()
    let end = start + .seconds(seconds)
    await withTaskGroup(of: Void.self) { group in
      for caller in 0..<callers {
        group.addTask {
          var own: [Int64] = []
          let random = SeededRandomSource(seed: UInt64(caller))
          while clock.now() < end {
            let began = clock.now()
            do {
              try await database.write { try Self.place(ids.next(), random, outbox, began, $0) }
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
    print(
      "orders: \(callers) callers, \(rows) rows before: \(Int(Double(sorted.count) / elapsed))/s,",
      "p50 \(percentile(sorted, 50)) us, p99 \(percentile(sorted, 99)) us, max \(percentile(sorted, 100)) us")
    await database.close()
  }

  private func percentile(_ sorted: [Int64], _ percent: Int) -> Int64 {
    sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * percent / 100)] / 1000
  }

  private func fill(_ database: SQLiteDatabase, _ ids: IdentifierGenerator, _ outbox: Outbox) async throws {
    try await database.write { writer in
      for product in 0..<Self.products {
        try writer.execute(
          "INSERT INTO bench_products (id, stock) VALUES ($1, $2) ON CONFLICT DO NOTHING", product, Self.stock)
      }
    }
    let random = SeededRandomSource(seed: 0)
    for _ in stride(from: 0, to: rows, by: Self.rowsPerFill) {
      try await database.write { writer in
        for _ in 0..<Self.rowsPerFill {
          try Self.place(ids.next(), random, outbox, SystemClock().now(), writer)
        }
      }
    }
  }

  private static func place(
    _ id: Identifier, _ random: any RandomSource, _ outbox: Outbox, _ now: Instant, _ writer: any Writer
  ) throws {
    try writer.execute(
      "INSERT INTO bench_orders (id, customer, total, state, created_at) VALUES ($1, $2, $3, $4, $5)",
      id, Int64(random.below(1_000_000)), 4200, 1, now)
    for line in 0..<2 {
      let product = Int64(random.below(UInt64(products)))
      let taken = try writer.execute(
        "UPDATE bench_products SET stock = stock - $2 WHERE id = $1 AND stock >= $2", product, 1)
      precondition(taken == 1, "the stock is larger than any run")
      try writer.execute(
        "INSERT INTO bench_items (order_id, line, product, quantity, price) VALUES ($1, $2, $3, $4, $5)",
        id, line, product, 1, 2100)
    }
    try outbox.append("orders", [UInt8](repeating: 7, count: 100), in: writer)
  }
}
