import Testing

@testable import Storage

/// What a table has grown to is known to the planner before autovacuum comes by.
@Suite struct StatisticsConformance {
  /// What is taken back counts as a change, so bodies run once here.
  private static let engines = Engine.all.filter { !$0.testDescription.contains("twice") }

  private static let tables = Migration(
    "young", 1, "tables",
    sql: """
      CREATE TABLE grown (id INTEGER NOT NULL, PRIMARY KEY (id));
      CREATE TABLE small (id INTEGER NOT NULL, PRIMARY KEY (id));
      """)

  /// Calls `body` with a database whose tables autovacuum leaves alone.
  private func withTables(_ engine: Engine, _ body: (any Database, StatisticsUpkeep) async throws -> Void) async throws
  {
    try await engine.withDatabase([Self.tables]) { database in
      try await database.write { writer in
        guard writer.dialect == .postgreSQL else { return }
        for table in ["grown", "small"] { try writer.send("ALTER TABLE \(table) SET (autovacuum_enabled = false)") }
      }
      try await body(database, StatisticsUpkeep())
    }
  }

  @Test(arguments: engines) func `a table that has grown is counted once, one that has hardly changed is not`(
    _ engine: Engine
  ) async throws {
    try await withTables(engine) { database, upkeep in
      #expect(try await !upkeep.step(database), "nothing has changed")
      try await Self.add(0..<999, to: "small", database)
      try await Self.add(0..<1_000, to: "grown", database)
      #expect(try await upkeep.step(database) == Self.counts(database))
      #expect(try await !upkeep.step(database), "it is counted")
      #expect(try await Self.rows(of: "grown", database) == (Self.counts(database) ? 1_000 : nil))
      #expect(try await Self.rows(of: "small", database) == (Self.counts(database) ? -1 : nil), "never counted")

      try await Self.add(1_000..<4_999, to: "grown", database)
      #expect(try await !upkeep.step(database), "less than four times as many")
      try await Self.add(4_999..<5_000, to: "grown", database)
      #expect(try await upkeep.step(database) == Self.counts(database))
      #expect(try await Self.rows(of: "grown", database) == (Self.counts(database) ? 5_000 : nil))
    }
  }

  /// As in an outbox, or among timers and leases.
  @Test(arguments: engines) func `a table whose rows change over and over is not counted for that`(
    _ engine: Engine
  ) async throws {
    try await withTables(engine) { database, upkeep in
      try await Self.add(0..<999, to: "small", database)
      try await Self.add(0..<1_000, to: "grown", database)
      #expect(try await upkeep.step(database) == Self.counts(database))
      for _ in 1...StatisticsUpkeep.growth {
        try await Self.change("UPDATE small SET id = id", database)
        try await Self.change("UPDATE grown SET id = id", database)
      }
      // What is there in the end counts, not how often it has been there.
      for _ in 1...StatisticsUpkeep.growth {
        try await Self.change("DELETE FROM small", database)
        try await Self.add(0..<999, to: "small", database)
      }
      #expect(try await !upkeep.step(database))
      #expect(try await Self.rows(of: "small", database) == (Self.counts(database) ? -1 : nil), "never counted")
    }
  }

  private static func counts(_ database: any Database) async throws -> Bool {
    try await database.read { $0.dialect == .postgreSQL }
  }

  private static func add(_ ids: Range<Int>, to table: String, _ database: any Database) async throws {
    let rows = ids.map { "(\($0))" }.joined(separator: ",")
    try await change("INSERT INTO \(table) (id) VALUES \(rows)", database)
  }

  private static func change(_ sql: String, _ database: any Database) async throws {
    try await database.write { writer in
      try writer.send(sql)
      // A connection tells of what it has changed once a second.
      if writer.dialect == .postgreSQL { try writer.forEachRow("SELECT pg_stat_force_next_flush()", []) { _ in true } }
    }
  }

  /// How many rows the planner believes in; −1: unknown, nil: it does not ask.
  private static func rows(of table: String, _ database: any Database) async throws -> Int? {
    try await database.read { reader in
      guard reader.dialect == .postgreSQL else { return nil }
      return try reader.first("SELECT CAST(reltuples AS bigint) FROM pg_class WHERE oid = to_regclass($1)", table) {
        $0[0]
      }
    }
  }
}
