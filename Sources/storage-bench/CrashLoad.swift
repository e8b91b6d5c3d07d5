import Base
import Cryptography
import Storage
import Streaming

/// The mixed load of the crash tests: orders that set a timer and leave a message, transfers, topic events, refusals,
/// and the same request twice at once. The first call of a run repeats requests that an earlier run may have finished.
///
/// The tables have no unique keys where a doubled effect would show.
struct CrashLoad {
  let database: any Database
  let hub: TopicHub
  let timers: Timers
  let outbox: Outbox
  let clock: any WallClock
  /// Is told of everything that has been acknowledged, a line each.
  let acknowledge: @Sendable (String) -> Void

  static let accounts = 20
  static let balance: Int64 = 1000
  static let channel = "crash"
  static let timer = "crash"

  /// Requests that a caller repeats when it begins: more than it can have had under way.
  private static let repeated = 3

  static let schema = Migration(
    "crash", 1, "what the crash tests write",
    sql: """
      CREATE TABLE crash_numbers (topic TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (topic, number))
        WITHOUT ROWID;
      CREATE TABLE crash_orders (
        id INTEGER PRIMARY KEY AUTOINCREMENT, caller INTEGER NOT NULL, number INTEGER NOT NULL);
      CREATE INDEX crash_orders_caller ON crash_orders (caller, number);
      CREATE TABLE crash_rung (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL);
      CREATE TABLE crash_accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));
      CREATE TABLE crash_transfers (
        id INTEGER PRIMARY KEY AUTOINCREMENT, caller INTEGER NOT NULL, number INTEGER NOT NULL,
        debtor INTEGER NOT NULL, creditor INTEGER NOT NULL, amount INTEGER NOT NULL);
      """)

  private struct Refusal: Error {}

  /// Runs until the process is killed.
  func run(callers: Int) async throws {
    try await insist {
      try await database.write { writer in
        for account in 0..<Self.accounts {
          try writer.execute(
            "INSERT INTO crash_accounts (id, balance) VALUES ($1, $2) ON CONFLICT DO NOTHING", account, Self.balance)
        }
      }
    }
    timers.handle(Self.timer) { writer, timer in
      try writer.execute("INSERT INTO crash_rung (key) VALUES ($1)", timer.key)
    }
    outbox.deliver(Self.channel) { entry in
      acknowledge("out \(entry.id) \(String(decoding: entry.payload, as: UTF8.self))\n")
    }
    timers.start { _ in }
    outbox.start { _ in }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for caller in 0..<callers {
        group.addTask { try await call(caller) }
      }
      try await group.waitForAll()
    }
  }

  private func call(_ caller: Int) async throws {
    let last: Int? = try await insist {
      try await database.read { reader in
        try reader.first("SELECT max(number) FROM crash_orders WHERE caller = $1", caller) { $0[0] as Int? } ?? nil
      }
    }
    var number = max(1, (last ?? 0) - Self.repeated)
    while true {
      let now = number
      if number % 8 == 0 {
        async let twin = order(caller, now)
        let first = try await order(caller, now)
        let second = try await twin
        precondition(first == second, "one request, two orders")
      }
      acknowledge("order \(caller) \(number) \(try await order(caller, number))\n")
      acknowledge("transfer \(caller) \(number) \(try await transfer(caller, number))\n")
      let (topic, sequence) = try await publish(caller)
      acknowledge("topic \(topic) \(sequence)\n")
      if number % 5 == 0 { try await refuse(caller) }
      number += 1
    }
  }

  private func order(_ caller: Int, _ number: Int) async throws -> Int64 {
    try await once("order", caller, number) { writer in
      let id: Int64? = try writer.first(
        "INSERT INTO crash_orders (caller, number) VALUES ($1, $2) RETURNING id", caller, number
      ) { $0[0] }
      let key = "\(caller) \(number)"
      try timers.set(Self.timer, key: key, due: clock.now() + .milliseconds(number % 3 * 10), in: writer)
      try outbox.append(Self.channel, Array(key.utf8), in: writer)
      return id ?? 0
    }
  }

  private func transfer(_ caller: Int, _ number: Int) async throws -> Int64 {
    try await once("transfer", caller, number) { writer in
      let debtor = (caller * 7 + number) % Self.accounts
      let creditor = (debtor + 1 + number % (Self.accounts - 1)) % Self.accounts
      let amount = 1 + number % 50
      let taken = try writer.execute(
        "UPDATE crash_accounts SET balance = balance - $2 WHERE id = $1 AND balance >= $2", debtor, amount)
      // An account without the money: a reply as good as any, and stored like one.
      if taken == 0 { return 0 }
      try writer.send("UPDATE crash_accounts SET balance = balance + $2 WHERE id = $1", creditor, amount)
      let id: Int64? = try writer.first(
        """
        INSERT INTO crash_transfers (caller, number, debtor, creditor, amount) VALUES ($1, $2, $3, $4, $5) RETURNING id
        """, caller, number, debtor, creditor, amount
      ) { $0[0] }
      return id ?? 0
    }
  }

  private func publish(_ caller: Int) async throws -> (topic: String, sequence: UInt64) {
    let topic = Topic("crash", String(caller % 8))
    // Without a key: what a database that was killed has left unknown may be there, and is written again.
    let sequence = try await insist {
      try await database.write { writer in
        let sequence = try hub.publish(topic, [1, 2, 3], in: writer)
        try writer.execute("INSERT INTO crash_numbers (topic, number) VALUES ($1, $2)", topic.name, sequence)
        return sequence
      }
    }
    return (topic.name, sequence)
  }

  /// A transaction that changes its mind after it has written: nothing of it may stay.
  private func refuse(_ caller: Int) async throws {
    do {
      try await insist {
        try await database.write { writer in
          try writer.execute("UPDATE crash_accounts SET balance = balance + 1 WHERE id = $1", caller % Self.accounts)
          throw Refusal()
        }
      }
    } catch is Refusal {
      return
    }
  }

  /// Runs `body` under an idempotency key; its result is the stored reply.
  private func once(
    _ method: String, _ caller: Int, _ number: Int, _ body: @escaping @Sendable (any Writer) throws -> Int64
  ) async throws -> Int64 {
    let id = "00000000-0000-7\(padded(caller, 3))-8000-\(padded(number, 12))"
    guard let key = RequestKey(caller: Identifier(rawValue: Int64(caller)), method: method, requestID: id) else {
      preconditionFailure("\(id) is no UUID")
    }
    let reply = try await insist {
      try await database.write { writer in
        try writer.once(key, hash: [1], now: clock.now()) { Array(String(try body(writer)).utf8) }.reply
      }
    }
    guard let value = Int64(String(decoding: reply, as: UTF8.self)) else {
      preconditionFailure("a stored reply is not what was stored")
    }
    return value
  }

  /// Repeats what a database that is away has refused or left unknown, as a client would do it.
  private func insist<Result>(_ body: () async throws -> Result) async throws -> Result {
    while true {
      do {
        return try await body()
      } catch let error as StorageError where error.isTransient {
        await Task.yield()
      }
    }
  }

  private func padded(_ number: Int, _ digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: digits - text.count) + text
  }
}
