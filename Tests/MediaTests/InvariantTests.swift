import Base
import DomainKit
import MediaAPI
import PostgreSQLServer
import Storage
import Testing

@testable import Media

@Suite struct InvariantTests {
  /// Invariants 1, 2 and 13 of video.
  @Test func `the audit names what breaks invariants 1, 2 and 13`() async throws {
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
        #expect(try await world.broken(by: [damage.sql]) == damage.numbers, "\(damage.sql)")
      }
      #expect(try await world.broken().isEmpty)
    }
  }

  @Test func `the audit names a blob on which nothing works, and what was made of one that is gone`() async throws {
    try await MediaWorld.with { world in
      _ = try await world.upload([1, 2, 3], .image, of: world.user())
      #expect(try await world.broken().isEmpty)
      func waiting(_ sql: String) -> [String] {
        ["UPDATE media_blobs SET state = \(BlobState.transcoding.rawValue)", sql]
      }
      let pending = """
        INSERT INTO media_renditions
          (blob_id, profile, content, content_type, codecs, size, width, height, bit_rate, segments, playlist)
        SELECT id, 'w320', NULL, '', '', 0, 0, 0, 0, 0, '' FROM media_blobs
        """
      let damages: [(sql: [String], numbers: Set<Int>)] = [
        (["DELETE FROM octet_timers"], [2]),
        (["UPDATE octet_timers SET key = key || 'x'"], [2]),
        // Nothing is to be made of it, and what is is made by nobody.
        (waiting("DELETE FROM octet_timers"), [2]),
        (waiting(pending), [2]),
        (
          [
            pending, "UPDATE media_renditions SET blob_id = 7, content = (SELECT content FROM media_blobs)",
            """
            INSERT INTO octet_blob_references (content, kind, key)
            SELECT content, '\(ContentOwner.renditionKind)', '7/w320' FROM media_blobs
            """,
          ], [13]
        ),
      ]
      for damage in damages {
        #expect(try await world.broken(by: damage.sql) == damage.numbers, "\(damage.sql)")
      }
      let text = try await world.database.read { reader in
        try reader.first("SELECT id FROM media_blobs") { ($0[0] as Identifier).text(kind: "blob") } ?? ""
      }
      let rendered =
        waiting(pending) + [
          "UPDATE octet_timers SET kind = 'media.render', key = '\(text)/w320' WHERE kind = 'media.probe'"
        ]
      #expect(try await world.broken(by: rendered).isEmpty)
    }
  }

  @Test func `the audit names a thing that has files although it is gone`() async throws {
    try await MediaWorld.with { world in
      let (owner, files) = (world.user(), world.media.files)
      let memo = world.notes.add(world.identifiers.next(), of: owner, isPublic: true)
      let upload = try await world.upload([1, 2, 3], .file, of: owner)
      try await world.database.write {
        _ = try files.attach(upload, of: owner, to: memo, as: "data", kind: .file, in: $0)
      }
      let uses = try await world.media.checkInvariants().filter { $0.statement.contains("a thing that is gone") }
      #expect(uses.map(\.rowsChecked) == [1] && uses.allSatisfy(\.holds))
      world.notes.remove(memo.id)
      #expect(try await world.broken() == ["13: \(memo.text)"])
      // Whoever says so has them removed.
      let subjects = world.kit.subjects
      try await world.database.write { try subjects.gone(memo, in: $0) }
      #expect(try await world.broken().isEmpty)
    }
  }
}

extension MediaWorld {
  /// The numbers of the invariants that statements break; what they do is taken back.
  fileprivate func broken(by statements: [String]) async throws -> Set<Int> {
    let subjects = kit.subjects
    return try await database.takenBack { writer in
      for sql in statements { try writer.execute(sql) }
      return Set(try MediaAudit(reader: writer, subjects: subjects).reports().filter { !$0.holds }.map(\.number))
    }
  }
}
