import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import StorageSQLite
import Streaming
import Testing

/// The schema that all migrations together make is checked in, for each engine: a change of it shows in review.
/// `OCTET_UPDATE_GOLDEN=1` writes it anew.
@Suite struct GoldenSchemaTests {
  /// Of the shared layers that need no domain, beside those that every database has.
  static let migrations = NodeRegistry.migrations + TopicStore.migrations + SearchSchema.migrations

  @Test func `SQLite's schema of the shared layers is the one that is checked in`() async throws {
    try await check(
      "schema-sqlite.sql",
      SQLiteDatabase.openTemporary(migrations: Self.migrations, clock: ManualClock()))
  }

  @Test func `PostgreSQL's schema of the shared layers is the one that is checked in`() async throws {
    let url = try await PostgreSQLServer.common().makeDatabase()
    try await check(
      "schema-postgresql.sql",
      PostgreSQLDatabase.open(url: url, migrations: Self.migrations, clock: ManualClock(), options: .ofTests))
  }

  private func check(_ name: String, _ database: some Database) async throws {
    let schema = try await database.schemaText()
    await database.close()
    #expect(try schema == GoldenFile.read(name, updatedTo: schema))
  }
}
