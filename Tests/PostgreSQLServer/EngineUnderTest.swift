public import Base
import Glibc
public import Storage
import StoragePostgreSQL
import StorageSQLite

/// The engine that the domains' tests run on: SQLite, or PostgreSQL when OCTET_TEST_ENGINE says so. `make unit-test`
/// runs them on both.
public enum EngineUnderTest {
  public static let isPostgreSQL = getenv("OCTET_TEST_ENGINE").map { String(cString: $0) } == "postgresql"

  /// How many of its threads write.
  public static var writers: Int { isPostgreSQL ? PostgreSQLOptions.ofTests.writers : 1 }

  /// Opens an empty database. Every write body runs twice, which finds those that have effects outside of their
  /// transactions.
  public static func openTemporary(migrations: [Migration], clock: any WallClock) async throws -> any Database {
    if isPostgreSQL {
      return try await PostgreSQLDatabase.open(
        url: try await migrated(migrations).take(), migrations: migrations, clock: clock, options: options)
    }
    var options = SQLiteOptions()
    options.runsBodiesTwice = true
    return try await SQLiteDatabase.openTemporary(migrations: migrations, clock: clock, options: options)
  }

  private static var options: PostgreSQLOptions {
    var options = PostgreSQLOptions.ofTests
    options.runsBodiesTwice = true
    return options
  }

  /// By what the migrations are.
  private static let migrated = Locked<[[String]: MigratedDatabases]>([:])

  private static func migrated(_ migrations: [Migration]) async throws -> MigratedDatabases {
    let server = try await PostgreSQLServer.common()
    return migrated.withLock { known in
      let key = migrations.flatMap { ["\($0.component) \($0.number)"] + $0.statements }
      if let databases = known[key] { return databases }
      let databases = MigratedDatabases(of: server) { url in
        await (try PostgreSQLDatabase.open(url: url, migrations: migrations, clock: ManualClock(), options: options))
          .close()
      }
      known[key] = databases
      return databases
    }
  }

  /// The file of the log that is written to now, which several databases share; nil for an engine that has none such.
  public static func logFile(of database: any Database) async throws -> String? {
    guard isPostgreSQL else { return nil }
    return try await database.read { reader in
      try reader.first("SELECT pg_walfile_name(pg_current_wal_insert_lsn())") { $0[0] }
    }
  }

  /// The files of a log that several databases share, from one on. Those after the last that was written to wait to be
  /// used again, and hold older writes.
  public static func logFiles(of database: any Database, from first: String?) async throws -> [String] {
    guard let first, let last = try await logFile(of: database) else { return [] }
    let folder = try await PostgreSQLServer.common().directory + "/data/pg_wal"
    return entries(of: folder).filter { first <= $0 && $0 <= last }.map { folder + "/" + $0 }
  }

  /// The files that hold a database's tables, after what the engine logs of it alone: what is copied from the log while
  /// they are read is found in one or the other.
  public static func files(of database: any Database) async throws -> [String] {
    guard isPostgreSQL else {
      let path: String? = try await database.read { try $0.first("SELECT file FROM pragma_database_list") { $0[0] } }
      return path.map { [$0 + "-wal", $0] } ?? []
    }
    let folder: String? = try await database.read { reader in
      try reader.first("SELECT '/data/base/' || CAST(oid AS TEXT) FROM pg_database WHERE datname = current_database()")
      {
        $0[0]
      }
    }
    let path = try await PostgreSQLServer.common().directory + (folder ?? "")
    return entries(of: path).map { path + "/" + $0 }
  }

  /// Has the engine write what it keeps in memory to its files.
  public static func flush() async throws {
    if isPostgreSQL { try await PostgreSQLServer.common().run("CHECKPOINT") }
  }

  /// Rewrites tables, as their operator does who wants nothing left of deleted rows in the server's files. SQLite needs it
  /// only for pages that were split; a test's are not.
  public static func rewrite(_ tables: [String], of database: any Database) async throws {
    guard isPostgreSQL else { return }
    let name: String? = try await database.read { try $0.first("SELECT CAST(current_database() AS TEXT)") { $0[0] } }
    try await PostgreSQLServer.common().run(tables.map { "VACUUM FULL \($0)" }, database: name ?? "")
  }

  private static func entries(of folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        names.append(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
      }
    }
    return names.filter { !$0.hasPrefix(".") }
  }
}
