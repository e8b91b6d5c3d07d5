import Base
import Storage
import TransactionShapes

/// A transfer between two accounts that everybody uses: each transaction waits for those before it. Or between two of
/// many, to compare with.
///
/// `Tests/Benchmarks/peers/hot_postgres.c` runs the same statements.
struct HotShape: TransactionShape {
  let name: String
  /// Whether half of the transfers go the other way, and so take the rows in the other order.
  let goesBothWays: Bool
  private let accounts: Int

  /// The balance is larger than any run needs.
  private struct Overdrawn: Error {}

  private static let balance = 1_000_000_000_000

  init(goesBothWays: Bool, accounts: Int) {
    precondition(accounts >= 2, "a transfer takes two accounts")
    self.goesBothWays = goesBothWays
    self.accounts = accounts
    name = "transfers between two rows" + (accounts > 2 ? " of \(accounts)" : "") + (goesBothWays ? ", both ways" : "")
  }

  static let schema = Migration(
    "bench", 3, "two accounts",
    sql: "CREATE TABLE bench_hot (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);")

  func prepare(_ writer: any Writer) throws {
    for id in 1...accounts {
      try writer.send("INSERT INTO bench_hot (id, balance) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, Self.balance)
    }
  }

  func fill(_ rows: Range<Int64>, of total: Int64, _ writer: any Writer) throws {
    preconditionFailure("the accounts are all there is")
  }

  func transaction(_ random: any RandomSource, _ now: Instant) -> ShapedTransaction {
    let first = 1 + Int(random.below(UInt64(accounts - 1)))
    let second = first + 1 + Int(random.below(UInt64(accounts - first)))
    let (debtor, creditor) = goesBothWays && random.below(2) == 1 ? (second, first) : (first, second)
    return ShapedTransaction { writer in
      try writer.send(
        "UPDATE bench_hot SET balance = balance - $2 WHERE id = $1 AND balance >= $2", debtor, 1, orElse: Overdrawn())
      try writer.send("UPDATE bench_hot SET balance = balance + $2 WHERE id = $1", creditor, 1)
    }
  }
}
