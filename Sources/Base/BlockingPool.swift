/// A fixed number of threads for work that blocks or computes for long: password hashing, file access.
///
/// Callers wait without holding a thread; when too many wait already, a caller is refused at once.
public final class BlockingPool: Sendable {
  private let queue: BlockingQueue<@Sendable () -> Void>
  private let threads: [OSThread]

  /// - Parameters:
  ///   - name: of the threads.
  ///   - threads: how many bodies run at once.
  ///   - waiting: how many more may wait.
  public init(name: String, threads: Int, waiting: Int) {
    precondition(threads > 0, "a pool without threads runs nothing")
    let queue = BlockingQueue<@Sendable () -> Void>(limit: waiting)
    self.queue = queue
    self.threads = (0..<threads).map { number in
      OSThread(name: "\(name)-\(number)") {
        while let work = queue.pop(atMost: 1).first { work() }
      }
    }
  }

  /// Runs `body` on a thread of the pool. The result comes back on the caller's executor.
  /// - Throws: `QueueRefusal` (`.full`: try again later; `.closed`: shut down), or what `body` throws.
  public func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withUnsafeThrowingContinuation { continuation in
      do throws(QueueRefusal) {
        try queue.push { continuation.resume(with: Swift.Result { try body() }) }
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }

  /// Refuses more work. What waits is finished first.
  public func close() { queue.close() }

  /// Lets the waiting work finish, refuses more, and waits for the threads. Blocks.
  public func shutDown() {
    queue.close()
    for thread in threads { thread.join() }
  }

  deinit {
    queue.close()
  }
}
