import Base
import DomainKit
import PostgreSQLServer
import Storage
import Testing

@testable import Media

@Suite struct InvariantTests {
  @Test func `the audit names what breaks an invariant`() async throws {
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      _ = try await sender.send([1, 2, 3])
      let note = world.notes.add(world.identifiers.next(), of: world.user(), isPublic: true)
      let damages: [(sql: String, numbers: Set<Int>)] = [
        ("UPDATE media_uploads SET durable_offset = 2", [1]),
        ("UPDATE media_uploads SET declared_length = 4", [1]),
        ("UPDATE media_blobs SET size = 4", [1, 2]),
        ("UPDATE octet_blobs SET size = size + 1", [2]),
        ("DELETE FROM media_contents", [13]),
        ("DELETE FROM media_holdings", [13]),
        ("DELETE FROM octet_blob_references", [13]),
        ("UPDATE octet_blob_references SET key = key || '0'", [13]),
        (
          "INSERT INTO media_uses (blob_id, subject, slot, user_id, id) SELECT id, '\(note)', 'a', 1, 1 FROM media_blobs",
          [13]
        ),
      ]
      #expect(try await world.broken().isEmpty)
      for damage in damages {
        #expect(try await world.broken(by: damage.sql) == damage.numbers, "\(damage.sql)")
      }
      #expect(try await world.broken().isEmpty)
    }
  }
}

extension MediaWorld {
  /// The numbers of the invariants that a statement breaks; what it does is taken back.
  fileprivate func broken(by sql: String) async throws -> Set<Int> {
    return try await database.takenBack { writer in
      try writer.execute(sql)
      return Set(try MediaAudit(reader: writer).reports().filter { !$0.holds }.map(\.number))
    }
  }
}
