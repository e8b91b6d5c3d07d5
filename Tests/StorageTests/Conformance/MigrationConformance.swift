import Base
import PostgreSQLServer
import Storage
import Testing

@Suite struct MigrationConformance {
  private static let first = Migration("parts", 1, "parts", sql: "CREATE TABLE parts (id INTEGER PRIMARY KEY);")
  private static let second = Migration(
    "parts", 2, "names", sql: "ALTER TABLE parts ADD COLUMN name TEXT; CREATE INDEX parts_name ON parts (name);")

  @Test(arguments: Engine.all) func `what is missing is applied, what is there is left alone`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Self.first], clock: clock) { database in
      try await database.write { try $0.execute("INSERT INTO parts (id) VALUES (1)") }
      for _ in 0..<2 {
        try await Migrator([Self.first, Self.second], clock: clock).migrate(database)
      }
      let names = try await database.read { try $0.rows("SELECT name FROM parts") { $0[0] as String? } }
      #expect(names == [nil])
    }
  }

  @Test(arguments: Engine.all) func `columns may be named like types, and a key may follow a type`(
    engine: Engine
  ) async throws {
    let migration = Migration(
      "parts", 1, "parts",
      sql: """
        CREATE TABLE parts (
          text TEXT NOT NULL, blob BLOB, "integer" INTEGER NOT NULL,
          PRIMARY KEY (text, "integer")) WITHOUT ROWID;
        CREATE INDEX parts_text ON parts (text, blob) WHERE text <> 'INTEGER';
        """)
    try await engine.withDatabase([migration]) { database in
      let largest = Int64.max
      let found = try await database.write { writer in
        try writer.execute("INSERT INTO parts (text, blob, \"integer\") VALUES ('a', $1, $2)", [UInt8(1)], largest)
        return try writer.first("SELECT \"integer\" FROM parts WHERE text = 'a'") { $0.integer(0) }
      }
      #expect(found == largest)
    }
  }

  @Test(arguments: Engine.all) func `nodes that start together apply each step once`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask { try await Migrator([Self.first, Self.second], clock: clock).migrate(database) }
        }
        try await group.waitForAll()
      }
      let applied: Int? = try await database.read {
        try $0.first("SELECT count(*) FROM octet_migrations WHERE component = 'parts'") { $0[0] }
      }
      #expect(applied == 2)
    }
  }

  @Test(arguments: Engine.all) func `a step that was edited after its release is refused`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Self.first], clock: clock) { database in
      let edited = Migration("parts", 1, "parts", sql: "CREATE TABLE parts (id INTEGER PRIMARY KEY, extra TEXT);")
      let error = await storageError { try await Migrator([edited], clock: clock).migrate(database) }
      #expect(error?.code == .schemaMismatch)
    }
  }

  @Test(arguments: Engine.all) func `comments may change`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Self.first], clock: clock) { database in
      let commented = Migration(
        "parts", 1, "parts", sql: "-- What rides are made of.\nCREATE TABLE parts (id INTEGER PRIMARY KEY);")
      try await Migrator([commented], clock: clock).migrate(database)
    }
  }

  @Test(arguments: Engine.all) func `a step that fails half-way leaves nothing behind`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let before = try await database.schemaText()
      let broken = Migration(
        "parts", 1, "parts", sql: "CREATE TABLE parts (id INTEGER PRIMARY KEY); CREATE TABLE parts (id INTEGER);")
      let error = await storageError { try await Migrator([broken], clock: clock).migrate(database) }
      #expect(error?.code == .invalidStatement)
      #expect(try await database.schemaText() == before)
    }
  }

  @Test(arguments: Engine.all) func `steps of a newer version are left alone`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Self.first, Self.second], clock: clock) { database in
      try await Migrator([Self.first], clock: clock).migrate(database)
    }
  }

  @Test(arguments: Engine.all) func `a step with indexes of tables in use goes on where it was broken off`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    let step = Migration(
      "parts", 3, "sizes",
      sql: """
        ALTER TABLE parts ADD COLUMN size INTEGER;
        CREATE INDEX parts_size ON parts (size) WHERE size IS NOT NULL;
        ALTER TABLE parts ADD COLUMN weight INTEGER;
        CREATE INDEX parts_weight ON parts (weight);
        """)
    let all = [Self.first, Self.second, step]
    for writes in 3...7 {
      try await engine.withDatabase([Self.first, Self.second], clock: clock) { database in
        try await fill(database, 2)
        // Its first writes find that nothing is to be done.
        try? await Migrator(all, clock: clock).migrate(DyingDatabase(database, writes: writes))
        try await Migrator(all, clock: clock).migrate(database)
        let schema = try await database.schemaText()
        #expect(schema.contains("INDEX parts_size") && schema.contains("INDEX parts_weight"))
        let (applied, left) = try await database.read { reader -> (Int?, Int?) in
          (
            try reader.first("SELECT count(*) FROM octet_migrations WHERE component = 'parts'") { $0[0] },
            try reader.first("SELECT count(*) FROM octet_migration_walks") { $0[0] }
          )
        }
        #expect(applied == 3 && left == 0)
      }
    }
  }

  // MARK: Steps that move data

  private static let moving = Migration(
    "parts", 3, "names in capitals", walking: "parts", by: "id", rowsAtOnce: 7,
    sql: "UPDATE parts SET name = upper(name) || '!' WHERE id > $1 AND id <= $2")

  private func fill(_ database: any Database, _ count: Int) async throws {
    try await database.write { writer in
      for id in 1...count {
        try writer.execute("INSERT INTO parts (id, name) VALUES ($1, $2)", id * 3, "part \(id)")
      }
    }
  }

  private func expectMoved(_ database: any Database, _ count: Int) async throws {
    let names = try await database.read { try $0.rows("SELECT name FROM parts ORDER BY id") { $0[0] as String } }
    // Twice moved would have two marks.
    #expect(names == (1...count).map { "PART \($0)!" })
    let left: Int? = try await database.read { try $0.first("SELECT count(*) FROM octet_migration_walks") { $0[0] } }
    #expect(left == 0)
  }

  @Test(arguments: Engine.all) func `data is moved in small transactions, each row once, by several nodes`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Self.first, Self.second], clock: clock) { database in
      try await fill(database, 100)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask { try await Migrator([Self.first, Self.second, Self.moving], clock: clock).migrate(database) }
        }
        try await group.waitForAll()
      }
      try await expectMoved(database, 100)
    }
  }

  @Test(arguments: Engine.all) func `a move that was broken off goes on where it was`(engine: Engine) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Self.first, Self.second], clock: clock) { database in
      try await fill(database, 100)
      for _ in 0..<8 {
        let dying = DyingDatabase(database, writes: 4)
        await #expect(throws: DyingDatabase.Died.self) {
          try await Migrator([Self.first, Self.second, Self.moving], clock: clock).migrate(dying)
        }
      }
      let applied: Int? = try await database.read {
        try $0.first("SELECT count(*) FROM octet_migrations WHERE component = 'parts'") { $0[0] }
      }
      #expect(applied == 2, "a move counts when it is done")
      try await Migrator([Self.first, Self.second, Self.moving], clock: clock).migrate(database)
      try await expectMoved(database, 100)
    }
  }
}

/// Lets so many write transactions through and then fails, as if the process had been killed between two of them.
private struct DyingDatabase: PassingDatabase {
  struct Died: Error {}

  let database: any Database
  private let left: Locked<Int>

  init(_ database: any Database, writes: Int) {
    self.database = database
    left = Locked(writes)
  }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    let isAlive = left.withLock { left in
      left -= 1
      return left >= 0
    }
    guard isAlive else { throw Died() }
    return try await database.write(body)
  }
}
