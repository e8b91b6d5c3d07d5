import PostgreSQLServer
import Storage
import Testing

/// Every table of an octetd is checked in, for each engine: a change of one shows in review. Those of the shared layers
/// have a file of their own, `schema-ENGINE.sql`, which the layers' own tests write; `domains-ENGINE.sql` has all others.
/// `OCTET_UPDATE_GOLDEN=1` writes it anew.
@Suite struct GoldenSchemaTests {
  @Test func `the tables of an octetd are those that are checked in`() async throws {
    let engine = EngineUnderTest.isPostgreSQL ? "postgresql" : "sqlite"
    let place = try await SchemaHistory.Place.make()
    defer { place.remove() }
    let database = try await place.open(SchemaHistory.steps)
    let definitions = Self.definitions(try await database.schemaText())
    await database.close()
    let shared = Self.definitions(try GoldenFile.read("schema-\(engine).sql"))
    #expect(Set(shared).isSubset(of: definitions), "the shared layers' tables are the same in an octetd")
    let rest = definitions.filter { !shared.contains($0) }.joined(separator: "\n\n") + "\n"
    #expect(try rest == GoldenFile.read("domains-\(engine).sql", updatedTo: rest))
  }

  private static func definitions(_ schema: String) -> [String] {
    schema.split(separator: "\n\n").map { $0.hasSuffix("\n") ? String($0.dropLast()) : String($0) }
  }
}
