import Base
import Cryptography
import MediaAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Media

/// Uploads whose bytes are not those that they should be.
@Suite struct UploadContentTests {
  private static let content = SeededRandomSource(seed: 7).bytes(1000)

  @Test func `a content that is not what was declared is an error for good`() async throws {
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      let id = try await sender.create(Self.content, hash: Hash.sha256([1])).id
      let stream = try await sender.open(id)
      try await stream.send(Self.content)
      await expectRefusal(.dataLoss, "CONTENT_HASH") { while try await stream.call.responses.next() != nil {} }
      #expect(try await sender.get(id).state == .errored)
      await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await sender.open(id) }
      #expect(try await world.contents() == 0)
    }
  }

  /// The bytes and the row go in one step: whatever fails there leaves an upload that can be taken up again.
  @Test func `an upload whose end as an error cannot be written is there as before`() async throws {
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      func refuse(_ id: String) async throws -> Refusal? {
        let stream = try await sender.open(id)
        if stream.opened.offset == 0 { try await stream.send(Self.content) }
        return await refusal { while try await stream.call.responses.next() != nil {} }
      }
      let first = try await sender.create(Self.content, hash: Hash.sha256([1])).id
      #expect(try await refuse(first) == Refusal(.dataLoss, "CONTENT_HASH"))
      // From here on the row cannot become an error.
      _ = try await world.database.write {
        try $0.execute(
          "CREATE UNIQUE INDEX one_error ON media_uploads (state) WHERE state = \(UploadState.errored.rawValue)")
      }
      let id = try await sender.create(Self.content, hash: Hash.sha256([2])).id
      #expect(try await refuse(id)?.code == .internal)
      #expect(try await sender.get(id).state != .errored)
      _ = try await world.database.write { try $0.execute("DROP INDEX one_error") }
      #expect(try await refuse(id) == Refusal(.dataLoss, "CONTENT_HASH"))
      #expect(try await sender.get(id).state == .errored)
      #expect(try await world.openUploads() == 0)
    }
  }

  @Test func `other bytes than an earlier stream ended the upload with are an error for good`() async throws {
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      let id = try await sender.create(Self.content, isOpen: true).id
      // As a node leaves it that dies before the bytes have their place.
      _ = try await world.database.write {
        try $0.execute("UPDATE octet_blob_uploads SET content = $1, size = 1", Hash.sha256([1]))
      }
      let stream = try await sender.open(id)
      try await stream.send(Self.content)
      try await stream.end(Self.content)
      await expectRefusal(.dataLoss, "CONTENT_HASH") { while try await stream.call.responses.next() != nil {} }
      #expect(try await sender.get(id).state == .errored)
      #expect(try await world.openUploads() == 0)
    }
  }
}
