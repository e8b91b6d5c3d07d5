import Base
import Blobs
import DomainKit
import MediaAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Media

@Suite struct BlobTests {
  private func read(
    _ client: MediaServiceClient, _ blob: String, through subject: String = "", offset: Int64 = 0, length: Int64 = 0
  ) async throws -> [UInt8] {
    var request = ReadBlobRequest()
    (request.blobID, request.subjectID, request.offset, request.length) = (blob, subject, offset, length)
    var bytes: [UInt8] = []
    let responses = client.readBlob(request).responses
    while let piece = try await responses.next() {
      #expect(piece.offset == offset + Int64(bytes.count))
      bytes += piece.data
    }
    return bytes
  }

  private func delete(_ client: MediaServiceClient, _ blob: String) async throws {
    var request = DeleteBlobRequest()
    (request.requestID, request.blobID) = (newRequestID(), blob)
    _ = try await client.deleteBlob(request)
  }

  @Test func `any range of a blob can be read`() async throws {
    try await MediaWorld.with { world in
      let content = SeededRandomSource(seed: 9).bytes(600_000)
      let sender = Sender(world, world.user())
      let blob = try await sender.send(content)
      #expect(try await read(sender.client, blob) == content)
      #expect(try await read(sender.client, blob, offset: 599_999) == [content[599_999]])
      #expect(
        try await read(sender.client, blob, offset: 250_000, length: 300_000) == Array(content[250_000..<550_000]))
      #expect(try await read(sender.client, blob, offset: 599_990, length: .max) == Array(content[599_990...]))
      await expectRefusal(.outOfRange, "BAD_RANGE") { try await read(sender.client, blob, offset: 600_000) }
    }
  }

  /// Invariant 13, acceptance 10 of the platform.
  @Test func `one file from twelve users is one blob until a day after the last has given it up`() async throws {
    try await MediaWorld.with { world in
      let users = (0..<12).map { _ in world.user() }
      var blobs: Set<String> = []
      for user in users { blobs.insert(try await Sender(world, user).send([1, 2, 3])) }
      let blob = try #require(blobs.first)
      #expect(blobs.count == 1)
      _ = try await world.kit.blobs.collect()
      #expect(try await world.contents() == 1)
      #expect(try await world.broken().isEmpty)
      for user in users {
        #expect(try await read(world.client(user), blob) == [1, 2, 3])
        try await delete(world.client(user), blob)
        await expectRefusal(.notFound, "NOT_FOUND") { try await read(world.client(user), blob) }
        await expectRefusal(.notFound, "NOT_FOUND") { try await delete(world.client(user), blob) }
        #expect(try await world.broken().isEmpty)
      }
      // Looked at just before its time is over.
      world.clock.advance(by: .seconds(86_399))
      #expect(try await world.kit.blobs.collect().deleted == 0)
      world.clock.advance(by: .seconds(1))
      #expect(try await world.kit.blobs.collect().deleted == 1)
      #expect(try await world.contents() == 0)
      // The same bytes are another blob now.
      #expect(try await Sender(world, users[0]).send([1, 2, 3]) != blob)
    }
  }

  /// Invariant 7 of the platform: what hangs on a thing is visible to those who may see the thing.
  @Test func `a blob is seen by those who see a thing that has it as a part`() async throws {
    var limits = MediaLimits()
    limits.subjectsTried = 2
    try await MediaWorld.with(limits) { world in
      let (owner, reader) = (world.user(), world.user())
      let sender = Sender(world, owner)
      let upload = try await sender.create([1, 2, 3])
      let uploadID = try Identifier.parse(upload.id, kind: "upl")
      let hidden = world.notes.add(Identifier(rawValue: 1), of: owner, isPublic: false)
      let shown = world.notes.add(Identifier(rawValue: 9), of: owner, isPublic: true)
      let files = world.media.files
      @Sendable func attach(_ subject: SubjectID, kind: FileKind = .file, of user: Identifier) async throws
        -> StoredFile
      {
        try await world.database.write {
          try files.attach(uploadID, of: user, to: subject, as: "photo", kind: kind, in: $0)
        }
      }
      await #expect(throws: MediaError.uploadIncomplete) { try await attach(hidden, of: owner) }
      let stream = try await sender.open(upload.id)
      try await stream.send([1, 2, 3])
      let blob = try await stream.completed().blobID
      await #expect(throws: MediaError.wrongFileKind(field: "upload_id")) {
        try await attach(hidden, kind: .image, of: owner)
      }
      await #expect(throws: KitError.notFound("upload")) { try await attach(hidden, of: reader) }
      let file = try await attach(hidden, of: owner)
      #expect(file.blob.text(kind: "blob") == blob && file.state == .ready && file.length == 3)
      #expect(try await attach(hidden, of: owner) == file)
      await expectRefusal(.notFound, "NOT_FOUND") { try await read(world.client(reader), blob) }
      _ = try await attach(shown, of: owner)
      #expect(try await read(world.client(reader), blob) == [1, 2, 3])
      // Through more things than are tried, the one has to be named.
      for number in 2...3 {
        _ = try await attach(
          world.notes.add(Identifier(rawValue: Int64(number)), of: owner, isPublic: false), of: owner)
      }
      await expectRefusal(.notFound, "NOT_FOUND") { try await read(world.client(reader), blob) }
      #expect(try await read(world.client(reader), blob, through: shown.text) == [1, 2, 3])
      world.notes.publish(shown.id, false)
      await expectRefusal(.notFound, "NOT_FOUND") { try await read(world.client(reader), blob, through: shown.text) }
      world.notes.publish(shown.id, true)
      #expect(try await world.broken().isEmpty)

      await expectRefusal(.failedPrecondition, "BLOB_IN_USE") { try await delete(world.client(owner), blob) }
      // The things keep it when its uploader goes.
      let records = try #require(world.media.personalRecords)
      while try await world.database.write({ try records.erase(owner, in: $0) }) {}
      #expect(try await read(world.client(reader), blob, through: shown.text) == [1, 2, 3])
      for number in [1, 2, 3, 9] as [Int64] {
        let subject = SubjectID("memo", Identifier(rawValue: number))
        let wasPart = try await world.database.write {
          try files.detach(file.blob, from: subject, as: "photo", in: $0)
        }
        #expect(wasPart)
        #expect(try await world.broken().isEmpty)
      }
      await expectRefusal(.notFound, "NOT_FOUND") { try await read(world.client(reader), blob, through: shown.text) }
      #expect(try await world.database.read { try files.file(file.blob, in: $0) } == nil)
    }
  }

  @Test func `of a blob that is a part of what is hidden as much is asked as of one that is not there`() async throws {
    try await MediaWorld.with { world in
      let (owner, reader) = (world.user(), world.client(world.user()))
      let memo = world.notes.add(Identifier(rawValue: 1), of: owner, isPublic: false)
      let upload = try await world.upload([1, 2, 3], .file, of: owner)
      let files = world.media.files
      let hidden = try await world.database.write {
        try files.attach(upload, of: owner, to: memo, as: "photo", kind: .file, in: $0)
      }
      let alone = try await Sender(world, owner).send([4])
      func looks(_ blob: String) async throws -> [Int] {
        var counts: [Int] = []
        func count<Result>(_ call: () async throws -> Result) async {
          let before = world.notes.looks
          await expectRefusal(.notFound, "NOT_FOUND", call)
          counts.append(world.notes.looks - before)
        }
        var (get, list, sign) = (GetBlobRequest(), ListRenditionsRequest(), SignUrlRequest())
        (get.blobID, list.blobID, sign.blobID) = (blob, blob, blob)
        await count { [get] in try await reader.getBlob(get) }
        await count { [list] in try await reader.listRenditions(list) }
        await count { [sign] in try await reader.signUrl(sign) }
        await count { try await read(reader, blob) }
        return counts
      }
      let asked = try await looks(hidden.blob.text(kind: "blob"))
      #expect(asked.allSatisfy { $0 > 0 })
      for blob in [alone, "blob_0000000000007"] { #expect(try await looks(blob) == asked) }
    }
  }

  @Test func `what one has given up is no part of anything, whoever else has the same content`() async throws {
    try await MediaWorld.with { world in
      var uploads: [String] = []
      let (owner, other) = (world.user(), world.user())
      var blob = ""
      for user in [owner, other] {
        let sender = Sender(world, user)
        let upload = try await sender.create([1, 2, 3])
        let stream = try await sender.open(upload.id)
        try await stream.send([1, 2, 3])
        blob = try await stream.completed().blobID
        uploads.append(upload.id)
      }
      try await delete(world.client(owner), blob)
      let note = world.notes.add(Identifier(rawValue: 1), of: owner, isPublic: false)
      let (files, upload) = (world.media.files, try Identifier.parse(uploads[0], kind: "upl"))
      await #expect(throws: KitError.notFound("upload")) {
        try await world.database.write {
          _ = try files.attach(upload, of: owner, to: note, as: "photo", kind: .file, in: $0)
        }
      }
    }
  }

  @Test func `a user's own uploads and blobs are exported and erased, and those of others stay`() async throws {
    var limits = MediaLimits()
    limits.removedAtOnce = 2
    try await MediaWorld.with(limits) { world in
      let (gone, other) = (world.user(), world.user())
      let shared = try await Sender(world, gone).send([1])
      _ = try await Sender(world, other).send([1])
      _ = try await Sender(world, gone).send([2])
      let stream = try await Sender(world, gone).open(try await Sender(world, gone).create([3]).id)
      let records = try #require(world.media.personalRecords)
      let kinds = try await world.database.read { reader in
        var kinds: [String] = []
        try records.export(gone, in: reader) { kind, json in
          kinds.append(kind)
          #expect(json.contains("\"id\":"))
        }
        return kinds
      }
      #expect(kinds == ["Upload", "Upload", "Upload", "Blob", "Blob"])
      while try await world.database.write({ try records.erase(gone, in: $0) }) {}
      await expectRefusal(.failedPrecondition, "WRONG_STATE") { while try await stream.call.responses.next() != nil {} }
      #expect(try await read(world.client(other), shared) == [1])
      await expectRefusal(.notFound, "NOT_FOUND") { try await read(world.client(gone), shared) }
      for table in ["media_uploads", "media_holdings", "media_quotas"] {
        let isLeft = try await world.database.read {
          try $0.exists("SELECT 1 FROM \(table) WHERE user_id = $1", gone)
        }
        #expect(!isLeft, "\(table)")
      }
      #expect(try await world.broken().isEmpty)
      world.clock.advance(by: .seconds(86_400))
      _ = try await world.kit.blobs.collect()
      #expect(try await world.contents() == 1)
    }
  }
}
