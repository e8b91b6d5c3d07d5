import Base
import Blobs
import DomainKit
import Foundation
import MediaAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Media

@Suite struct ProcessingTests {
  /// What ffmpeg makes of its generators.
  static func generate(_ arguments: [String], as name: String) async throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "octet-clip-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: name)
    let limits = ChildProgram.Limits(
      time: .seconds(3600), processorSeconds: 3600, memoryBytes: 4 << 30, fileBytes: 1 << 30)
    let outcome = try await ChildProgram.run(
      "ffmpeg", ["-nostdin", "-v", "error"] + arguments + [path.path], limits: limits)
    try #require(outcome.status == 0, "\(String(decoding: outcome.errors, as: UTF8.self))")
    return [UInt8](try Data(contentsOf: path))
  }

  static func clip(seconds: Int, size: String = "640x360", rate: Int = 10) async throws -> [UInt8] {
    try await generate(
      [
        "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=\(rate):duration=\(seconds)", "-f", "lavfi", "-i",
        "sine=frequency=440:duration=\(seconds)", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac",
        "-metadata", "location=+60.1699+024.9384/",
      ], as: "clip.mp4")
  }

  private func blob(_ client: MediaServiceClient, _ id: String) async throws -> MediaAPI.Blob {
    var request = GetBlobRequest()
    request.blobID = id
    return try await client.getBlob(request)
  }

  private func renditions(_ client: MediaServiceClient, _ id: String) async throws -> [Rendition] {
    var request = ListRenditionsRequest()
    request.blobID = id
    return try await client.listRenditions(request).renditions
  }

  private func read(_ client: MediaServiceClient, _ id: String, _ profile: String) async throws -> [UInt8] {
    var request = ReadBlobRequest()
    (request.blobID, request.profile) = (id, profile)
    let responses = client.readBlob(request).responses
    var bytes: [UInt8] = []
    while let piece = try await responses.next() { bytes += piece.data }
    return bytes
  }

  @Test func `a picture becomes three smaller ones that hold nothing but pixels`() async throws {
    // EXIF: orientation 6 (to be turned right), and the tag of a GPS directory.
    let plain = try await Self.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=2000x1000", "-frames:v", "1"], as: "a.jpg")
    let exif: [UInt8] = [
      0xff, 0xe1, 0, 46, 0x45, 0x78, 0x69, 0x66, 0, 0, 0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 2, 0x01, 0x12, 0, 3, 0, 0, 0,
      1,
      0, 6, 0, 0, 0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38, 0, 0, 0, 0,
    ]
    let photo = Array(plain[..<2]) + exif + plain[2...]
    try await MediaWorld.with { world in
      let owner = world.user()
      let sender = Sender(world, owner)
      let id = try await sender.send(photo, .image)
      #expect(try await blob(sender.client, id).state == .probing)
      try await world.process()
      let done = try await blob(sender.client, id)
      #expect(done.state == .ready && done.contentType == "image/jpeg", "\(done.failure)")
      #expect(done.widthPx == 1000 && done.heightPx == 2000)
      let made = try await renditions(sender.client, id)
      #expect(made.map(\.profile) == ["w1280", "w160", "w640"] && made.allSatisfy(\.isReady))
      for (rendition, side) in zip(made, [1280, 160, 640]) {
        let bytes = try await read(sender.client, id, rendition.profile)
        let header = try #require(ImageHeader(bytes))
        #expect(header.format == .webp && header.height == side && header.width == side / 2)
        #expect(rendition.length == Int64(bytes.count) && rendition.heightPx == Int32(side))
        #expect(bytes.firstRange(of: Array("EXIF".utf8)) == nil && bytes.firstRange(of: Array("Exif".utf8)) == nil)
      }
      #expect(try world.workFiles().isEmpty)
      #expect(try await world.broken().isEmpty)

      // Others who see it get what was made of it, not the original.
      let viewer = world.client(world.user())
      let memo = world.notes.add(Identifier(rawValue: 1), of: owner, isPublic: true)
      let upload = try await world.database.read {
        try UploadRow.list(of: owner, after: Identifier(rawValue: 0), limit: 1, in: $0)
      }
      let files = world.media.files
      let file = try await world.database.write {
        try files.attach(upload[0].id, of: owner, to: memo, as: "photo", kind: .image, in: $0)
      }
      #expect(file.state == .ready && file.width == 1000)
      #expect(try await !read(viewer, id, "w640").isEmpty)
      await expectRefusal(.notFound, "NOT_FOUND") { try await read(viewer, id, "") }
      #expect(try await read(sender.client, id, "") == photo)

      // One set for all, gone with the last share (acceptance 10 of the platform).
      let other = Sender(world, world.user())
      #expect(try await other.send(photo, .image) == id)
      try await world.process()
      #expect(try await world.contents() == 4)
      for (client, isLast) in [(sender.client, false), (other.client, true)] {
        if !isLast {
          _ = try await world.database.write { try files.detach(file.blob, from: memo, as: "photo", in: $0) }
        }
        var delete = DeleteBlobRequest()
        (delete.requestID, delete.blobID) = (newRequestID(), id)
        _ = try await client.deleteBlob(delete)
        #expect(try await world.broken().isEmpty)
      }
      world.clock.advance(by: .seconds(86_399))
      _ = try await world.kit.blobs.collect()
      #expect(try await world.contents() == 4)
      world.clock.advance(by: .seconds(1))
      _ = try await world.kit.blobs.collect()
      #expect(try await world.contents() == 0)
    }
  }

  @Test func `a film becomes films of three sizes with segments of two seconds, and stills`() async throws {
    let film = try await Self.clip(seconds: 5, size: "1280x720")
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      let id = try await sender.send(film, .video)
      var watch = WatchBlobRequest()
      watch.blobID = id
      let news = sender.client.watchBlob(watch).responses
      #expect(try await news.next()?.blob?.state == .probing)
      try await world.process()
      var last: WatchBlobResponse?
      var states: [BlobState] = []
      while let response = try await news.next() {
        if let state = response.blob?.state, states.last != state { states.append(state) }
        last = response
      }
      #expect(states == [.transcoding, .ready])
      let done = try #require(last?.blob)
      #expect(done.contentType == "video/mp4" && done.widthPx == 1280 && done.heightPx == 720)
      #expect((Duration(try #require(done.duration)) ?? .zero) >= .seconds(5))
      let made = try await renditions(sender.client, id)
      #expect(made == last?.renditions)
      #expect(made.map(\.profile) == ["240p", "480p", "720p", "poster", "thumb"])
      for (rendition, height) in zip(made, [240, 480, 720] as [Int32]) {
        #expect(rendition.contentType == "video/mp4" && rendition.heightPx == height && rendition.segments == 3)
        #expect(rendition.codecs.hasPrefix("avc1.64") && rendition.codecs.hasSuffix(",mp4a.40.2"))
        #expect(rendition.bitRateBps > 1000)
        let bytes = try await read(sender.client, id, rendition.profile)
        #expect(bytes.firstRange(of: Array("+60.1699".utf8)) == nil)
        let again = try await probe(bytes)
        #expect(again.height == Int(height) && again.duration >= .seconds(5))
      }
      #expect(try #require(ImageHeader(try await read(sender.client, id, "poster"))).height == 720)

      // The playlists name what can be got beside them.
      let route = try #require(world.media.routes.first)
      @Sendable func get(_ path: String) async throws -> String {
        let peer = PeerInfo(address: "inprocess:", isEncrypted: false)
        let response = try await route.answer(
          PlainRequest(method: "GET", path: path[...], headers: HeaderList(), peer: peer))
        #expect(response.status == 200 && response.headers.first("content-type") == "application/vnd.apple.mpegurl")
        return String(decoding: try await response.body() ?? [], as: UTF8.self)
      }
      var sign = SignUrlRequest()
      (sign.blobID, sign.name) = (id, "hls.m3u8")
      let path = try await sender.client.signUrl(sign).path
      let master = try await get(path)
      #expect(master.contains("RESOLUTION=1280x720") && master.contains("\n480p.m3u8\n"))
      let playlist = try await get(path.replacing("hls.m3u8", with: "480p.m3u8"))
      #expect(playlist.contains("#EXT-X-MAP:URI=\"480p.mp4\""))
      #expect(playlist.split(separator: "\n").count { $0 == "480p.mp4" } == 3 && playlist.contains("#EXT-X-ENDLIST"))
      #expect(try await world.broken().isEmpty)
    }
  }

  private func probe(_ bytes: [UInt8]) async throws -> FilmFacts {
    let path = FileManager.default.temporaryDirectory.appending(path: "octet-probe-\(UUID().uuidString).mp4")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data(bytes).write(to: path)
    return try await MediaTools(limits: MediaLimits().patient).probe(path.path)
  }

  private struct Bad: CustomStringConvertible {
    let description: String
    let content: [UInt8]
    var kind = BlobKind.image
    let reason: String
  }

  private static func png(width: UInt32, height: UInt32) -> [UInt8] {
    let numbers = [width, height].flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }
    return [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13] + Array("IHDR".utf8) + numbers + [
      8, 2, 0, 0, 0, 0, 0, 0, 0,
    ]
  }

  /// Acceptance 4, and 11 of the platform.
  @Test func `what is not what it should be fails with its reason`() async throws {
    let text = Array("This is no film.\n".utf8)
    let playlist = Array("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n".utf8)
    var limits = MediaLimits()
    limits.filmDuration = .seconds(3)
    limits.filmPixels = 640 * 360
    let long = try await Self.clip(seconds: 4)
    let large = try await Self.clip(seconds: 1, size: "1280x720")
    let picture = try await Self.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=320x200", "-frames:v", "1"], as: "a.png")
    let bad = [
      Bad(description: "a huge PNG", content: Self.png(width: 100_000, height: 100_000), reason: "TOO_MANY_PIXELS"),
      Bad(description: "a PNG without pixels", content: Self.png(width: 100, height: 100), reason: "NOT_DECODABLE"),
      Bad(description: "a PNG of nothing", content: Self.png(width: 0, height: 100), reason: "UNSUPPORTED_FORMAT"),
      Bad(description: "text as a picture", content: text, reason: "UNSUPPORTED_FORMAT"),
      Bad(description: "text as a film", content: text, kind: .video, reason: "UNSUPPORTED_FORMAT"),
      Bad(description: "a playlist of files", content: playlist, kind: .video, reason: "UNSUPPORTED_FORMAT"),
      Bad(description: "a picture as a film", content: picture, kind: .video, reason: "UNSUPPORTED_FORMAT"),
      Bad(description: "a film as a picture", content: long, reason: "UNSUPPORTED_FORMAT"),
      Bad(description: "a long film", content: long, kind: .video, reason: "TOO_LONG"),
      Bad(description: "a large film", content: large, kind: .video, reason: "TOO_MANY_PIXELS"),
    ]
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      for each in bad {
        let id = try await sender.send(each.content, each.kind)
        try await world.process()
        let blob = try await blob(sender.client, id)
        #expect(blob.state == .failed && blob.failure == each.reason, "\(each): \(blob.failure)")
        #expect(try await renditions(sender.client, id).isEmpty)
        // A watch has nothing to wait for.
        var watch = WatchBlobRequest()
        watch.blobID = id
        let news = sender.client.watchBlob(watch).responses
        #expect(try await news.next()?.blob?.failure == each.reason)
        #expect(try await news.next() == nil)
      }
      #expect(try world.workFiles().isEmpty)
      #expect(try await world.broken().isEmpty)
      // Once more is tried once more.
      #expect(try await sender.send(text, .image) != "")
      let again = try await sender.send(bad[3].content, .image)
      #expect(try await blob(sender.client, again).state == .probing)
    }
  }

  @Test func `limits of what programs may use hold, and a job that goes on failing is given up`() async throws {
    var limits = MediaLimits()
    (limits.processingMemory, limits.processingAttempts, limits.jobsAtOnce) = (1 << 20, 1, 1)
    limits.processingSeconds = 5
    limits.processingTime = .seconds(60)
    let picture = try await Self.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=320x200", "-frames:v", "1"], as: "a.png")
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      let id = try await sender.send(picture, .image)
      try await world.process()
      #expect(try await blob(sender.client, id).state == .failed)
    }
    limits = MediaLimits()
    limits.renditionBytes = 100
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      let id = try await sender.send(picture, .image)
      try await world.process()
      #expect(try await blob(sender.client, id).failure == "TOO_COSTLY")
    }
    limits = MediaLimits()
    limits.probedBytes = 100
    limits.filmTolerance = .zero
    let film = try await Self.clip(seconds: 1)
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      let id = try await sender.send(film, .video)
      try await world.process()
      #expect(try await blob(sender.client, id).failure == "TOO_LONG")
    }
    #expect(MediaLimits().imagePixels == 50_000_000)
  }

  @Test func `a sound becomes one that all players take, without what is written in it`() async throws {
    let song = try await Self.generate(
      ["-f", "lavfi", "-i", "sine=frequency=440:duration=3", "-metadata", "title=Helsinki"], as: "a.mp3")
    let film = try await Self.clip(seconds: 1)
    let picture = try await Self.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=320x200", "-frames:v", "1"], as: "a.png")
    var limits = MediaLimits()
    limits.soundDuration = .seconds(5)
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      let id = try await sender.send(song, .audio)
      try await world.process()
      let done = try await blob(sender.client, id)
      #expect(done.state == .ready && done.contentType == "audio/mpeg" && done.widthPx == 0, "\(done.failure)")
      #expect((Duration(try #require(done.duration)) ?? .zero) >= .seconds(3))
      let made = try await renditions(sender.client, id)
      #expect(made.map(\.profile) == ["sound"] && made[0].contentType == "audio/mp4" && made[0].segments == 0)
      #expect(made[0].codecs == "mp4a.40.2" && made[0].bitRateBps > 1000)
      let bytes = try await read(sender.client, id, "sound")
      #expect(bytes[4..<8].elementsEqual("ftyp".utf8) && bytes.firstRange(of: Array("Helsinki".utf8)) == nil)
      let long = try await Self.generate(["-f", "lavfi", "-i", "sine=duration=6"], as: "a.wav")
      for (content, failure) in [
        (picture, "UNSUPPORTED_FORMAT"), (Array("no sound".utf8), "UNSUPPORTED_FORMAT"), (long, "TOO_LONG"),
      ] {
        let id = try await sender.send(content, .audio)
        try await world.process()
        #expect(try await blob(sender.client, id).failure == failure)
      }
      // As a browser records it, which does not know yet how long it will be.
      let spoken = try await Self.generate(
        ["-f", "lavfi", "-i", "sine=duration=4", "-c:a", "libopus", "-live", "1"], as: "a.webm")
      let endless = try await Self.generate(
        ["-f", "lavfi", "-i", "sine=duration=6", "-c:a", "libopus", "-live", "1"], as: "a.webm")
      for (content, duration, failure) in [(spoken, 4, ""), (endless, nil, "TOO_LONG")] as [([UInt8], Int64?, String)] {
        let id = try await sender.send(content, .audio)
        try await world.process()
        let done = try await blob(sender.client, id)
        #expect(done.failure == failure && done.duration?.seconds == duration)
      }
      // The sound of a film is one.
      let track = try await sender.send(film, .audio)
      try await world.process()
      #expect(try await blob(sender.client, track).state == .ready)
      #expect(try world.workFiles().isEmpty)
      #expect(try await world.broken().isEmpty)
    }
  }

  @Test func `a sound without a length may have the shortest packets that there are`() async throws {
    // A list of 60,000 lines.
    let sound = try await Self.generate(
      ["-f", "lavfi", "-i", "sine=duration=150", "-c:a", "libopus", "-frame_duration", "2.5", "-live", "1"],
      as: "a.webm")
    for (bytes, failure) in [(MediaLimits().probedSoundBytes, ""), (1 << 20, "TOO_LONG")] {
      var limits = MediaLimits()
      limits.probedSoundBytes = bytes
      try await MediaWorld.with(limits) { world in
        let sender = Sender(world, world.user())
        let id = try await sender.send(sound, .audio)
        try await world.process()
        let done = try await blob(sender.client, id)
        #expect(done.failure == failure && done.duration?.seconds == (failure.isEmpty ? 150 : nil))
      }
    }
  }

  @Test func `a job that fails for the server's own reasons is tried five times, and then says so`() async throws {
    let picture = try await Self.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=320x200", "-frames:v", "1"], as: "a.png")
    let limits = MediaLimits()
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      let id = try await sender.send(picture, .image)
      // There is no place for what it makes.
      try world.removeWorkFolder()
      for attempt in 1...limits.processingAttempts {
        #expect(try await blob(sender.client, id).state != .failed, "after \(attempt - 1) attempts")
        try await world.process()
        world.clock.advance(by: .seconds(3600))
      }
      let failed = try await blob(sender.client, id)
      #expect(failed.state == .failed && failed.failure == "PROCESSING_FAILED")
      #expect(limits.processingAttempts == 5)
      #expect(try await world.broken().isEmpty)
    }
  }

  @Test func `what is removed while it is made leaves nothing`() async throws {
    let picture = try await Self.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=320x200", "-frames:v", "1"], as: "a.png")
    try await MediaWorld.with { world in
      let user = world.user()
      let sender = Sender(world, user)
      let id = try await sender.send(picture, .image)
      var watch = WatchBlobRequest()
      watch.blobID = id
      let news = sender.client.watchBlob(watch).responses
      #expect(try await news.next()?.blob?.state == .probing)
      var delete = DeleteBlobRequest()
      (delete.requestID, delete.blobID) = (newRequestID(), id)
      _ = try await sender.client.deleteBlob(delete)
      await expectRefusal(.notFound, "NOT_FOUND") { while try await news.next() != nil {} }
      try await world.process()
      world.clock.advance(by: .seconds(86_400))
      _ = try await world.kit.blobs.collect()
      #expect(try await world.contents() == 0)
      #expect(try await world.broken().isEmpty)
    }
  }
}
