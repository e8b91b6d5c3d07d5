import Base
import Foundation
import Storage
import StorageSQLite
import Streaming
import Testing

/// The schema that all migrations together make is checked in: a change of it shows in review.
/// `OCTET_UPDATE_GOLDEN=1` writes it anew.
@Test func `the schema of the shared layers is the one that is checked in`() async throws {
  let database = try await SQLiteDatabase.openTemporary(migrations: TopicStore.migrations, clock: ManualClock())
  let schema = try await database.schemaText()
  await database.close()
  let golden = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Golden/schema-sqlite.sql").standardized
  if ProcessInfo.processInfo.environment["OCTET_UPDATE_GOLDEN"] == "1" {
    try schema.write(to: golden, atomically: true, encoding: .utf8)
  }
  #expect(try schema == String(contentsOf: golden, encoding: .utf8))
}
