import Base
import Storage
import Testing

@Suite struct StatementConformance {
  @Test(arguments: Engine.all) func `values of every type come back as they went in`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.values]) { database in
      let integers: [Int64?] = [0, -1, .max, .min, nil]
      let doubles: [Double?] = [0, -1.5, .greatestFiniteMagnitude, .infinity, nil]
      let texts: [String?] = ["", "'quoted' $1 ?1", "zażółć 🚕", String(repeating: "x", count: 100_000), nil]
      let blobs: [[UInt8]?] = [[], [0], [0, 255, 0], [UInt8](repeating: 7, count: 100_000), nil]
      try await database.write { writer in
        for n in 0..<5 {
          try writer.execute(
            "INSERT INTO samples (id, i, d, t, b) VALUES ($1, $2, $3, $4, $5)",
            n, integers[n], doubles[n], texts[n], blobs[n])
        }
      }
      let rows = try await database.read { reader in
        try reader.rows("SELECT i, d, t, b FROM samples ORDER BY id") { row in
          (i: row[0] as Int64?, d: row[1] as Double?, t: row[2] as String?, b: row[3] as [UInt8]?)
        }
      }
      #expect(rows.map(\.i) == integers)
      #expect(rows.map(\.d) == doubles)
      #expect(rows.map(\.t) == texts)
      #expect(rows.map(\.b) == blobs)
    }
  }

  @Test(arguments: Engine.all) func `identifiers, instants and booleans have their own types`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.values]) { database in
      let id = Identifier(rawValue: 1 << 60)
      let now = Instant(nanoseconds: 1_767_225_600_123_456_789)
      try await database.write { writer in
        try writer.execute("INSERT INTO samples (id, i) VALUES ($1, $2)", id, now)
        try writer.execute("INSERT INTO samples (id, i) VALUES ($1, $2)", 2, true)
      }
      try await database.read { reader in
        let first = try reader.first("SELECT id, i FROM samples WHERE id = $1", id) { row in
          (row[0] as Identifier, row[1] as Instant)
        }
        #expect(first?.0 == id && first?.1 == now)
        #expect(try reader.first("SELECT i FROM samples WHERE id = 2") { $0[0] as Bool } == true)
      }
    }
  }

  @Test(arguments: Engine.all) func `parameters go by their numbers, in any order and more than once`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase { database in
      let row = try await database.read { reader in
        // The literal and the comment only look like parameters.
        try reader.first(
          "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT), '$3' -- $4", "one", "two"
        ) { [$0[0], $0[1], $0[2], $0[3]] as [String] }
      }
      #expect(row == ["two", "one", "two", "$3"])
    }
  }

  @Test(arguments: Engine.all) func `a wrong number of arguments is refused`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.values]) { database in
      let error = await storageError {
        try await database.write { try $0.execute("INSERT INTO samples (id, i) VALUES ($1, $2)", 1) }
      }
      #expect(error?.code == .invalidStatement)
    }
  }

  @Test(arguments: Engine.all) func `errors name the statement and hide its arguments`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let insert = "INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)"
      try await database.write { try $0.execute(insert, 1, "secret-name") }
      let error = await storageError { try await database.write { try $0.execute(insert, 2, "secret-name") } }
      #expect(error?.sql == insert)
      #expect(error?.description.contains("secret-name") == false)
    }
  }

  @Test(arguments: Engine.all) func `constraints have codes of their own`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let cases: [(String, StorageError.Code)] = [
        ("INSERT INTO accounts (id, name, balance) VALUES (1, 'bob', 0)", .uniqueViolation),
        ("INSERT INTO accounts (id, name, balance) VALUES (2, 'ann', 0)", .uniqueViolation),
        ("INSERT INTO accounts (id, name, balance) VALUES (2, 'bob', -1)", .checkViolation),
        ("INSERT INTO accounts (id, name, balance) VALUES (2, NULL, 0)", .checkViolation),
        ("INSERT INTO accounts (id, name, balance) VALUES (2, 'bob', 'much')", .checkViolation),
        ("INSERT INTO transfers (id, account, amount) VALUES (1, 9, 5)", .foreignKeyViolation),
        ("INSERT INTO nowhere (id) VALUES (1)", .invalidStatement),
        ("no SQL at all", .invalidStatement),
      ]
      try await database.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)") }
      for (sql, code) in cases {
        let error = await storageError { try await database.write { try $0.execute(sql) } }
        #expect(error?.code == code, "\(sql)")
      }
    }
  }

  @Test(arguments: Engine.all) func `a text with the character U+0000 is refused, and harms nobody else of its batch`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let refused = await withTaskGroup(of: Int?.self) { group in
        for n in 1...100 {
          group.addTask {
            let name = n % 9 == 0 ? "a\u{0}\(n)" : "a\(n)"
            let error = await optionalStorageError {
              try await database.write { writer in
                try writer.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)", n, name)
              }
            }
            if let error { #expect(error.code == .invalidText && !error.isTransient) }
            return error.map { _ in n }
          }
        }
        return await group.reduce(into: Set<Int>()) { found, n in _ = n.map { found.insert($0) } }
      }
      #expect(refused == Set((1...100).filter { $0 % 9 == 0 }))
      let stored: [Int] = try await database.read { try $0.rows("SELECT id FROM accounts ORDER BY id") { $0[0] } }
      #expect(stored == (1...100).filter { $0 % 9 != 0 })
    }
  }

  @Test(arguments: Engine.all) func `reading a column as another type fails the statement`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.values]) { database in
      try await database.write { try $0.execute("INSERT INTO samples (id, i, t) VALUES (1, NULL, 'x')") }
      for sql in ["SELECT i FROM samples", "SELECT t FROM samples"] {
        let error = await storageError {
          _ = try await database.read { try $0.rows(sql) { $0[0] as Int64 } }
        }
        #expect(error?.code == .typeMismatch)
      }
    }
  }

  @Test(arguments: Engine.all) func `a statement may run inside the rows of the same statement`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase([Fixture.values]) { database in
      try await database.write { writer in
        for n in 1...3 { try writer.execute("INSERT INTO samples (id) VALUES ($1)", n) }
      }
      let pairs = try await database.read { reader in
        try reader.rows("SELECT id FROM samples ORDER BY id") { outer in
          let inner: [Int] = try reader.rows("SELECT id FROM samples ORDER BY id") { $0[0] }
          return inner.map { (outer[0] as Int) * 10 + $0 }
        }
      }
      #expect(pairs == [[11, 12, 13], [21, 22, 23], [31, 32, 33]])
    }
  }

  @Test(arguments: Engine.all) func `a result is left as soon as the reader has enough`(engine: Engine) async throws {
    try await engine.withDatabase { database in
      let seen = try await database.read { reader in
        var seen = 0
        try reader.forEachRow(
          "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000) SELECT x FROM n", []
        ) { _ in
          seen += 1
          return seen < 10
        }
        return seen
      }
      #expect(seen == 10)
    }
  }

  @Test(arguments: Engine.all) func `the common SQL works`(engine: Engine) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { writer in
        let upsert = """
          INSERT INTO accounts (id, name, balance) VALUES ($1, $2, $3)
          ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + excluded.balance RETURNING balance
          """
        #expect(try writer.first(upsert, 1, "ann", 5) { $0[0] as Int } == 5)
        #expect(try writer.first(upsert, 1, "ann", 5) { $0[0] as Int } == 10)
        #expect(
          try writer.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'x', 0) ON CONFLICT DO NOTHING") == 0)
        #expect(try writer.execute("UPDATE accounts SET balance = 0 WHERE id = 99") == 0)
        #expect(try writer.exists("SELECT 1 FROM accounts WHERE (name, id) > ($1, $2)", "ann", 0))
        let others: Int? = try writer.first(
          "SELECT count(*) FILTER (WHERE balance IS DISTINCT FROM 10) FROM accounts"
        ) { $0[0] }
        #expect(others == 0)
        #expect(try writer.execute("DELETE FROM accounts") == 1)
      }
    }
  }
}
