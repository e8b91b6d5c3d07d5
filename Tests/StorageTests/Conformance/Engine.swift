import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import StorageSQLite
import Testing

/// A storage engine as the conformance suite sees it: something that opens an empty database. A second engine runs
/// the whole suite by one more entry in `all`.
struct Engine: Sendable, CustomTestStringConvertible {
  let testDescription: String
  private let open: @Sendable ([Migration], any WallClock) async throws -> any Database

  static let all: [Engine] = [
    Engine(testDescription: "SQLite") { try await SQLiteDatabase.openTemporary(migrations: $0, clock: $1) },
    Engine(testDescription: "SQLite, every body twice") { migrations, clock in
      var options = SQLiteOptions()
      options.runsBodiesTwice = true
      return try await SQLiteDatabase.openTemporary(migrations: migrations, clock: clock, options: options)
    },
    Engine(testDescription: "PostgreSQL") { migrations, clock in
      let url = try await PostgreSQLServer.common().makeSchema()
      return try await PostgreSQLDatabase.open(url: url, migrations: migrations, clock: clock, options: .ofTests)
    },
    Engine(testDescription: "PostgreSQL, every body twice") { migrations, clock in
      var options = PostgreSQLOptions.ofTests
      options.runsBodiesTwice = true
      let url = try await PostgreSQLServer.common().makeSchema()
      return try await PostgreSQLDatabase.open(url: url, migrations: migrations, clock: clock, options: options)
    },
  ]

  init(
    testDescription: String, open: @escaping @Sendable ([Migration], any WallClock) async throws -> any Database
  ) {
    self.testDescription = testDescription
    self.open = open
  }

  /// Runs `body` with a database that holds the storage layer's tables and those of `migrations`.
  func withDatabase(
    _ migrations: [Migration] = [], clock: any WallClock = ManualClock(),
    _ body: (any Database) async throws -> Void
  ) async throws {
    let database = try await open(migrations, clock)
    try await closing(database) { try await body(database) }
  }
}

/// Closes a database after `body`, whatever comes of that.
func closing(_ database: any Database, after body: () async throws -> Void) async throws {
  do {
    try await body()
  } catch {
    await database.close()
    throw error
  }
  await database.close()
}

/// Tables that several suites use.
enum Fixture {
  static let accounts = Migration(
    "accounts", 1, "accounts and transfers",
    sql: """
      CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, balance INTEGER NOT NULL
        CHECK (balance >= 0));
      CREATE TABLE transfers (id INTEGER NOT NULL, account INTEGER NOT NULL REFERENCES accounts (id),
        amount INTEGER NOT NULL, PRIMARY KEY (id, account)) WITHOUT ROWID;
      """)

  static let values = Migration(
    "values", 1, "every type",
    sql: """
      CREATE TABLE samples (id INTEGER PRIMARY KEY, i INTEGER, d REAL, t TEXT, b BLOB);
      """)
}

/// Repeats `body` until no reason that may pass by itself is in its way.
/// - Parameter mayRepeat: whether what failed may be done again.
func insist<Result>(
  while mayRepeat: () -> Bool = { true }, _ body: () async throws -> Result
) async throws -> Result {
  while true {
    do {
      return try await body()
    } catch let error as StorageError where error.isTransient && mayRepeat() {
      try Task.checkCancellation()
      await Task.yield()
    }
  }
}

/// The error that `body` throws, as a `StorageError`; anything else is a failure of the test.
func storageError<Result>(
  _ body: () async throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) async -> StorageError? {
  let error = await optionalStorageError(body, sourceLocation: sourceLocation)
  if error == nil { Issue.record("no storage error was thrown", sourceLocation: sourceLocation) }
  return error
}

/// The same for a body that may succeed.
func optionalStorageError<Result>(
  _ body: () async throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) async -> StorageError? {
  do {
    _ = try await body()
  } catch let error as StorageError {
    return error
  } catch {
    Issue.record("\(error) was thrown", sourceLocation: sourceLocation)
  }
  return nil
}
