import Base
import Blobs
import MediaAPI
import Testing

@testable import Media
@testable import Storage

@Suite struct LostLeaseTests {
  private func picture() async throws -> [UInt8] {
    try await ProcessingTests.generate(
      ["-f", "lavfi", "-i", "testsrc2=size=120x80", "-frames:v", "1"], as: "a.png")
  }

  private func state(_ world: MediaWorld, _ sender: Sender, _ id: String) async throws -> BlobState {
    var request = GetBlobRequest()
    request.blobID = id
    return try await sender.client.getBlob(request).state
  }

  /// Leases the one job that is due.
  private func lease(_ timers: Timers) async throws -> DueTimer {
    let leased = try await timers.lease()
    try #require(leased.count == 1)
    return leased[0]
  }

  @Test func `acceptance 13: what a worker makes whose lease has run out is not stored, what the other makes is, once`()
    async throws
  {
    let picture = try await picture()
    try await MediaWorld.with { world in
      let sender = Sender(world, world.user())
      let id = try await sender.send(picture, .image)
      let probe = try await lease(world.timers)
      let isProbed = await world.timers.run(probe)
      #expect(isProbed)
      let late = try await lease(world.timers)
      #expect(late.kind == MediaWorker.renderKind)
      // Its worker is frozen for longer than its lease.
      world.clock.advance(by: .seconds(61))
      let other = try await world.otherWorker()
      let present = try await lease(other)
      #expect(present.key == late.key && present.fence > late.fence && present.attempt == 2)
      let isStored = await world.timers.run(late)
      #expect(!isStored)
      #expect(try await state(world, sender, id) == .transcoding)
      #expect(try await world.contents() == 1)
      #expect(try await world.openUploads() == 0)
      let isMade = await other.run(present)
      #expect(isMade)
      #expect(try await state(world, sender, id) == .ready)
      #expect(try await world.contents() == 2)
      #expect(try await world.openUploads() == 0)
      #expect(try world.workFiles().isEmpty)
      #expect(try await world.broken().isEmpty)
    }
  }

  @Test func `a worker whose task is cancelled while it stores something leaves nothing of it`() async throws {
    try await MediaWorld.with { world in
      let worker = world.media.worker
      let storing = Task {
        try await worker.upload(Array("a rendition".utf8)) { _ in
          withUnsafeCurrentTask { $0?.cancel() }
          try Task.checkCancellation()
        }
      }
      await #expect(throws: CancellationError.self) { try await storing.value }
      let (uploads, contents) = (try await world.openUploads(), try await world.contents())
      #expect(uploads == 0 && contents == 0)
    }
  }
}
