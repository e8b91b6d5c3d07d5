import Base
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
}
