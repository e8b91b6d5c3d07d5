import Base
import Storage
import TransactionShapes

/// A transfer between two accounts that everybody uses: each transaction waits for those before it.
///
/// `Tests/Benchmarks/peers/hot_postgres.c` runs the same statements.
struct HotShape: TransactionShape {
  let name: String
  /// Whether half of the transfers go the other way, and so take the rows in the other order.
  let goesBothWays: Bool

  /// The balance is larger than any run needs.
  private struct Overdrawn: Error {}

  private static let balance = 1_000_000_000_000

  init(goesBothWays: Bool) {
    self.goesBothWays = goesBothWays
    name = goesBothWays ? "transfers between two rows, both ways" : "transfers between two rows"
  }

  static let schema = Migration(
    "bench", 3, "two accounts",
    sql: "CREATE TABLE bench_hot (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);")

  func prepare(_ writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO bench_hot (id, balance) VALUES (1, $1), (2, $1) ON CONFLICT DO NOTHING", Self.balance)
  }

  func fill(_ rows: Range<Int64>, of total: Int64, _ writer: any Writer) throws {
    preconditionFailure("two rows are all there is")
  }

  func transaction(_ random: any RandomSource, _ now: Instant) -> ShapedTransaction {
    let debtor = goesBothWays && random.below(2) == 1 ? 2 : 1
    return ShapedTransaction { writer in
      try writer.send(
        "UPDATE bench_hot SET balance = balance - $2 WHERE id = $1 AND balance >= $2", debtor, 1, orElse: Overdrawn())
      try writer.send("UPDATE bench_hot SET balance = balance + $2 WHERE id = $1", 3 - debtor, 1)
    }
  }
}
