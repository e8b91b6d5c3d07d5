import Base
import Storage
import Testing

@testable import Blobs

/// What runs by itself.
@Suite struct BlobCollectorTests {
  private static let day: Duration = .seconds(86_400)

  private func collector(_ fixture: BlobFixture) -> BlobCollector {
    BlobCollector(
      fixture.library, interval: .milliseconds(1), rest: .nanoseconds(1), random: SystemRandomSource()
    ) { Issue.record("\($0)") }
  }

  @Test(arguments: BlobEngine.all)
  func `the collector runs in the background until it is stopped`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      _ = try await fixture.library.put([1])
      fixture.clock.advance(by: Self.day * 8)
      let collector = collector(fixture)
      collector.start()
      // The first run begins at once, and stopping waits for it.
      while try await fixture.rows() != [0, 0, 0, 0] { await Task.yield() }
      await collector.stop()
      #expect(try await fixture.store.entries().isEmpty)
    }
  }

  @Test(arguments: BlobEngine.all)
  func `what no row knows is looked for once a week, by one of the nodes`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      /// Waits for two runs: an audit that follows the first one is over by the end of the second.
      func twoRuns() async throws {
        for _ in 1...2 {
          let expired = try await fixture.library.begin()
          try await fixture.database.write { writer in
            _ = try writer.execute("UPDATE octet_blob_uploads SET expires_at = 0 WHERE id = $1", expired.id)
          }
          while try await fixture.rows() != [0, 0, 0, 0] { await Task.yield() }
        }
      }
      let nodes = [collector(fixture), collector(fixture)]
      let first = try await fixture.store.put([1])
      nodes[0].start()
      while try await fixture.store.size(first) != nil { await Task.yield() }
      try await twoRuns()
      let second = try await fixture.store.put([2])
      fixture.clock.advance(by: Self.day * 6)
      try await twoRuns()
      await nodes[0].stop()
      nodes[1].start()
      try await twoRuns()
      #expect(try await fixture.store.size(second) == 1)
      fixture.clock.advance(by: Self.day * 2)
      while try await fixture.store.size(second) != nil { await Task.yield() }
      await nodes[1].stop()
    }
  }

  @Test(arguments: BlobEngine.all)
  func `a run of many transactions rests between them, and ends there if it is told so`(
    _ engine: BlobEngine
  ) async throws {
    try await BlobFixture.with(engine) { fixture in
      let now = fixture.clock.now()
      try await fixture.database.write { writer in
        for number in 0..<200 {
          let id = UploadID(at: now, random: SeededRandomSource(seed: UInt64(number)))
          try writer.execute("INSERT INTO octet_blob_uploads (id, expires_at) VALUES ($1, $2)", id, now)
        }
      }
      let rests = Locked(0)
      let goesOn: @Sendable () async -> Bool = {
        rests.withLock { count in
          count += 1
          return count < 2
        }
      }
      let collected = 2 * BlobLimits.batch
      #expect(try await fixture.library.collect(rest: goesOn).uploads == collected)
      #expect(try await fixture.library.collect().uploads == 200 - collected)
      #expect(try await fixture.rows() == [0, 0, 0, 0])
    }
  }
}
