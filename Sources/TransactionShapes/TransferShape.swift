public import Base
public import Storage

/// A transfer of a ledger: two conditional balance updates, the transfer, two entries that are appended and chained
/// from the account's row, and the request's idempotency row.
///
/// `Tests/Benchmarks/peers/plain_sqlite.c` runs the same statements.
public struct TransferShape: TransactionShape {
  /// What kind of UUIDs clients make.
  public enum Requests: String, Sendable {
    /// Version 7: they rise with time.
    case timeOrdered = "v7"
    /// Version 4.
    case random = "v4"
  }

  public let name = "transfers"
  private let requests: Requests
  private let keeping: RequestKeeping
  private let identifiers = IdentifierGenerator(clock: SystemClock())

  /// - Parameters:
  ///   - requests: what ids the requests have.
  ///   - keeping: how long they are kept; `.forever` is what a ledger does.
  public init(requests: Requests = .timeOrdered, keeping: RequestKeeping = .retention) {
    self.requests = requests
    self.keeping = keeping
  }

  /// The balance is larger than any run needs.
  private struct Overdrawn: Error {}

  private static let accounts = 100_000
  private static let keptPerOther: Int64 = 10
  private static let filledAtOnce = 128
  private static let balance = 1_000_000_000
  private static let hash = [UInt8](repeating: 5, count: 16)
  private static let reply = [UInt8](repeating: 6, count: 24)

  /// Its tables.
  public static let schema = Migration(
    "bench", 2, "a ledger",
    sql: """
      -- distributed by id
      CREATE TABLE bench_accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, last_entry INTEGER NOT NULL);
      -- distributed by id
      CREATE TABLE bench_transfers (
        id INTEGER PRIMARY KEY, debtor INTEGER NOT NULL, creditor INTEGER NOT NULL, amount INTEGER NOT NULL,
        created_at INTEGER NOT NULL);
      -- distributed by id
      CREATE TABLE bench_entries (
        id INTEGER PRIMARY KEY, account INTEGER NOT NULL, amount INTEGER NOT NULL, previous INTEGER NOT NULL);
      """)

  public func prepare(_ writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO bench_accounts (id, balance, last_entry) SELECT value, $2, 0 FROM \(Series.sql) WHERE true
      ON CONFLICT DO NOTHING
      """, Self.accounts - 1, Self.balance)
  }

  public func fill(_ rows: Range<Int64>, of total: Int64, _ writer: any Writer) throws {
    // The identifiers of a day ago, so that twice their number is still below those of the run.
    let first = (identifiers.next().rawValue - 86_400_000 << 22) + rows.lowerBound
    let last = Int64(rows.count) - 1
    try writer.execute(
      """
      INSERT INTO bench_transfers (id, debtor, creditor, amount, created_at)
      SELECT $2 + value, \(Series.spread(below: "$3")), value % $3, 5, 1767225600000000000 + value FROM \(Series.sql)
      """, last, first, Self.accounts)
    try writer.execute(
      """
      INSERT INTO bench_entries (id, account, amount, previous)
      SELECT 2 * $2 + value, \(Series.spread(below: "$3")), 5, 1 FROM \(Series.sql)
      """, last * 2 + 1, first, Self.accounts)
    try fillRequests(rows, of: total, writer)
  }

  /// As the storage layer makes them, but without a look-up.
  private func fillRequests(_ rows: Range<Int64>, of total: Int64, _ writer: any Writer) throws {
    let random = SystemRandomSource()
    var ids: [String: [[UInt8]]] = [:]
    for row in rows {
      // Of version 4 the first bytes are spread evenly, so that the next insert falls anywhere among them; in order,
      // because ten million inserts at random places would take an hour. Either way two thirds of a page are full.
      let leading = requests == .random ? UInt64(row) * (UInt64.max / UInt64(total)) : UInt64(row)
      func add(_ table: String) {
        ids[table, default: []].append(Self.bytes(leading) + Self.bytes(random.next()))
      }
      guard keeping == .forever else {
        add("octet_requests")
        continue
      }
      add("octet_requests_kept")
      // Requests that are not kept lie in the generations, which are looked into as well.
      if row % Self.keptPerOther == 0 { for table in ["octet_requests", "octet_requests_b"] { add(table) } }
    }
    for (table, ids) in ids {
      var rest = ids[...]
      while !rest.isEmpty {
        let count = rest.count >= Self.filledAtOnce ? Self.filledAtOnce : 1
        try insert(rest.prefix(count), table, writer)
        rest = rest.dropFirst(count)
      }
    }
  }

  private func insert(_ ids: ArraySlice<[UInt8]>, _ table: String, _ writer: any Writer) throws {
    let values = ids.indices.map { "($\($0 - ids.startIndex + 4), 1, 1, $1, $2, $3)" }
    _ = try writer.send(
      """
      INSERT INTO \(table) (request_id, caller, method, hash, reply, created_at)
      VALUES \(values.joined(separator: ", ")) ON CONFLICT DO NOTHING
      """,
      [.blob(Self.hash), .blob(Self.reply), Instant(seconds: 1_767_225_600).sqlValue] + ids.map { .blob($0) },
      mustChange: false)
  }

  public func transaction(_ random: any RandomSource, _ now: Instant) -> ShapedTransaction {
    let debtor = Int64(random.below(UInt64(Self.accounts)))
    let creditor = debtor + 1 + Int64(random.below(UInt64(Self.accounts - 1)))
    return transaction(from: debtor, to: creditor, 5, random, now)
  }

  /// A transfer that somebody has asked for, under a request id that is drawn.
  /// - Parameter debtor: accounts of any number are taken for one that there is.
  public func transaction(
    from debtor: Int64, to creditor: Int64, _ amount: Int64, _ random: any RandomSource, _ now: Instant
  ) -> ShapedTransaction {
    let id = identifiers.next().rawValue
    let time = UInt64(id) >> 22
    // The version is in the bits from 12 to 15.
    let leading =
      requests == .random ? random.next() & ~0xf000 | 0x4000 : time << 16 | 0x7000 | UInt64(id & 0xfff)
    let text = UUIDText.text(Self.bytes(leading) + Self.bytes(random.next()))
    guard let key = RequestKey(caller: Identifier(rawValue: 1), method: "bench", requestID: text, keeping: keeping)
    else {
      preconditionFailure("\(text) is no UUID")
    }
    let accounts = Int64(Self.accounts)
    let (debtor, creditor) = (debtor % accounts, creditor % accounts)
    return ShapedTransaction(key) { writer in
      _ = try writer.once(key, hash: Self.hash, now: now) {
        try Self.enter(2 * id, debtor, -amount, writer)
        try Self.enter(2 * id + 1, creditor, amount, writer)
        try writer.send(
          "INSERT INTO bench_transfers (id, debtor, creditor, amount, created_at) VALUES ($1, $2, $3, $4, $5)",
          id, debtor, creditor, amount, now)
        return Self.reply
      }
    }
  }

  /// One side of a transfer: an entry that is chained to the account's last one, and the balance.
  private static func enter(_ entry: Int64, _ account: Int64, _ amount: Int64, _ writer: any Writer) throws {
    try writer.send(
      """
      INSERT INTO bench_entries (id, account, amount, previous)
      SELECT $1, id, $3, last_entry FROM bench_accounts WHERE id = $2
      """, entry, account, amount)
    try writer.send(
      "UPDATE bench_accounts SET balance = balance + $2, last_entry = $3 WHERE id = $1 AND balance + $2 >= 0",
      account, amount, entry, orElse: Overdrawn())
  }

  private static func bytes(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
  }
}
