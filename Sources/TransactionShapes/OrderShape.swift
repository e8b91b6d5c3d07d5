public import Base
public import Storage

/// An order: its row, two items, two conditional stock updates, and a message in the outbox.
///
/// `Tests/Benchmarks/peers/plain_sqlite.c` runs the same statements.
public struct OrderShape: TransactionShape {
  public let name = "orders"
  private let identifiers = IdentifierGenerator(clock: SystemClock())
  private let outbox: Outbox

  /// The stock is larger than any run.
  private struct SoldOut: Error {}

  private static let products = 10_000
  private static let stock = 1_000_000_000
  private static let message = [UInt8](repeating: 7, count: 100)

  /// - Parameter database: where the outbox is.
  public init(_ database: any Database) {
    outbox = Outbox(database: database, clock: SystemClock(), random: SystemRandomSource())
  }

  /// Its tables.
  public static let schema = Migration(
    "bench", 1, "orders",
    sql: """
      -- distributed by id
      CREATE TABLE bench_products (id INTEGER PRIMARY KEY, stock INTEGER NOT NULL);
      -- distributed by id
      CREATE TABLE bench_orders (
        id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, total INTEGER NOT NULL, state INTEGER NOT NULL,
        created_at INTEGER NOT NULL);
      -- distributed by order_id
      CREATE TABLE bench_items (
        order_id INTEGER NOT NULL, line INTEGER NOT NULL, product INTEGER NOT NULL, quantity INTEGER NOT NULL,
        price INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
      """)

  public func prepare(_ writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO bench_products (id, stock) SELECT value, $2 FROM \(Series.sql) WHERE true ON CONFLICT DO NOTHING",
      Self.products - 1, Self.stock)
  }

  /// Orders of the past. Their messages have left the outbox.
  public func fill(_ rows: Range<Int64>, of total: Int64, _ writer: any Writer) throws {
    // The identifiers of a day ago: they rise, and the run's come after them.
    let first = (identifiers.next().rawValue - 86_400_000 << 22) + rows.lowerBound
    let last = Int64(rows.count) - 1
    try writer.execute(
      """
      INSERT INTO bench_orders (id, customer, total, state, created_at)
      SELECT $2 + value, \(Series.spread(below: "1000000")), 4200, 1, 1767225600000000000 + value FROM \(Series.sql)
      """, last, first)
    try writer.execute(
      """
      INSERT INTO bench_items (order_id, line, product, quantity, price)
      SELECT $2 + value / 2, value % 2, \(Series.spread(below: "$3")), 1, 2100 FROM \(Series.sql)
      """, last * 2 + 1, first, Self.products)
  }

  public func transaction(_ random: any RandomSource, _ now: Instant) -> ShapedTransaction {
    let product = { Int64(random.below(UInt64(Self.products))) }
    return transaction(of: Int64(random.below(1_000_000)), [(product(), 1), (product(), 1)], now)
  }

  /// An order that somebody has asked for.
  /// - Parameter lines: each a product and how many; products of any number are taken for one that there is.
  public func transaction(
    of customer: Int64, _ lines: [(product: Int64, quantity: Int)], _ now: Instant
  ) -> ShapedTransaction {
    let id = identifiers.next()
    return ShapedTransaction { writer in
      try writer.send(
        "INSERT INTO bench_orders (id, customer, total, state, created_at) VALUES ($1, $2, $3, $4, $5)",
        id, customer, 4200, 1, now)
      for (line, (number, quantity)) in lines.enumerated() {
        let product = number % Int64(Self.products)
        try writer.send(
          "UPDATE bench_products SET stock = stock - $2 WHERE id = $1 AND stock >= $2", product, quantity,
          orElse: SoldOut())
        try writer.send(
          "INSERT INTO bench_items (order_id, line, product, quantity, price) VALUES ($1, $2, $3, $4, $5)",
          id, line, product, quantity, 2100)
      }
      try outbox.append("orders", Self.message, in: writer)
    }
  }
}
