import Base
import Storage
import Testing

@Suite(.timeLimit(.minutes(60)))
struct TransactionConformance {
  private struct Refused: Error, Equatable {}

  private func names(_ database: any Database) async throws -> [String] {
    try await database.read { try $0.rows("SELECT name FROM accounts ORDER BY name") { $0[0] } }
  }

  private func balance(_ database: any Database, _ id: Int) async throws -> Int? {
    try await database.read { try $0.first("SELECT balance FROM accounts WHERE id = $1", id) { $0[0] } }
  }

  @Test(arguments: Engine.all) func `an acknowledged write is seen by every later read`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      for n in 1...50 {
        try await database.write {
          try $0.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)", n, "a\(n)")
        }
        let count: Int? = try await database.read { try $0.first("SELECT count(*) FROM accounts") { $0[0] } }
        #expect(count == n)
      }
    }
  }

  @Test(arguments: Engine.all) func `a body that throws leaves nothing behind`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      await #expect(throws: Refused()) {
        try await database.write { writer in
          try writer.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)")
          throw Refused()
        }
      }
      let remaining = try await names(database)
      #expect(remaining.isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `a failed statement ends its transaction, even if its error is caught`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)") }
      let error = await storageError {
        try await database.write { writer in
          try writer.execute("INSERT INTO accounts (id, name, balance) VALUES (2, 'bob', 0)")
          _ = try? writer.execute("INSERT INTO accounts (id, name, balance) VALUES (3, 'ann', 0)")
        }
      }
      #expect(error?.code == .uniqueViolation)
      let remaining = try await names(database)
      #expect(remaining == ["ann"])
    }
  }

  @Test(arguments: Engine.all) func `one transaction's failure does not touch the others of its batch`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let failures = await withTaskGroup(of: Bool.self) { group in
        for n in 1...200 {
          group.addTask {
            do {
              try await database.write { writer in
                try writer.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)", n, "a\(n)")
                if n % 5 == 0 { throw Refused() }
                if n % 7 == 0 { try writer.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, '', 0)", n) }
              }
              return false
            } catch {
              return true
            }
          }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      let expected = (1...200).filter { $0 % 5 != 0 && $0 % 7 != 0 }
      #expect(failures == 200 - expected.count)
      let remaining = try await names(database)
      #expect(remaining == expected.map { "a\($0)" }.sorted())
    }
  }

  @Test(arguments: Engine.all) func `conditional updates of concurrent callers lose nothing`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 150)") }
      let winners = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<400 {
          group.addTask {
            let changed = try? await database.write {
              try $0.execute("UPDATE accounts SET balance = balance - 1 WHERE id = $1 AND balance >= 1", 1)
            }
            return changed == 1
          }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(winners == 150)
      #expect(try await balance(database, 1) == 0)
    }
  }

  @Test(arguments: Engine.all) func `a row read for update stays as it is until the commit`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)") }
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<100 {
          group.addTask {
            _ = try? await database.write { writer in
              let balance: Int? = try writer.firstForUpdate("SELECT balance FROM accounts WHERE id = $1", 1) { $0[0] }
              try writer.execute("UPDATE accounts SET balance = $2 WHERE id = $1", 1, (balance ?? 0) + 1)
            }
          }
        }
      }
      #expect(try await balance(database, 1) == 100)
    }
  }

  @Test(arguments: Engine.all) func `a read sees one state, whatever commits meanwhile`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 1)") }
      let hasBegun = ParkingSpot()
      let hasCommitted = BlockingQueue<Void>(limit: 1)
      async let seen = database.read { reader in
        let before: Int? = try reader.first("SELECT balance FROM accounts WHERE id = 1") { $0[0] }
        hasBegun.unpark()
        _ = hasCommitted.pop(atMost: 1)
        let after: Int? = try reader.first("SELECT balance FROM accounts WHERE id = 1") { $0[0] }
        return [before, after]
      }
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { hasCommitted.close() }
      try await hasBegun.park()
      try await database.write { try $0.execute("UPDATE accounts SET balance = 2 WHERE id = 1") }
      try hasCommitted.push(())
      #expect(try await seen == [1, 1])
      #expect(try await balance(database, 1) == 2)
    }
  }

  @Test(arguments: Engine.all) func `actions run after the commit, in its order, and never after a rollback`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let committed = Locked<[Int]>([])
      try await database.write { writer in
        try writer.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'counter', 0)")
      }
      await withTaskGroup(of: Void.self) { group in
        for n in 1...100 {
          group.addTask {
            _ = try? await database.write { writer in
              let place: Int? = try writer.first(
                "UPDATE accounts SET balance = balance + 1 WHERE id = 1 RETURNING balance"
              ) { $0[0] }
              writer.afterCommit { committed.withLock { $0.append(place ?? 0) } }
              if n % 3 == 0 { throw Refused() }
            }
          }
        }
      }
      let order = committed.withLock { $0 }
      #expect(order == Array(1...67))
      let count = try await balance(database, 1)
      #expect(count == 67)
    }
  }

  @Test(arguments: Engine.all) func `a body that asks for it is run again, but not for ever`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let runs = Locked(0)
      try await database.write { writer in
        try writer.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)")
        if runs.withLock({
          $0 += 1
          return $0
        }) < 4 {
          throw RetryTransaction()
        }
      }
      let remaining = try await names(database)
      #expect(remaining == ["ann"])
      let error = await storageError { try await database.write { _ in throw RetryTransaction() } }
      #expect(error?.code == .conflict)
      #expect(error?.isTransient == true)
    }
  }

  @Test(arguments: Engine.all) func `a read cannot write`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let error = await storageError {
        try await database.read { reader in
          try reader.query("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)", []) { _ in }
        }
      }
      #expect(error?.code == .invalidStatement)
      let remaining = try await names(database)
      #expect(remaining.isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `a closed database finishes what it took and refuses the rest`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let outcomes = await withTaskGroup(of: StorageError.Code?.self) { group in
        for n in 1...100 {
          group.addTask {
            do {
              try await database.write {
                try $0.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)", n, "a\(n)")
              }
              return nil
            } catch let error as StorageError {
              return error.code
            } catch {
              return .engine
            }
          }
        }
        group.addTask {
          await database.close()
          return nil
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.allSatisfy { $0 == nil || $0 == .closed })
      let error = await storageError { try await database.read { _ in } }
      #expect(error?.code == .closed)
    }
  }

  @Test(arguments: Engine.all) func `a cancelled task does not begin a transaction`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let task = Task {
        // Waits until it is cancelled, so that the call below begins in a cancelled task.
        try? await Task.sleep(for: .seconds(60))
        try await database.write {
          try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)")
        }
      }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      let remaining = try await names(database)
      #expect(remaining.isEmpty)
    }
  }
}
