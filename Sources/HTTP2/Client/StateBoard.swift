internal import Base
internal import RPC

/// The states of a transport's channels, one for each loop, and their sum. Used from any thread.
final class StateBoard: Sendable {
  private struct State {
    var channels: [ConnectivityState]
    var sum = ConnectivityState.idle
    var watchers: [UInt64: AsyncStream<ConnectivityState>.Continuation] = [:]
    var nextWatcher: UInt64 = 0
  }

  private let state: Locked<State>

  init(channels count: Int) {
    state = Locked(State(channels: Array(repeating: .idle, count: count)))
  }

  var sum: ConnectivityState { state.withLock { $0.sum } }

  /// A channel has changed.
  /// - Returns: the new sum, if that has changed too.
  @discardableResult
  func set(_ index: Int, _ new: ConnectivityState) -> ConnectivityState? {
    let (changed, finished) = state.withLock { state in
      state.channels[index] = new
      let sum = ConnectivityState.sum(of: state.channels)
      guard sum != state.sum else {
        return (nil as ConnectivityState?, [AsyncStream<ConnectivityState>.Continuation]())
      }
      state.sum = sum
      for watcher in state.watchers.values { watcher.yield(sum) }
      guard sum == .shutdown else { return (sum, []) }
      defer { state.watchers = [:] }
      return (sum, Array(state.watchers.values))
    }
    // Not under the lock, which the end of a stream takes.
    for watcher in finished { watcher.finish() }
    return changed
  }

  /// The present state and each new one; ends with `.shutdown`.
  func updates() -> AsyncStream<ConnectivityState> {
    AsyncStream(bufferingPolicy: .bufferingNewest(HTTP2Limits.unreadChannelStates)) { continuation in
      let id: UInt64? = state.withLock { state in
        continuation.yield(state.sum)
        guard state.sum != .shutdown else { return nil }
        state.nextWatcher += 1
        state.watchers[state.nextWatcher] = continuation
        return state.nextWatcher
      }
      guard let id else { return continuation.finish() }
      continuation.onTermination = { [state] _ in state.withLock { _ = $0.watchers.removeValue(forKey: id) } }
    }
  }
}

extension ConnectivityState {
  /// What several come to: one that works is enough; failing is what all must do that are not idle. None at all are
  /// shut down.
  static func sum(of states: some Collection<ConnectivityState>) -> ConnectivityState {
    for state in [ConnectivityState.ready, .connecting, .transientFailure, .idle] where states.contains(state) {
      return state
    }
    return .shutdown
  }

  /// As gRPC writes it.
  var words: String {
    switch self {
    case .idle: "IDLE"
    case .connecting: "CONNECTING"
    case .ready: "READY"
    case .transientFailure: "TRANSIENT_FAILURE"
    case .shutdown: "SHUTDOWN"
    }
  }
}
