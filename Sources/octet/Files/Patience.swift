import RPC

/// How long a transfer is tried again when it is cut.
struct Patience {
  private var failures = 0
  private var isTold = false

  /// Tries in a row that bring nothing: with the pauses between them, a minute or so, in which a server restarts.
  private static let mostFailures = 16
  private static let shortest = Duration.milliseconds(100)
  private static let longest = Duration.seconds(5)

  /// Something came through.
  mutating func reset() {
    failures = 0
    isTold = false
  }

  /// Waits for the next try.
  /// - Throws: `error` when enough were made.
  mutating func wait(after error: any Error, isQuiet: Bool) async throws {
    failures += 1
    guard failures < Self.mostFailures else { throw error }
    if !isTold, !isQuiet {
      isTold = true
      Output.note("the connection was lost; going on when it is there again")
    }
    let pause = min(Self.shortest * (1 << min(failures, 10)), Self.longest)
    try await Task.sleep(for: pause)
  }
}
