import Base
import Blobs
import Cryptography
import DomainKit
import MediaAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Media

@Suite struct UploadTests {
  private static func content(_ count: Int, seed: UInt64 = 7) -> [UInt8] { SeededRandomSource(seed: seed).bytes(count) }

  @Test func `what was sent is the blob, by its hash`() async throws {
    try await MediaWorld.with { world in
      let (user, content) = (world.user(), Self.content(700_000))
      let sender = Sender(world, user)
      let begun = try await sender.create(content)
      #expect(begun.state == .waiting && begun.offset == 0 && begun.epoch == 1 && begun.expireTime != nil)
      let stream = try await sender.open(begun.id)
      #expect(stream.opened.epoch == 2 && stream.opened.offset == 0)
      try await stream.send(Array(content[..<300_000]))
      try await stream.send(Array(content[300_000...]), at: 300_000)
      let done = try await stream.completed()
      #expect(done.state == .complete && done.offset == 700_000 && done.expireTime == nil)
      #expect(try await sender.get(begun.id) == done)
      var request = GetBlobRequest()
      request.blobID = done.blobID
      let blob = try await sender.client.getBlob(request)
      #expect(blob.sha256 == Hash.sha256(content) && blob.length == 700_000 && blob.state == .ready)
      // Once more changes nothing: the answer is the same.
      let again = sender.client.uploadChunks()
      var open = UploadOpen()
      open.uploadID = begun.id
      var frame = UploadChunksRequest()
      frame.frame = .open(open)
      try await again.requests.write(frame)
      guard case .complete(done) = try await again.responses.next()?.frame else {
        Issue.record("a complete upload that is opened again is complete")
        return
      }
      #expect(try await world.broken().isEmpty)
    }
  }

  /// Invariant 1, acceptance 1: what was acknowledged is there, wherever the stream was cut.
  @Test func `an upload that is cut at each border of its chunks goes on where it was acknowledged`() async throws {
    try await MediaWorld.with { world in
      let (content, piece) = (Self.content(50_000), 10_000)
      let sender = Sender(world, world.user())
      let id = try await sender.create(content).id
      for start in stride(from: 0, to: content.count, by: piece) {
        let stream = try await sender.open(id)
        #expect(stream.opened.offset == Int64(start))
        try await stream.send(Array(content[start..<(start + piece)]), at: Int64(start))
        if start + piece == content.count {
          #expect(try await stream.completed().state == .complete)
        } else {
          try await stream.acknowledged(Int64(start + piece))
          let upload = try await sender.get(id)
          #expect(upload.state == .receiving && upload.offset == Int64(start + piece))
          stream.call.cancel()
        }
      }
      #expect(try await world.broken().isEmpty)
    }
  }

  /// Invariant 1, acceptance 1, at the last border: all bytes are there, and what follows is not.
  @Test(arguments: [true, false])
  func `a crash after the last byte leaves what the next stream completes`(isPlaced: Bool) async throws {
    try await MediaWorld.with { world in
      let content = Self.content(2000)
      let sender = Sender(world, world.user())
      let id = try await sender.create(content).id
      let stream = try await sender.open(id)
      try await stream.send(Array(content[..<1000]))
      try await stream.acknowledged(1000)
      stream.call.cancel()
      // What the stream does with the last chunk, up to where the server dies.
      let row = try await world.database.read { try UploadRow.find(try Identifier.parse(id, kind: "upl"), in: $0) }
      guard case .open(let upload) = try await world.kit.blobs.resume(try #require(row).store) else {
        throw RPCError(.internal, "it was finished before its end")
      }
      try await upload.append(Array(content[1000...]))
      if isPlaced {
        _ = try await upload.finish()
      } else {
        _ = try await upload.checkpoint()
        await upload.close()
      }
      #expect(try await sender.get(id).offset == 1000)

      let call = sender.client.uploadChunks()
      var open = UploadOpen()
      open.uploadID = id
      var request = UploadChunksRequest()
      request.frame = .open(open)
      try await call.requests.write(request)
      var frames: [UploadChunksResponse.Frame?] = []
      while let response = try await call.responses.next() { frames.append(response.frame) }
      guard case .complete(let done) = frames.last ?? nil else {
        Issue.record("the upload is not complete: \(frames)")
        return
      }
      #expect(done.state == .complete && done.offset == 2000)
      // Where nothing is left to send, nothing is asked for.
      let offsets: [Int64] = frames.compactMap { if case .opened(let opened) = $0 { opened.offset } else { nil } }
      #expect(offsets == (isPlaced ? [] : [2000]) && frames.count == offsets.count + 1)
      #expect(try await sender.get(id) == done)
      #expect(try await world.contents() == 1)
      #expect(try await world.openUploads() == 0)
      #expect(try await world.broken().isEmpty)
    }
  }

  /// Invariant 1, acceptance 2: each byte has one writer epoch.
  @Test func `of two writers the newer goes on and the older is fenced at once, also one that is silent`() async throws
  {
    try await MediaWorld.with { world in
      let content = Self.content(3000)
      let sender = Sender(world, world.user())
      let id = try await sender.create(content).id
      let older = try await sender.open(id)
      try await older.send(Array(content[..<1000]))
      try await older.acknowledged(1000)
      let newer = try await sender.open(id)
      #expect(newer.opened.epoch == older.opened.epoch + 1 && newer.opened.offset == 1000)
      await expectRefusal(.aborted, "WRITER_FENCED") { while try await older.call.responses.next() != nil {} }
      try await newer.send(Array(content[1000...]), at: 1000)
      #expect(try await newer.completed().state == .complete)
    }
  }

  private struct BadFrame: CustomStringConvertible {
    let description: String
    let code: StatusCode
    let reason: String
    let send: @Sendable (SendingStream) async throws -> Void
  }

  /// Acceptance 3 among others: a bad frame changes nothing.
  @Test func `a bad frame ends the stream and leaves the offset as it is`() async throws {
    let content = Self.content(2000)
    let frames = [
      BadFrame(description: "damaged", code: .dataLoss, reason: "CHUNK_CHECKSUM") {
        try await $0.send(Array(content[1000...]), at: 1000, isDamaged: true)
      },
      BadFrame(description: "a gap", code: .aborted, reason: "OFFSET_MISMATCH") {
        try await $0.send(Array(content[1500...]), at: 1500)
      },
      BadFrame(description: "sent again", code: .aborted, reason: "OFFSET_MISMATCH") {
        try await $0.send(Array(content[..<1000]), at: 0)
      },
      BadFrame(description: "an older epoch", code: .aborted, reason: "WRITER_FENCED") {
        try await $0.send(Array(content[1000...]), at: 1000, epoch: $0.opened.epoch - 1)
      },
      BadFrame(description: "beyond the declared length", code: .invalidArgument, reason: "UPLOAD_TOO_LARGE") {
        try await $0.send(content, at: 1000)
      },
      BadFrame(description: "an early end", code: .aborted, reason: "OFFSET_MISMATCH") { try await $0.end(content) },
    ]
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      let id = try await sender.create(content).id
      var stream = try await sender.open(id)
      try await stream.send(Array(content[..<1000]))
      try await stream.acknowledged(1000)
      for frame in frames {
        stream = try await sender.open(id)
        try await frame.send(stream)
        let refusal = await refusal { while try await stream.call.responses.next() != nil {} }
        #expect(refusal == Refusal(frame.code, frame.reason), "\(frame)")
        #expect(try await sender.get(id).offset == 1000, "\(frame)")
      }
      stream = try await sender.open(id)
      try await stream.send(Array(content[1000...]), at: 1000)
      #expect(try await stream.completed().state == .complete)
    }
  }

  @Test func `the chunks before a bad one in the same stream are acknowledged`() async throws {
    try await MediaWorld.with { world in
      let content = Self.content(2000)
      let sender = Sender(world, world.user())
      let id = try await sender.create(content).id
      let stream = try await sender.open(id)
      try await stream.send(Array(content[..<1000]))
      try await stream.send(Array(content[1000...]), at: 1000, isDamaged: true)
      await expectRefusal(.dataLoss, "CHUNK_CHECKSUM") { while try await stream.call.responses.next() != nil {} }
      #expect(try await sender.get(id).offset == 1000)
    }
  }

  @Test func `a camera says at its end how long and what it was`() async throws {
    try await MediaWorld.with { world in
      let content = Self.content(2500)
      let sender = Sender(world, world.user())
      let id = try await sender.create(content, isOpen: true).id
      let stream = try await sender.open(id)
      for start in stride(from: 0, to: 2500, by: 500) {
        try await stream.send(Array(content[start..<(start + 500)]), at: Int64(start))
        try await stream.acknowledged(Int64(start + 500))
      }
      try await stream.end(content)
      let done = try await stream.completed()
      #expect(done.state == .complete && done.offset == 2500)
      let other = try await sender.create(content, isOpen: true).id
      let wrong = try await sender.open(other)
      try await wrong.send(content)
      try await wrong.end([1], length: 2500)
      await expectRefusal(.dataLoss, "CONTENT_HASH") { while try await wrong.call.responses.next() != nil {} }
      #expect(try await sender.get(other).state == .errored)
    }
  }

  @Test func `a cancelled upload ends its stream, and an idle one expires`() async throws {
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      let id = try await sender.create([1, 2]).id
      let stream = try await sender.open(id)
      let requestID = newRequestID()
      let cancelled = try await sender.cancel(id, requestID: requestID)
      #expect(cancelled.state == .cancelled)
      await expectRefusal(.failedPrecondition, "WRONG_STATE") { while try await stream.call.responses.next() != nil {} }
      #expect(try await sender.cancel(id, requestID: requestID) == cancelled)
      #expect(try await sender.cancel(id) == cancelled)

      let idle = try await sender.create([1, 2]).id
      world.clock.advance(by: MediaLimits().uploadIdle - .seconds(1))
      #expect(try await sender.get(idle).state == .waiting)
      world.clock.advance(by: .seconds(1))
      #expect(try await sender.get(idle).state == .expired)
      await expectRefusal(.failedPrecondition, "UPLOAD_EXPIRED") { try await sender.open(idle) }
      let sweep = try #require(world.media.sweeps.first)
      while try await sweep.step(world.database) {}
      #expect(try await sender.get(idle).state == .expired)
      await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await sender.cancel(idle) }
      world.clock.advance(by: MediaLimits().uploadKept)
      while try await sweep.step(world.database) {}
      await expectRefusal(.notFound, "NOT_FOUND") { try await sender.get(idle) }
    }
  }

  @Test func `limits of length and number hold, and a stranger sees no upload`() async throws {
    var limits = MediaLimits()
    (limits.uploadBytes, limits.uploadsPerDay) = (1000, 2)
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      await expectRefusal(.invalidArgument, "UPLOAD_TOO_LARGE") { try await sender.create(Self.content(1001)) }
      let id = try await sender.create([], isOpen: true).id
      let stream = try await sender.open(id)
      try await stream.send(Self.content(1001))
      await expectRefusal(.invalidArgument, "UPLOAD_TOO_LARGE") {
        while try await stream.call.responses.next() != nil {}
      }
      _ = try await sender.create([1])
      await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { try await sender.create([2]) }
      world.clock.advance(by: .seconds(86_400))
      _ = try await sender.create([2])
      let stranger = Sender(world, world.user())
      await expectRefusal(.notFound, "NOT_FOUND") { try await stranger.get(id) }
      await expectRefusal(.notFound, "NOT_FOUND") { try await stranger.open(id) }
      await expectRefusal(.notFound, "NOT_FOUND") { try await stranger.cancel(id) }
    }
  }

  @Test func `an ended session writes nothing more`() async throws {
    try await MediaWorld.with { world in
      let user = world.user()
      let sender = Sender(world, user)
      let id = try await sender.create([1, 2]).id
      let stream = try await sender.open(id)
      world.people.end(user)
      try await stream.send([1])
      await expectRefusal(.unauthenticated, "SESSION_ENDED") { while try await stream.call.responses.next() != nil {} }
      let row = try await world.database.read {
        try UploadRow.find(try Identifier.parse(id, kind: "upl"), in: $0)
      }
      #expect(row?.offset == 0)
    }
  }

  @Test func `many chunks are acknowledged together, but never more than the limit at once`() async throws {
    var limits = MediaLimits()
    (limits.unacknowledgedBytes, limits.waitingChunks) = (1000, 2)
    try await MediaWorld.with(limits) { world in
      let content = Self.content(5000)
      let sender = Sender(world, world.user())
      let stream = try await sender.open(try await sender.create(content).id)
      for start in stride(from: 0, to: 5000, by: 500) {
        try await stream.send(Array(content[start..<(start + 500)]), at: Int64(start))
      }
      var last: Int64 = 0
      while let response = try await stream.call.responses.next(), case .ack(let ack) = response.frame {
        #expect(ack.offset > last && ack.offset - last <= 1000)
        last = ack.offset
      }
      #expect(last >= 4000)
    }
  }

  @Test func `a queue of chunks holds no more than its limit`() async throws {
    let queue = ChunkQueue(limit: 2)
    let isPut = Locked(0)
    let putting = Task {
      for _ in 0..<5 {
        try await queue.put(UploadChunksRequest())
        isPut.withLock { $0 += 1 }
      }
      queue.end()
    }
    var taken = 0
    while let frames = try await queue.takeAll() {
      #expect(frames.count <= 2)
      taken += frames.count
      #expect(isPut.withLock { $0 } <= taken + 2)
    }
    try await putting.value
    #expect(taken == 5 && queue.isEmpty)
  }

  @Test func `a stream waits for another process to let go of the upload, but not for ever`() async throws {
    var limits = MediaLimits()
    (limits.takeOverAttempts, limits.takeOverPause) = (2, .milliseconds(1))
    try await MediaWorld.with(limits) { world in
      let sender = Sender(world, world.user())
      let id = try await sender.create([1, 2]).id
      let row = try await world.database.read { try UploadRow.find(try Identifier.parse(id, kind: "upl"), in: $0) }
      let other = try await world.openStoreAgain()
      let held = try await other.upload(try #require(row).store)
      await expectRefusal(.unavailable, "OVERLOADED") { try await sender.open(id) }
      await held.close()
      let stream = try await sender.open(id)
      try await stream.send([1, 2])
      #expect(try await stream.completed().state == .complete)
      await other.close()
    }
  }

  @Test func `every error has its reason and code`() {
    #expect(
      MediaError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" } == [
        "UPLOAD_TOO_LARGE INVALID_ARGUMENT", "OFFSET_MISMATCH ABORTED", "CHUNK_CHECKSUM DATA_LOSS",
        "CONTENT_HASH DATA_LOSS", "WRITER_FENCED ABORTED", "UPLOAD_EXPIRED FAILED_PRECONDITION",
        "BLOB_IN_USE FAILED_PRECONDITION", "UPLOAD_INCOMPLETE FAILED_PRECONDITION", "WRONG_FILE_KIND INVALID_ARGUMENT",
        "FILE_TOO_LARGE INVALID_ARGUMENT",
        "BAD_RANGE OUT_OF_RANGE",
      ])
  }
}
