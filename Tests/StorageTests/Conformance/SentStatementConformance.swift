import Base
import Storage
import Testing

/// Statements whose count nobody wants: an engine may go on before they are done, and nobody sees that.
@Suite struct SentStatementConformance {
  private struct Refused: Error, Equatable {}

  private static let insert = "INSERT INTO accounts (id, name, balance) VALUES ($1, $2, $3)"

  private func balances(_ database: any Database) async throws -> [Int] {
    try await database.read { try $0.rows("SELECT balance FROM accounts ORDER BY id") { $0[0] } }
  }

  @Test(arguments: Engine.all) func `what was sent is there for the next that is asked, and after the commit`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let seen: [Int] = try await database.write { writer in
        var seen: [Int] = []
        for id in 1...3 {
          try writer.send(Self.insert, id, "a\(id)", id)
          try writer.send("UPDATE accounts SET balance = balance * 10 WHERE id = $1", id, orElse: Refused())
          seen += try writer.rows("SELECT balance FROM accounts WHERE id = $1", id) { $0[0] }
          seen.append(try writer.execute("UPDATE accounts SET balance = balance + 1"))
        }
        return seen
      }
      #expect(seen == [10, 1, 20, 2, 30, 3])
      #expect(try await balances(database) == [13, 22, 31])
    }
  }

  @Test(arguments: Engine.all) func `a sent statement that fails is the one that is blamed`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute(Self.insert, 1, "ann", 0) }
      for asksAfterwards in [false, true] {
        let error = await storageError {
          try await database.write { writer in
            try writer.send(Self.insert, 2, "bob", 0)
            try writer.send("INSERT INTO accounts (id, name, balance) VALUES (3, 'ann', 0)")
            try writer.send(Self.insert, 4, "cid", 0)
            if asksAfterwards { _ = try writer.exists("SELECT 1 FROM accounts") }
          }
        }
        #expect(error?.code == .uniqueViolation)
        #expect(error?.sql?.contains("(3, 'ann', 0)") == true, "\(String(describing: error))")
        #expect(try await balances(database) == [0])
      }
    }
  }

  @Test(arguments: Engine.all) func `a body that catches the failure of what it sent has failed all the same`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute(Self.insert, 1, "ann", 0) }
      let error = await storageError {
        try await database.write { writer in
          try writer.send(Self.insert, 2, "bob", 0)
          try? writer.send(Self.insert, 1, "cid", 0)
          _ = try? writer.exists("SELECT 1 FROM accounts")
        }
      }
      #expect(error?.code == .uniqueViolation)
      #expect(try await balances(database) == [0])
    }
  }

  @Test(arguments: Engine.all) func `the failure comes where it can be translated`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute(Self.insert, 1, "ann", 0) }
      await #expect(throws: Refused()) {
        try await database.write { writer in
          do {
            try writer.send(Self.insert, 2, "ann", 0)
          } catch let error as StorageError where error.code == .uniqueViolation {
            throw Refused()
          }
          try writer.send(Self.insert, 3, "bob", 0)
        }
      }
      #expect(try await balances(database) == [0])
    }
  }

  @Test(arguments: Engine.all) func `what changes nothing but must is refused, and nothing is written`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute(Self.insert, 1, "ann", 5) }
      let took = Locked(0)
      for asksAfterwards in [false, true] {
        await #expect(throws: Refused()) {
          try await database.write { writer in
            writer.afterCommit { took.withLock { $0 += 1 } }
            try writer.send(Self.insert, 2, "bob", 0)
            try writer.send(
              "UPDATE accounts SET balance = balance - $2 WHERE id = $1 AND balance >= $2", 1, 6, orElse: Refused())
            if asksAfterwards { _ = try writer.exists("SELECT 1 FROM accounts") }
          }
        }
      }
      #expect(try await balances(database) == [5])
      #expect(took.withLock { $0 } == 0)
      try await database.write { writer in
        try writer.send(
          "UPDATE accounts SET balance = balance - $2 WHERE id = $1 AND balance >= $2", 1, 5, orElse: Refused())
      }
      #expect(try await balances(database) == [0])
    }
  }

  @Test(arguments: Engine.all) func `a condition that asks for another run gets it, for as long as it may`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let runs = Locked(0)
      let error = await storageError {
        try await database.write { writer in
          runs.withLock { $0 += 1 }
          try writer.send("UPDATE accounts SET balance = 1 WHERE id = 1", orElse: RetryTransaction())
        }
      }
      #expect(error?.code == .conflict && error?.isTransient == true)
      #expect(runs.withLock { $0 } > 2)
    }
  }

  @Test(arguments: Engine.all) func `a body that throws leaves nothing of what it sent`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      for number in 1...20 {
        // Which of the two errors it is depends on whether the engine knows of the first one yet.
        await #expect(throws: (any Error).self) {
          try await database.write { writer in
            try writer.send(Self.insert, number, "a\(number)", 0)
            // One that fails must not take the end of the transaction with it.
            if number % 2 == 0 { try writer.send(Self.insert, number, "b\(number)", 0) }
            throw Refused()
          }
        }
      }
      #expect(try await balances(database).isEmpty)
      try await database.write { try $0.send(Self.insert, 1, "ann", 7) }
      #expect(try await balances(database) == [7])
    }
  }

  @Test(arguments: Engine.all) func `actions keep the order of the commits, though nothing was waited for`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute(Self.insert, 1, "counter", 0) }
      let actions = Locked<[Int]>([])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 2...150 {
          group.addTask {
            try await database.write { writer in
              try writer.send("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
              // Its place in the order, as the database knows it.
              try writer.send(
                """
                INSERT INTO accounts (id, name, balance)
                SELECT $1, CAST($1 AS TEXT), balance FROM accounts WHERE id = 1
                """, number)
              writer.afterCommit { actions.withLock { $0.append(number) } }
            }
          }
        }
        try await group.waitForAll()
      }
      let order: [Int] = try await database.read { reader in
        try reader.rows("SELECT id FROM accounts WHERE id > 1 ORDER BY balance") { $0[0] }
      }
      #expect(actions.withLock { $0 } == order)
    }
  }
}
