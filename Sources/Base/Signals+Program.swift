internal import CLinux

extension Signals {
  /// Runs `body` as the whole program, for a `main` that is not async: signals have to be blocked in the first thread
  /// before there is another, and the body of an async `main` may already run on a second one.
  ///
  /// ```swift
  /// @main struct Program {
  ///   static func main() {
  ///     Signals.run { arrivals in
  ///       …
  ///       for await _ in arrivals { break }
  ///     }
  ///   }
  /// }
  /// ```
  /// The process exits with 0 when `body` returns, and with 1 and the error on standard error when it throws.
  /// - Parameter signals: what `body` wants to hear of, instead of ending by it.
  public static func run(
    handling signals: [Int32] = [terminate, interrupt],
    _ body: @escaping @Sendable (AsyncStream<Int32>) async throws -> Void
  ) -> Never {
    let (arrivals, arrived) = AsyncStream.makeStream(of: Int32.self)
    handle(signals) { arrived.yield($0) }
    // Detached, as `main` belongs to the main actor, whose thread waits below.
    Task.detached {
      do {
        try await body(arrivals)
        exit(EXIT_SUCCESS)
      } catch {
        let text = Array("\(error)\n".utf8)
        // Nothing is left to do if standard error is closed as well.
        _ = write(STDERR_FILENO, text, text.count)
        exit(EXIT_FAILURE)
      }
    }
    while true { pause() }
  }
}
