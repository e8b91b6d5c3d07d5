internal import Base
internal import RPC

/// Whether a server should get requests: what probes ask, and the reasons if it should not.
public final class Readiness: Sendable {
  private struct State {
    /// Set once, when the server begins to drain.
    var isDraining = false
    /// Names of the checks that run now. One that hangs is not started again.
    var running: Set<String> = []
  }

  private let checks: [(name: String, body: @Sendable () async throws -> Void)]
  private let state = Locked(State())

  /// - Parameter checks: by name; each throws if something that requests need is not there. They run when somebody
  ///   asks, one at a time each, and count as failed if they take too long.
  public init(_ checks: [(name: String, body: @Sendable () async throws -> Void)]) {
    self.checks = checks
  }

  /// Says that the server is not ready any more, for good.
  public func beginDraining() {
    state.withLock { $0.isDraining = true }
  }

  /// Why the server is not ready; empty if it is.
  /// - Parameter executor: times the wait.
  func reasons(within limit: Duration, on executor: any CallExecutor) async -> [String] {
    if state.withLock({ $0.isDraining }) { return ["draining"] }
    var reasons: [String] = []
    for check in checks {
      if let reason = await outcome(of: check, within: limit, on: executor) {
        reasons.append("\(check.name): \(reason)")
      }
    }
    return reasons
  }

  private func outcome(
    of check: (name: String, body: @Sendable () async throws -> Void), within limit: Duration,
    on executor: any CallExecutor
  ) async -> String? {
    guard state.withLock({ $0.running.insert(check.name).inserted }) else { return "still no answer" }
    return await withCheckedContinuation { continuation in
      let answer = FirstAnswer(continuation)
      let timer = executor.schedule(after: limit) { answer.give("no answer within \(limit.inMilliseconds) ms") }
      Task {
        do {
          try await check.body()
          answer.give(nil)
        } catch {
          // The error may name paths and hosts; the log has it, not a probe.
          answer.give("failed")
        }
        timer.cancel()
        self.state.withLock { _ = $0.running.remove(check.name) }
      }
    }
  }

  /// Of a check and its timer, the first one answers.
  private final class FirstAnswer: Sendable {
    private let continuation: Locked<CheckedContinuation<String?, Never>?>

    init(_ continuation: CheckedContinuation<String?, Never>) {
      self.continuation = Locked(continuation)
    }

    func give(_ answer: String?) {
      let waiting = continuation.withLock { continuation in
        defer { continuation = nil }
        return continuation
      }
      waiting?.resume(returning: answer)
    }
  }
}
