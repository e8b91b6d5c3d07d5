import Base
import Storage
import Testing

/// Many writers of the same few rows: they wait for each other, and nobody is refused.
@Suite struct HotRowConformance {
  private static let callers = 32
  private static let transfers = 25

  private static func move(from debtor: Int, to creditor: Int, _ writer: any Writer) throws {
    let taken = try writer.execute(
      "UPDATE accounts SET balance = balance - 1 WHERE id = $1 AND balance >= 1", debtor)
    #expect(taken == 1)
    try writer.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", creditor)
  }

  /// - Parameter order: the accounts of a caller's transfer, by the caller's and the transfer's number.
  private func run(
    _ engine: Engine, accounts: Int, _ order: @escaping @Sendable (Int, Int) -> (debtor: Int, creditor: Int)
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let money = Self.callers * Self.transfers
      try await database.write { writer in
        for id in 1...accounts {
          try writer.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, $3)", id, "a\(id)", money)
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for caller in 0..<Self.callers {
          group.addTask {
            for number in 0..<Self.transfers {
              let (debtor, creditor) = order(caller, number)
              try await database.write { try Self.move(from: debtor, to: creditor, $0) }
            }
          }
        }
        try await group.waitForAll()
      }
      var expected = [Int](repeating: money, count: accounts)
      for caller in 0..<Self.callers {
        for number in 0..<Self.transfers {
          let (debtor, creditor) = order(caller, number)
          expected[debtor - 1] -= 1
          expected[creditor - 1] += 1
        }
      }
      let balances: [Int] = try await database.read {
        try $0.rows("SELECT balance FROM accounts ORDER BY id") { $0[0] }
      }
      #expect(balances == expected)
    }
  }

  @Test(arguments: Engine.all) func `two rows that all write, in one order`(engine: Engine) async throws {
    try await run(engine, accounts: 2) { _, _ in (1, 2) }
  }

  @Test(arguments: Engine.all) func `two rows that all write, half of them the other way round`(
    engine: Engine
  ) async throws {
    try await run(engine, accounts: 2) { caller, _ in caller % 2 == 0 ? (1, 2) : (2, 1) }
  }

  @Test(arguments: Engine.all) func `a handful of rows in every order`(engine: Engine) async throws {
    try await run(engine, accounts: 5) { caller, number in
      let debtor = (caller * 7 + number * 3) % 5
      return (debtor + 1, (debtor + 1 + (caller + number) % 4) % 5 + 1)
    }
  }
}
