import Base
import Cryptography
import DomainKit
import MediaAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Media

@Suite struct LinkTests {
  private func sign(
    _ client: MediaServiceClient, _ blob: String, name: String = "", through subject: String = "",
    lifetime: Duration? = nil
  ) async throws -> String {
    var request = SignUrlRequest()
    (request.blobID, request.name, request.subjectID) = (blob, name, subject)
    request.lifetime = lifetime.map { ProtoDuration($0) }
    return try await client.signUrl(request).path
  }

  private func get(_ world: MediaWorld, _ path: String, _ headers: HeaderList = HeaderList()) async throws
    -> (status: Int, headers: HeaderList, body: [UInt8])
  {
    let route = try #require(world.media.routes.first)
    #expect(path.hasPrefix(route.prefix))
    let request = PlainRequest(method: "GET", path: path[...], headers: headers, peer: Self.peer)
    let response = try await route.answer(request)
    var body: [UInt8] = []
    while let piece = try await response.body() { body += piece }
    #expect(body.count == response.length)
    return (response.status, response.headers, body)
  }

  private static let peer = PeerInfo(address: "inprocess:", isEncrypted: false)

  @Test func `a signed URL gives the bytes and ranges of them`() async throws {
    try await MediaWorld.with { world in
      let content = SeededRandomSource(seed: 3).bytes(300_000)
      let sender = Sender(world, world.user())
      let path = try await sign(sender.client, try await sender.send(content))
      let whole = try await get(world, path)
      #expect(whole.status == 200 && whole.body == content)
      let tag = try #require(whole.headers.first("etag"))
      #expect(whole.headers.first("cache-control") == "private, max-age=900, immutable")
      #expect(whole.headers.first("x-content-type-options") == "nosniff")
      let cases: [(HeaderList, Int, Range<Int>?)] = [
        (["range": "bytes=0-0"], 206, 0..<1), (["range": "bytes=299999-"], 206, 299_999..<300_000),
        (["range": "bytes=-5"], 206, 299_995..<300_000), (["range": "bytes=5-999999999999999999999"], 206, 5..<300_000),
        (["range": "bytes=300000-"], 416, nil), (["range": "bytes=-0"], 416, nil),
        (["range": "bytes=5-2"], 200, 0..<300_000), (["range": "bytes=0-1,3-4"], 200, 0..<300_000),
        (["range": "lines=0-1"], 200, 0..<300_000), (["range": "bytes=0-0", "if-range": tag], 206, 0..<1),
        (["range": "bytes=0-0", "if-range": "\"other\""], 200, 0..<300_000),
        (["if-none-match": tag], 304, nil), (["if-none-match": "\"a\", W/\(tag)"], 304, nil),
        (["if-none-match": "\"a\""], 200, 0..<300_000),
      ]
      for (headers, status, range) in cases {
        let answer = try await get(world, path, headers)
        #expect(answer.status == status, "\(headers)")
        #expect(answer.headers.first("access-control-allow-origin") == "*", "\(headers)")
        #expect(answer.body == range.map { Array(content[$0]) } ?? [], "\(headers)")
        if status == 206, let range {
          let field = "bytes \(range.lowerBound)-\(range.upperBound - 1)/300000"
          #expect(answer.headers.first("content-range") == field)
        }
        if status == 416 { #expect(answer.headers.first("content-range") == "bytes */300000") }
      }
    }
  }

  @Test func `invariant 14: a signed URL opens one blob until it expires, and never after its removal`() async throws {
    try await MediaWorld.with { world in
      let (owner, viewer) = (world.user(), world.user())
      let sender = Sender(world, owner)
      let upload = try await sender.create([1, 2, 3])
      let stream = try await sender.open(upload.id)
      try await stream.send([1, 2, 3])
      let blob = try await stream.completed().blobID
      let limits = MediaLimits()
      let path = try await sign(sender.client, blob, lifetime: limits.longestLink)
      let short = try await sign(sender.client, blob)
      world.clock.advance(by: limits.linkLifetime)
      #expect(try await get(world, short).status == 403)
      world.clock.advance(by: limits.longestLink - limits.linkLifetime - .milliseconds(1))
      #expect(try await get(world, path).body == [1, 2, 3])
      world.clock.advance(by: .milliseconds(1))
      for (path, status) in [(path, 403), ("/media/x/original", 404)] {
        let refused = try await get(world, path)
        // A page's script is to learn why.
        #expect(refused.status == status && refused.headers.first("access-control-allow-origin") == "*")
      }
      for lifetime in [.zero, .milliseconds(999), limits.longestLink + .milliseconds(1), .seconds(-1)] as [Duration] {
        await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
          try await sign(sender.client, blob, lifetime: lifetime)
        }
      }

      // Through a thing, until the thing lets go of it.
      await expectRefusal(.notFound, "NOT_FOUND") { try await sign(world.client(viewer), blob) }
      let memo = world.notes.add(Identifier(rawValue: 1), of: owner, isPublic: true)
      let files = world.media.files
      let uploadID = try Identifier.parse(upload.id, kind: "upl")
      let file = try await world.database.write {
        try files.attach(uploadID, of: owner, to: memo, as: "photo", kind: .file, in: $0)
      }
      let shared = try await sign(world.client(viewer), blob)
      let own = try await sign(sender.client, blob)
      #expect(try await get(world, shared).status == 200)
      _ = try await world.database.write { try files.detach(file.blob, from: memo, as: "photo", in: $0) }
      #expect(try await get(world, shared).status == 404)
      #expect(try await get(world, own).status == 200)
      // It does not come to life again with another share.
      _ = try await world.database.write {
        try files.attach(uploadID, of: owner, to: memo, as: "photo", kind: .file, in: $0)
      }
      #expect(try await get(world, shared).status == 404)
      await expectRefusal(.notFound, "NOT_FOUND") { try await sign(sender.client, blob, name: "w640") }
    }
  }

  @Test func `what becomes hidden while the answer is made is not sent`() async throws {
    try await MediaWorld.with { world in
      let owner = world.user()
      let note = Identifier(rawValue: 1)
      let memo = world.notes.add(note, of: owner, isPublic: true)
      let upload = try await world.upload([1, 2, 3], .file, of: owner)
      let files = world.media.files
      let file = try await world.database.write {
        try files.attach(upload, of: owner, to: memo, as: "photo", kind: .file, in: $0)
      }
      let path = try await sign(world.client(world.user()), file.blob.text(kind: "blob"))
      world.notes.afterNextLook {
        world.notes.publish(note, false)
        world.clock.advance(by: MediaLimits().sightInterval)
      }
      let route = try #require(world.media.routes.first)
      let request = PlainRequest(method: "GET", path: path[...], headers: HeaderList(), peer: Self.peer)
      let response = try await route.answer(request)
      #expect(response.status == 200)
      await #expect(throws: KitError.self) { try await response.body() }
    }
  }

  @Test func `a link that was changed in one bit, cut or put together opens nothing`() async throws {
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      let path = try await sign(sender.client, try await sender.send([1]))
      let token = try #require(path.split(separator: "/").dropFirst().first)
      let bytes = try #require(Base64.url.decode(String(token)))
      for index in bytes.indices {
        var other = bytes
        other[index] ^= 1 << (index % 8)
        #expect(try await get(world, "/media/\(Base64.url.encode(other))/original").status == 404)
      }
      let bad = [
        "", "x", String(token), "\(token)/", "\(token)/other", "\(token)/original/", "\(token.dropLast())/original",
        "\(token)/../original", "/original", "\(token)/original.m3u8", "\(token)/hls.m3u8",
      ]
      for path in bad { #expect(try await get(world, "/media/" + path).status == 404, "\(path)") }
    }
  }
}
