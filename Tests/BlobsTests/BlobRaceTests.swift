import Base
import Blobs
import Storage
import Testing

/// Uploads, references and the collector at the same time, without any grace, on a few contents that come and go.
@Suite struct BlobRaceTests {
  private static let workers = 12
  private static let rounds = 40
  private static let contents = 3

  @Test(arguments: BlobEngine.all)
  func `whoever has a committed reference can read, whatever the collectors do`(_ engine: BlobEngine) async throws {
    var policy = BlobPolicy()
    policy.grace = .zero
    let seed = UInt64.random(in: 0 ... .max)
    try await BlobFixture.with(engine, policy: policy) { fixture in
      // Two more nodes with collectors of their own.
      let nodes = (0..<2).map { _ in
        BlobLibrary(
          store: fixture.store, database: fixture.database, clock: fixture.clock, random: SystemRandomSource(),
          policy: policy)
      }
      let isDone = Locked(false)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for node in nodes {
          group.addTask {
            while !isDone.withLock({ $0 }) { _ = try await node.collect() }
          }
        }
        group.addTask {
          defer { isDone.withLock { $0 = true } }
          try await withThrowingTaskGroup(of: Void.self) { workers in
            for worker in 0..<Self.workers {
              workers.addTask { try await work(worker, fixture, SeededRandomSource(seed: seed &+ UInt64(worker))) }
            }
            try await workers.waitForAll()
          }
        }
        try await group.waitForAll()
      }
      _ = try await fixture.library.collect()
      #expect(try await fixture.rows() == [0, 0, 0, 0], "seed \(seed)")
      #expect(try await fixture.store.entries().isEmpty, "seed \(seed)")
    }
  }

  private func work(_ worker: Int, _ fixture: BlobFixture, _ random: SeededRandomSource) async throws {
    for round in 0..<Self.rounds {
      let content = [UInt8](repeating: UInt8(random.below(UInt64(Self.contents))), count: 1000)
      let owner = BlobOwner("worker", "\(worker).\(round)")
      let blob = try await fixture.keep(content, by: owner)
      #expect(try await fixture.bytes(blob) == content)
      if random.below(2) == 0 {
        let second = BlobOwner("second", owner.key)
        try await fixture.database.write { writer in
          try fixture.library.references.add(blob, by: second, in: writer)
        }
        try await fixture.release(blob, by: owner)
        #expect(try await fixture.bytes(blob) == content)
        try await fixture.release(blob, by: second)
      } else {
        try await fixture.release(blob, by: owner)
      }
    }
  }
}
