internal import Base

/// Has the writing threads tell of their commits in the order of the commits.
///
/// A transaction that saw or waited for what another has written sends its COMMIT after the other's is done. So numbers
/// that are taken before the COMMIT is sent rise along every such chain, and telling in their order is enough: whoever
/// keeps a copy of a row in memory gets its changes in their order. Nobody waits for a turn; the thread that ends the
/// oldest commit tells of those behind it that are done too.
///
/// An answer that stays out would hold back all that comes after it. So a commit that another has overtaken, which was
/// sent later and is durable, is not waited for much longer: its outcome counts as unknown, and its place is left out.
/// Only time counts in which somebody looked for the answer: while this process stood still, the answer may have come.
final class CommitOrder: Sendable {
  private struct State {
    var next: UInt64 = 0
    /// The oldest commit that was not told of.
    var oldest: UInt64 = 0
    var ended: [UInt64: @Sendable () -> Void] = [:]
    /// Those that were sent and have not ended, with how long they were waited for since they were overtaken.
    var open: [UInt64: Duration?] = [:]
    var isTelling = false
  }

  private let state = Locked(State())
  private let overtakenCommit: Duration

  /// - Parameter overtakenCommit: how long the answer to a commit that was overtaken may be missing.
  init(overtakenCommit: Duration = PostgreSQLLimits.overtakenCommit) { self.overtakenCommit = overtakenCommit }

  /// A commit is about to be sent. Must be followed by `end` or `fail`.
  func begin() -> UInt64 {
    state.withLock { state in
      defer { state.next += 1 }
      state.open[state.next] = .some(nil)
      return state.next
    }
  }

  /// Whether to wait no longer for the answer to a commit.
  /// - Parameter pause: for how long it was waited for since the last time that this was asked.
  func isOvertaken(_ number: UInt64, after pause: Duration) -> Bool {
    state.withLock { state in
      guard let waited = state.open[number].flatMap({ $0 }) else { return false }
      state.open[number] = waited + pause
      return waited + pause >= overtakenCommit
    }
  }

  /// The commit is durable.
  /// - Parameter tell: is called once, on this thread or another's, when all earlier commits have been told of.
  func end(_ number: UInt64, _ tell: @escaping @Sendable () -> Void) {
    state.withLock { state in
      for (earlier, waited) in state.open where earlier < number && waited == nil {
        state.open[earlier] = .some(.zero)
      }
    }
    close(number, tell)
  }

  /// Nothing has come of the commit, or nobody knows what.
  func fail(_ number: UInt64) {
    close(number) {}
  }

  private func close(_ number: UInt64, _ tell: @escaping @Sendable () -> Void) {
    let isMine = state.withLock { state in
      state.open[number] = nil
      state.ended[number] = tell
      defer { state.isTelling = true }
      return !state.isTelling
    }
    guard isMine else { return }
    while let tell = nextToTell() { tell() }
  }

  private func nextToTell() -> (@Sendable () -> Void)? {
    state.withLock { state in
      guard let tell = state.ended.removeValue(forKey: state.oldest) else {
        state.isTelling = false
        return nil
      }
      state.oldest += 1
      return tell
    }
  }
}
