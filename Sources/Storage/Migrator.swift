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
        try writer.execute("SELECT pg_advisory_xact_lock($1)", Self.lockNumber)
      }
      try writer.define(
        """
        -- local: the history of the schema
        CREATE TABLE IF NOT EXISTS octet_migrations (
          component TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum INTEGER NOT NULL,
          applied_at INTEGER NOT NULL, PRIMARY KEY (component, number)
        ) WITHOUT ROWID
        """)
    }
    for migration in migrations {
      try await database.write { writer in try apply(migration, writer) }
    }
  }

  private func apply(_ migration: Migration, _ writer: any Writer) throws {
    if writer.dialect == .postgreSQL {
      // SQLite's transaction is the lock already.
      try writer.execute("LOCK TABLE octet_migrations IN EXCLUSIVE MODE")
    }
    let applied: Int64? = try writer.first(
      "SELECT checksum FROM octet_migrations WHERE component = $1 AND number = $2",
      migration.component, migration.number
    ) { $0[0] }
    if let applied {
      if applied == migration.checksum { return }
      throw StorageError(
        .schemaMismatch, operation: "migrate",
        message: "\(migration.component) \(migration.number) (\(migration.name)) was edited after it was applied")
    }
    for statement in migration.statements {
      try writer.define(statement)
    }
    try writer.execute(
      "INSERT INTO octet_migrations (component, number, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)",
      migration.component, migration.number, migration.name, migration.checksum, clock.now())
  }
}
