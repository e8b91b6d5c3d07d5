public import Base

/// Brings a database to the state that a list of migrations describes.
public struct Migrator: Sendable {
  private let migrations: [Migration]
  private let clock: any WallClock
  private let tableWait: Duration
  /// PostgreSQL's advisory locks are numbers: "octet" in ASCII.
  private static let lockNumber: Int64 = 0x6f_63_74_65_74
  /// Between two looks for the lock.
  private static let pause = Duration.milliseconds(100)
  /// How often a step waits for the tables that it changes.
  private static let tableAttempts = 15

  /// - Parameters:
  ///   - migrations: of any components, in the order in which components may depend on each other.
  ///   - tableWait: how long a step waits for a table that others use. Whoever comes to the table meanwhile waits behind
  ///     it, so it gives up after this, lets them go first, and tries again, fifteen times. Transactions of those who
  ///     serve take milliseconds.
  public init(_ migrations: [Migration], clock: any WallClock, tableWait: Duration = .seconds(2)) {
    var last: [String: Int] = [:]
    for migration in migrations {
      let expected = last[migration.component, default: 0] + 1
      precondition(
        migration.number == expected,
        "migration \(migration.component) \(migration.number) stands where \(expected) should")
      last[migration.component] = expected
    }
    self.migrations = migrations
    self.clock = clock
    self.tableWait = tableWait
  }

  /// Applies what is missing, each step in one transaction of its own, or in a few: between them it is kept how far the
  /// step is. Safe to be run by several nodes at once: a step is looked up and applied under a lock, and whoever finds it
  /// held waits until its holder commits or is gone, however long that takes. Steps that the database has and this
  /// program does not know belong to a newer version, whose schema this one must be able to live with, and are left
  /// alone; a program that finds all of its own steps applied takes no lock.
  /// - Parameter onlyIfUsed: whether a database that no program has migrated is refused, and left as it is.
  /// - Throws: `StorageError` with code `.schemaMismatch` if a step differs from the one that was applied; `.busy` if
  ///   those who use a table never let a step have it; `.cannotOpen` if a database is refused.
  public func migrate(_ database: any Database, onlyIfUsed: Bool = false) async throws {
    if onlyIfUsed, try await !database.read({ try Self.has("octet_migrations", $0) }) {
      throw StorageError(.cannotOpen, operation: "migrate", message: "no server has used this database")
    }
    if try await isUpToDate(database) { return }
    try await underLock(database) { writer in
      try writer.define(
        """
        -- local: the history of the schema
        CREATE TABLE IF NOT EXISTS octet_migrations (
          component TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum INTEGER NOT NULL,
          applied_at INTEGER NOT NULL, PRIMARY KEY (component, number)
        ) WITHOUT ROWID
        """)
      try writer.define(
        """
        -- local: how far the steps are that take more than one transaction
        CREATE TABLE IF NOT EXISTS octet_migration_walks (
          component TEXT NOT NULL, number INTEGER NOT NULL, walked INTEGER NOT NULL, PRIMARY KEY (component, number)
        ) WITHOUT ROWID
        """)
    }
    for migration in migrations {
      let indexes = try await indexesInUse(migration, database)
      while try await underLock(database, { writer in try apply(migration, indexes, writer) }) {}
    }
  }

  /// Whether the schema has a table or an index of a name, in PostgreSQL's words.
  static let relationSQL =
    "SELECT 1 FROM pg_class WHERE relnamespace = CAST(current_schema() AS regnamespace) AND relname = $1"

  /// Whether every step of this program is applied.
  private func isUpToDate(_ database: any Database) async throws -> Bool {
    try await database.read { reader in
      let tables = ["octet_migrations", "octet_migration_walks"]
      guard try tables.allSatisfy({ try Self.has($0, reader) }) else { return false }
      return try migrations.allSatisfy { try isApplied($0, reader) }
    }
  }

  private static func has(_ table: String, _ reader: any Reader) throws -> Bool {
    try reader.exists(
      reader.dialect == .postgreSQL ? Self.relationSQL : "SELECT 1 FROM sqlite_schema WHERE name = $1", table)
  }

  // MARK: The lock

  /// Somebody else changes the schema.
  private struct LockHeld: Error {}

  /// Runs `body` in a transaction that holds the lock on the schema. It looks for the lock again and again rather than
  /// queue for it: so no time limit of the session, and no pooler, puts an end to the wait.
  private func underLock<Result: Sendable>(
    _ database: any Database, _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    var attempt = 1
    while true {
      do {
        return try await database.write { writer in
          try Self.takeLock(writer)
          return try body(writer)
        }
      } catch is LockHeld {
        // Its holder's session lives: the server frees the lock with it.
      } catch let error as StorageError where error.code == .busy && attempt < Self.tableAttempts {
        attempt += 1
      }
      try await Task.sleep(for: Self.pause)
    }
  }

  private static func takeLock(_ writer: any Writer) throws {
    // SQLite's transaction is the lock already.
    guard writer.dialect == .postgreSQL else { return }
    let isMine: Bool? = try writer.first(
      "SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(current_schema() AS TEXT), $1))", lockNumber
    ) { $0[0] }
    guard isMine == true else { throw LockHeld() }
  }

  // MARK: Steps

  /// Applies a step, or what one transaction does of it.
  /// - Parameter indexes: those that must not be built in a transaction with others.
  /// - Returns: whether there is more to do for it.
  private func apply(_ migration: Migration, _ indexes: [NewIndex], _ writer: any Writer) throws -> Bool {
    if try isApplied(migration, writer) { return false }
    let before = try progress(of: migration, writer)
    let after: Int64? =
      if let walk = migration.walk {
        try advance(walk, migration, from: before, writer)
      } else {
        try advance(migration.parts, from: Int(before ?? 0), indexes, writer).map { Int64($0) }
      }
    if let after {
      try keep(after, of: migration, writer)
      return true
    }
    if before != nil { try forgetProgress(of: migration, writer) }
    try writer.execute(
      "INSERT INTO octet_migrations (component, number, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)",
      migration.component, migration.number, migration.name, migration.checksum, clock.now())
    return false
  }

  /// - Throws: `StorageError` with code `.schemaMismatch` if the step differs from the one that was applied.
  func isApplied(_ migration: Migration, _ reader: any Reader) throws -> Bool {
    let applied: Int64? = try reader.first(
      "SELECT checksum FROM octet_migrations WHERE component = $1 AND number = $2",
      migration.component, migration.number
    ) { $0[0] }
    guard let applied, applied != migration.checksum else { return applied != nil }
    throw StorageError(
      .schemaMismatch, operation: "migrate",
      message: "\(migration.component) \(migration.number) (\(migration.name)) was edited after it was applied")
  }

  /// A step that rewrites a table or builds an index may take its time, but must not wait for its turn for long.
  func setLimits(_ writer: any Writer) throws {
    guard writer.dialect == .postgreSQL else { return }
    // Servers before 17 have no `transaction_timeout`.
    _ = try writer.exists(
      """
      SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN $1 ELSE '0' END, true) FROM pg_settings
      WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')
      """, String(tableWait.inMilliseconds))
  }

  /// Moves the rows of the next batch.
  /// - Parameter walked: the last key that was walked over; nil before the first batch.
  /// - Returns: that key now; nil if there was no row left.
  private func advance(
    _ walk: Migration.Walk, _ migration: Migration, from walked: Int64?, _ writer: any Writer
  ) throws -> Int64? {
    let lower = walked ?? .min
    let upper: Int64? = try writer.first(
      """
      SELECT \(walk.key) FROM (
        SELECT \(walk.key) FROM \(walk.table) WHERE \(walk.key) > $1 ORDER BY \(walk.key) LIMIT $2) page
      ORDER BY \(walk.key) DESC LIMIT 1
      """, lower, walk.rowsAtOnce
    ) { $0[0] }
    guard let upper else { return nil }
    for statement in migration.statements { try writer.execute(statement, lower, upper) }
    return upper
  }

  // MARK: How far a step is

  /// What a step that is not applied has kept last; nil if nothing was done of it.
  private func progress(of migration: Migration, _ reader: any Reader) throws -> Int64? {
    try reader.first(
      "SELECT walked FROM octet_migration_walks WHERE component = $1 AND number = $2",
      migration.component, migration.number
    ) { $0[0] }
  }

  private func keep(_ progress: Int64, of migration: Migration, _ writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO octet_migration_walks (component, number, walked) VALUES ($1, $2, $3)
      ON CONFLICT (component, number) DO UPDATE SET walked = excluded.walked
      """, migration.component, migration.number, progress)
  }

  private func forgetProgress(of migration: Migration, _ writer: any Writer) throws {
    try writer.execute(
      "DELETE FROM octet_migration_walks WHERE component = $1 AND number = $2", migration.component, migration.number)
  }
}
