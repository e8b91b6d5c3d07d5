import Base
import Testing

@testable import Blobs
@testable import BlobsS3

/// The stores' limits that their threads keep.
struct BlobLimitTests {
  /// A body that says when it has begun and ends when it may.
  private struct Obstacle: Sendable {
    private let begun = AsyncStream<Void>.makeStream()
    private let gate = BlockingQueue<Void>(limit: 1)

    @Sendable func stand() {
      begun.continuation.finish()
      _ = gate.pop(atMost: 1)
    }

    func waitUntilThere() async { for await _ in begun.stream {} }
    func remove() { gate.close() }
  }

  /// How calls end of which `count` come while the store's only thread is busy.
  private func outcomes(
    _ count: Int, _ run: @escaping @Sendable (@escaping @Sendable () -> Void) async throws -> Void
  ) async -> [BlobError.Code?] {
    let obstacle = Obstacle()
    let first = Task { try await run(obstacle.stand) }
    await obstacle.waitUntilThere()
    // Each runs here until it waits, so that they come in this order.
    let calls = (0..<count).map { _ in
      Task.immediate { () -> BlobError.Code? in
        do {
          try await run {}
          return nil
        } catch {
          return (error as? BlobError)?.code ?? .ioFailure
        }
      }
    }
    obstacle.remove()
    var outcomes: [BlobError.Code?] = []
    for call in calls { outcomes.append(await call.value) }
    await #expect(throws: Never.self) { try await first.value }
    return outcomes
  }

  private static var limits: BlobLimits {
    var limits = BlobLimits()
    limits.threads = 1
    limits.waitingCalls = 3
    return limits
  }

  @Test func `waitingCalls wait for a folder's threads, and further ones are refused`() async throws {
    let folder = TemporaryFolder()
    defer { folder.remove() }
    let store = try await FolderBlobStore.open(path: folder.path, limits: Self.limits)
    #expect(await outcomes(5) { try await store.run("test", $0) } == [nil, nil, nil, .overloaded, .overloaded])
    await store.close()
  }

  @Test func `waitingCalls wait for the threads that hash for S3, and further ones are refused`() async throws {
    let store = try S3BlobStore(
      S3Server.options(port: 1), limits: Self.limits, clock: SystemClock(), random: SystemRandomSource())
    #expect(await outcomes(5) { try await store.compute($0) } == [nil, nil, nil, .overloaded, .overloaded])
    await store.close()
  }
}
