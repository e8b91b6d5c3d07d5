import Base

/// Calls that were refused and could not wait to be recorded, on their way into the trail: those of others than staff to
/// methods of staff's, and those of staff that the database or a rate was in the way of. The audit domain records what was
/// noted.
///
/// Safe to share between threads.
public final class NotedCalls: Sendable {
  /// How many may wait. A few seconds of what one node can refuse while the database is slow, 100 bytes each; a flood
  /// must cost no more. Those above are counted, and the trail tells how many.
  public static let limit = 4096

  private struct State {
    var waiting: [AuditEntry] = []
    var dropped = 0
  }

  private let state = Locked(State())

  public init() {}

  /// Notes a call. Never waits.
  public func note(_ entry: AuditEntry) {
    state.withLock { state in
      if state.waiting.count < Self.limit { state.waiting.append(entry) } else { state.dropped += 1 }
    }
  }

  /// What was noted, oldest first, and how many more there were.
  public func take() -> (entries: [AuditEntry], dropped: Int) {
    state.withLock { state in
      defer { state = State() }
      return (state.waiting, state.dropped)
    }
  }

  /// Gives back what could not be recorded, in front of what was noted since.
  public func putBack(_ entries: [AuditEntry], dropped: Int) {
    state.withLock { state in
      let all = entries + state.waiting
      state.waiting = Array(all.prefix(Self.limit))
      state.dropped += dropped + all.count - state.waiting.count
    }
  }
}
