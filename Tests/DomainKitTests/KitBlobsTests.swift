import Base
import Blobs
import Cryptography
import DomainKit
import Foundation
import PostgreSQLServer
import Storage
import Streaming
import Testing

/// Contents as a domain has them.
@Suite struct KitBlobsTests {
  private struct Undone: Error {}
  private let owner = BlobOwner("notes.picture", "1")

  private func withKit(_ body: (Kit, ManualClock) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "octet-kit-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let clock = ManualClock()
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + BlobSchema.migrations + [
        Migration("test", 1, "notes", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, picture BLOB NOT NULL)")
      ], clock: clock)
    let (edge, root) = (EdgeDatabase(database), SecretKey.random())
    let store = try await FolderBlobStore.open(path: folder)
    let kit = Kit(
      database: database, hub: TopicHub(database: edge, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: SeededRandomSource(seed: 1),
      keys: try ServerKeys(root: root), authority: try Doors(clock: clock), log: Log(level: .error),
      blobs: BlobLibrary(store: store, database: edge, clock: clock, random: SystemRandomSource()))
    do {
      try await body(kit, clock)
    } catch {
      await kit.blobs.close()
      await database.close()
      throw error
    }
    await kit.blobs.close()
    await database.close()
  }

  /// A row of a domain's own, and its reference.
  private func note(_ finished: FinishedUpload, _ kit: Kit, isUndone: Bool = false) async throws {
    try await kit.database.write { writer in
      try writer.execute("INSERT INTO notes (id, picture) VALUES (1, $1)", finished.blob)
      try kit.blobs.references.adopt(finished, by: owner, in: writer)
      if isUndone { throw Undone() }
    }
  }

  @Test func `a row and its content are one commit, and the content goes a day after the row`() async throws {
    try await withKit { kit, clock in
      let finished = try await kit.blobs.put([1, 2, 3])
      await #expect(throws: Undone.self) { try await note(finished, kit, isUndone: true) }
      #expect(try await kit.blobs.find(finished.blob) == nil)
      try await note(finished, kit)
      #expect(try await kit.blobs.read(finished.blob).bytes(limit: 3) == [1, 2, 3])

      try await kit.database.write { writer in
        try writer.execute("DELETE FROM notes")
        try kit.blobs.references.remove(finished.blob, by: owner, in: writer)
      }
      #expect(try await kit.blobs.find(finished.blob) == nil)
      clock.advance(by: .seconds(86_399))
      #expect(try await kit.blobs.collect().deleted == 0)
      clock.advance(by: .seconds(1))
      #expect(try await kit.blobs.collect().deleted == 1)
    }
  }
}
