public import Base

/// Brings a database to the state that a list of migrations describes.
public struct Migrator: Sendable {
  private let migrations: [Migration]
  private let clock: any WallClock
  /// PostgreSQL's advisory locks are numbers: "octet" in ASCII.
  private static let lockNumber: Int64 = 0x6f_63_74_65_74

  /// - Parameter migrations: of any components, in the order in which components may depend on each other.
  public init(_ migrations: [Migration], clock: any WallClock) {
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
  }

  /// Applies what is missing, each step in one transaction of its own. Safe to be run by several nodes at once: a
  /// step is looked up and applied under a lock. Steps that the database has and this program does not know belong
  /// to a newer version, whose schema this one must be able to live with, and are left alone.
  /// - Throws: `StorageError` with code `.schemaMismatch` if a step differs from the one that was applied.
  public func migrate(_ database: any Database) async throws {
    try await database.write { writer in
      if writer.dialect == .postgreSQL {
        // Two sessions that make the same table at once fail there, even with IF NOT EXISTS.
        try writer.execute(
          "SELECT pg_advisory_xact_lock(hashtextextended(CAST(current_schema() AS TEXT), $1))", Self.lockNumber)
      }
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
        -- local: how far the steps are that move data
        CREATE TABLE IF NOT EXISTS octet_migration_walks (
          component TEXT NOT NULL, number INTEGER NOT NULL, walked INTEGER NOT NULL, PRIMARY KEY (component, number)
        ) WITHOUT ROWID
        """)
    }
    for migration in migrations {
      while try await database.write({ writer in try apply(migration, writer) }) {}
    }
  }

  /// Applies a step, or the next batch of one that moves data.
  /// - Returns: whether there is more to do for it.
  private func apply(_ migration: Migration, _ writer: any Writer) throws -> Bool {
    if writer.dialect == .postgreSQL {
      // SQLite's transaction is the lock already.
      try writer.execute("LOCK TABLE octet_migrations IN EXCLUSIVE MODE")
    }
    let applied: Int64? = try writer.first(
      "SELECT checksum FROM octet_migrations WHERE component = $1 AND number = $2",
      migration.component, migration.number
    ) { $0[0] }
    if let applied {
      if applied == migration.checksum { return false }
      throw StorageError(
        .schemaMismatch, operation: "migrate",
        message: "\(migration.component) \(migration.number) (\(migration.name)) was edited after it was applied")
    }
    if let walk = migration.walk {
      if try advance(walk, migration, writer) { return true }
    } else {
      for statement in migration.statements { try writer.define(statement) }
    }
    try writer.execute(
      "INSERT INTO octet_migrations (component, number, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)",
      migration.component, migration.number, migration.name, migration.checksum, clock.now())
    return false
  }

  /// Moves the rows of the next batch and keeps how far it got, in one transaction.
  /// - Returns: false if there was none left.
  private func advance(_ walk: Migration.Walk, _ migration: Migration, _ writer: any Writer) throws -> Bool {
    let walked: Int64? = try writer.first(
      "SELECT walked FROM octet_migration_walks WHERE component = $1 AND number = $2",
      migration.component, migration.number
    ) { $0[0] }
    let lower = walked ?? .min
    let upper: Int64? = try writer.first(
      """
      SELECT \(walk.key) FROM (
        SELECT \(walk.key) FROM \(walk.table) WHERE \(walk.key) > $1 ORDER BY \(walk.key) LIMIT $2) page
      ORDER BY \(walk.key) DESC LIMIT 1
      """, lower, walk.rowsAtOnce
    ) { $0[0] }
    guard let upper else {
      try writer.execute(
        "DELETE FROM octet_migration_walks WHERE component = $1 AND number = $2", migration.component,
        migration.number)
      return false
    }
    for statement in migration.statements { try writer.execute(statement, lower, upper) }
    try writer.execute(
      """
      INSERT INTO octet_migration_walks (component, number, walked) VALUES ($1, $2, $3)
      ON CONFLICT (component, number) DO UPDATE SET walked = excluded.walked
      """, migration.component, migration.number, upper)
    return true
  }
}
