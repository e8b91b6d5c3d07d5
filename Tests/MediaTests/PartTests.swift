import Base
import Blobs
import DomainKit
import MediaAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Media

/// Files as parts of other domains' things.
@Suite struct PartTests {
  private func memo(
    _ world: MediaWorld, _ number: Int64, of owner: Identifier, isPublic: Bool = true
  ) -> SubjectID {
    world.notes.add(Identifier(rawValue: number), of: owner, isPublic: isPublic)
  }

  @Test func `a thing is told when its file is ready or has failed, once, however many have it`() async throws {
    let photo = try await ProcessingTests.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=300x200", "-frames:v", "1"], as: "a.png")
    var limits = MediaLimits()
    limits.removedAtOnce = 2
    try await MediaWorld.with(limits) { world in
      let owner = world.user()
      let files = world.media.files
      let good = try await world.upload(photo, .image, of: owner)
      let bad = try await world.upload([1, 2, 3], .image, of: owner)
      let memos = (1...5).map { memo(world, $0, of: owner) }
      for memo in memos {
        let file = try await world.database.write {
          _ = try files.attach(bad, of: owner, to: memo, as: "bad", kind: .image, in: $0)
          return try files.attach(good, of: owner, to: memo, as: "photo", kind: .image, in: $0)
        }
        #expect(file.state == .processing)
        #expect(try await world.news(of: memo) == [])
      }
      try await world.process()
      for memo in memos {
        #expect(
          try await world.news(of: memo) == ["bad failed(\"UNSUPPORTED_FORMAT\")", "photo ready"])
      }
      // Whoever comes later is told at once.
      let late = memo(world, 6, of: owner)
      let file = try await world.database.write {
        try files.attach(good, of: owner, to: late, as: "photo", kind: .image, in: $0)
      }
      #expect(file.state == .ready && file.width == 300)
      try await world.process()
      #expect(try await world.news(of: late) == [])
      #expect(try await world.broken().isEmpty)
    }
  }

  @Test func `a file goes from one thing to another by the right of whoever has it, and of nobody else`() async throws {
    try await MediaWorld.with { world in
      let (owner, other) = (world.user(), world.user())
      let files = world.media.files
      let upload = try await world.upload([1, 2, 3], .file, of: owner)
      let (one, two, three) = (memo(world, 1, of: owner), memo(world, 2, of: owner), memo(world, 3, of: other))
      let blob = try await world.database.write {
        try files.attach(upload, of: owner, to: one, as: "data", kind: .file, in: $0).blob
      }
      @Sendable func reuse(
        _ user: Identifier, _ subject: SubjectID, _ rules: FileRules = FileRules([.file])
      ) async throws {
        _ = try await world.database.write {
          try files.attach(.blob(blob), of: user, to: subject, as: "data", rules, in: $0)
        }
      }
      await #expect(throws: KitError.self) { try await reuse(other, three) }
      await #expect(throws: MediaError.wrongFileKind(field: "upload_id")) {
        try await reuse(owner, two, FileRules([.image, .video]))
      }
      await #expect(throws: MediaError.fileTooLarge(limit: 2, field: "upload_id")) {
        try await reuse(owner, two, FileRules([.file], longest: 2))
      }
      try await reuse(owner, two, FileRules([.image, .file], longest: 3))
      // Given up as an upload; what it is a part of by the user's doing is the user's still.
      let records = try #require(world.media.personalRecords)
      while try await world.database.write({ try records.erase(owner, in: $0) }) {}
      let four = memo(world, 4, of: owner)
      try await reuse(owner, four)
      for memo in [one, two, four] {
        _ = try await world.database.write { try files.detach(blob, from: memo, as: "data", in: $0) }
        #expect(try await world.broken().isEmpty)
      }
      await #expect(throws: KitError.self) { try await reuse(owner, one) }
    }
  }

  @Test func `a film that the server has written is made fit for showing, and its segments are read by a domain`()
    async throws
  {
    let film = try await ProcessingTests.clip(seconds: 5, size: "320x240")
    try await MediaWorld.with { world in
      let (maker, files) = (world.user(), world.media.files)
      let memo = memo(world, 1, of: maker)
      let blobs = world.kit.blobs
      let upload = try await blobs.begin()
      try await upload.append(film)
      let finished = try await upload.finish()
      let owner = BlobOwner("memo", "1")
      let made = try await world.database.write { writer in
        try blobs.references.adopt(finished, by: owner, in: writer)
        guard let info = try blobs.references.find(finished.blob, in: writer) else { throw RetryTransaction() }
        return try files.publish(info, kind: .video, for: maker, in: memo, as: "film", writer)
      }
      #expect(made.kind == .video && made.state == .processing)
      try await world.process()
      #expect(try await world.news(of: memo) == ["film ready"])
      let blob = made.blob
      let found = try await world.database.read { reader in
        try files.renditions(of: blob, in: memo, as: "film", reader)
      }
      let all = try #require(found)
      #expect(all.all.map(\.profile) == ["240p", "poster", "thumb"])
      #expect(all.playlist?.contains("240p.m3u8") == true)
      let small = try #require(all.all.first)
      #expect(small.playlist.hasPrefix("#EXTM3U") && small.segments.count == 3)
      // Head and segments lie beside each other and are the whole.
      let head = try #require(small.head)
      #expect(head.lowerBound == 0)
      var end = head.upperBound
      for segment in small.segments {
        #expect(segment.bytes.lowerBound == end)
        end = segment.bytes.upperBound
      }
      #expect(end == small.length)
      let total = small.segments.reduce(Duration.zero) { $0 + $1.duration }
      #expect(abs(total.inMilliseconds - 5000) < 200)

      let info = try await world.database.read { reader in
        try files.content(of: blob, in: memo, as: "film", rendition: "240p", reader)
      }
      let range = small.segments[1].bytes
      let bytes = try await blobs.read(
        try #require(info), range: UInt64(range.lowerBound)..<UInt64(range.upperBound)
      ).bytes(limit: 1 << 20)
      #expect(bytes.count == range.count)
      // A box of those that a segment begins with.
      #expect(["moof", "sidx", "styp"].contains(String(decoding: bytes[4..<8], as: UTF8.self)))

      try await world.database.read { (reader: any Reader) throws in
        #expect(try files.content(of: blob, in: memo, as: "film", rendition: nil, reader)?.size == UInt64(film.count))
        #expect(try files.content(of: blob, in: memo, as: "other", rendition: nil, reader) == nil)
        #expect(try files.content(of: blob, in: memo, as: "film", rendition: "720p", reader) == nil)
        #expect(try files.renditions(of: blob, in: SubjectID("memo", maker), as: "film", reader) == nil)
      }
      #expect(try await world.broken().isEmpty)
    }
  }

  @Test func `a thing that is gone has no files any more`() async throws {
    var limits = MediaLimits()
    limits.removedAtOnce = 2
    try await MediaWorld.with(limits) { world in
      let owner = world.user()
      let files = world.media.files
      let (gone, kept) = (memo(world, 1, of: owner), memo(world, 2, of: owner))
      for byte in 1...5 as ClosedRange<UInt8> {
        let upload = try await world.upload([byte], .file, of: owner)
        try await world.database.write { writer in
          _ = try files.attach(upload, of: owner, to: gone, as: "file\(byte)", kind: .file, in: writer)
          if byte == 1 { _ = try files.attach(upload, of: owner, to: kept, as: "file", kind: .file, in: writer) }
        }
      }
      let records = try #require(world.media.personalRecords)
      while try await world.database.write({ try records.erase(owner, in: $0) }) {}
      #expect(try await world.contents() == 5)
      world.notes.remove(gone.id)
      let subjects = world.kit.subjects
      try await world.database.write { try subjects.gone(gone, in: $0) }
      try await world.process()
      #expect(try await world.broken().isEmpty)
      let left: [String] = try await world.database.read { reader in
        try reader.rows("SELECT subject FROM media_uses") { $0[0] }
      }
      #expect(left == [kept.text])
      world.clock.advance(by: .seconds(86_400))
      try await world.process()
      _ = try await world.kit.blobs.collect()
      #expect(try await world.contents() == 1)
    }
  }

  @Test(arguments: [true, false])
  func `invariant 7: reading a file that takes long ends when its reader may not see it any more`(
    isTold: Bool
  ) async throws {
    try await MediaWorld.with { world in
      let owner = world.user()
      let files = world.media.files
      var read = ReadBlobRequest()
      // More than is on the way to a reader who takes none of it.
      read.blobID = try await Sender(world, owner).send(SeededRandomSource(seed: 3).bytes(8 << 20))
      let blob = try Identifier.parse(read.blobID, kind: "blob")
      let memo = memo(world, 1, of: owner, isPublic: true)
      _ = try await world.database.write {
        try files.attach(.blob(blob), of: owner, to: memo, as: "photo", FileRules([.file]), in: $0)
      }
      var sign = SignUrlRequest()
      sign.blobID = read.blobID
      let stranger = world.client(nil)
      let path = try await stranger.signUrl(sign).path
      let peer = PeerInfo(address: "inprocess:", isEncrypted: false)
      let answer = try await #require(world.media.routes.first).answer(
        PlainRequest(method: "GET", path: path[...], headers: HeaderList(), peer: peer))
      let calls = stranger.readBlob(read).responses
      #expect(try await calls.next()?.data.isEmpty == false)
      #expect(try await answer.body()?.isEmpty == false)
      world.notes.publish(memo.id, false)
      if isTold {
        try await world.database.write { try world.kit.subjects.visibilityChanged(of: memo, in: $0) }
      } else {
        #expect(try await answer.body()?.isEmpty == false, "asked every `MediaLimits.sightInterval` only")
        world.clock.advance(by: MediaLimits().sightInterval)
      }
      await expectRefusal(.notFound, "NOT_FOUND") { while try await calls.next() != nil {} }
      await #expect(throws: KitError.self) { try await answer.body() }
    }
  }

  @Test func `invariant 7: whoever may see a thing sees its files, also without credentials, and no others`()
    async throws
  {
    try await MediaWorld.with { world in
      let owner = world.user()
      let files = world.media.files
      let upload = try await world.upload([1, 2, 3], .file, of: owner)
      let memo = memo(world, 1, of: owner, isPublic: false)
      let blob = try await world.database.write {
        try files.attach(upload, of: owner, to: memo, as: "photo", kind: .file, in: $0).blob
      }.text(kind: "blob")
      let stranger = world.client(nil)
      func look() async throws -> [UInt8] {
        var get = GetBlobRequest()
        get.blobID = blob
        #expect(try await stranger.getBlob(get).length == 3)
        var list = ListRenditionsRequest()
        list.blobID = blob
        #expect(try await stranger.listRenditions(list).renditions.isEmpty)
        var read = ReadBlobRequest()
        read.blobID = blob
        return try await stranger.readBlob(read).responses.next()?.data ?? []
      }
      await expectRefusal(.notFound, "NOT_FOUND") { try await look() }
      world.notes.publish(memo.id, true)
      #expect(try await look() == [1, 2, 3])
      var sign = SignUrlRequest()
      sign.blobID = blob
      let path = try await stranger.signUrl(sign).path
      let route = try #require(world.media.routes.first)
      func status() async throws -> Int {
        let peer = PeerInfo(address: "inprocess:", isEncrypted: false)
        return try await route.answer(PlainRequest(method: "GET", path: path[...], headers: HeaderList(), peer: peer))
          .status
      }
      #expect(try await status() == 200)
      // Hidden from the same commit on, from links as well.
      world.notes.publish(memo.id, false)
      #expect(try await status() == 404)
      await expectRefusal(.notFound, "NOT_FOUND") { try await look() }
      await expectRefusal(.notFound, "NOT_FOUND") { _ = try await stranger.signUrl(sign) }
      world.notes.publish(memo.id, true)
      #expect(try await status() == 200)
    }
  }
}
