import Admin
import Audit
import Base
import Chat
import DomainKit
import Identity
import Media
import Notify
import PostgreSQLServer
import Search
import Social
import Storage
import StoragePostgreSQL
import StorageSQLite
import Testing

/// The tables that the migrations of the shared domains make are checked in, for each engine: a change of one shows in
/// review. The storage layer's own (`octet_…`) have files of their own. `OCTET_UPDATE_GOLDEN=1` writes them anew.
@Suite struct GoldenSchemaTests {
  private static let domains: [any Domain.Type] = [
    IdentityDomain.self, ChatDomain.self, NotifyDomain.self, AdminDomain.self, SocialDomain.self, MediaDomain.self,
    SearchDomain.self, AuditDomain.self,
  ]

  @Test func `the tables of the shared domains are those that are checked in`() async throws {
    let engine = EngineUnderTest.isPostgreSQL ? "postgresql" : "sqlite"
    let schema = try await Self.schema().split(separator: "\n\n").filter { !$0.contains(/^CREATE [A-Z ]+ octet_/) }
      .joined(separator: "\n\n")
    #expect(try schema == GoldenFile.read("domains-\(engine).sql", updatedTo: schema))
  }

  private static func schema() async throws -> String {
    let migrations = domains.flatMap { $0.migrations }
    let database: any Database =
      EngineUnderTest.isPostgreSQL
      ? try await PostgreSQLDatabase.open(
        url: try await PostgreSQLServer.common().makeDatabase(), migrations: migrations, clock: ManualClock())
      : try await SQLiteDatabase.openTemporary(migrations: migrations, clock: ManualClock())
    let text = try await database.schemaText()
    await database.close()
    return text
  }
}
