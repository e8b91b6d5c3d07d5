internal import Base

/// What a client's channel is doing, as gRPC names it (its doc/connectivity-semantics-and-api.md).
public enum ChannelState: Sendable, Hashable {
  /// There is no connection and nobody wants one.
  case idle
  /// A connection is being made.
  case connecting
  /// There is a connection.
  case ready
  /// No connection can be made for now; it will be tried again.
  case transientFailure
  /// The channel is shut down, for good.
  case shutdown
}

/// The states of a transport's channels, one for each loop, and their sum. Used from any thread.
final class StateBoard: Sendable {
  private struct State {
    var channels: [ChannelState]
    var sum = ChannelState.idle
    var watchers: [UInt64: AsyncStream<ChannelState>.Continuation] = [:]
    var nextWatcher: UInt64 = 0
  }

  private let state: Locked<State>

  init(channels count: Int) {
    state = Locked(State(channels: Array(repeating: .idle, count: count)))
  }

  var sum: ChannelState { state.withLock { $0.sum } }

  /// A channel has changed.
  func set(_ index: Int, _ new: ChannelState) {
    let finished = state.withLock { state in
      state.channels[index] = new
      let sum = Self.sum(state.channels)
      guard sum != state.sum else { return [AsyncStream<ChannelState>.Continuation]() }
      state.sum = sum
      for watcher in state.watchers.values { watcher.yield(sum) }
      guard sum == .shutdown else { return [] }
      defer { state.watchers = [:] }
      return Array(state.watchers.values)
    }
    // Not under the lock, which the end of a stream takes.
    for watcher in finished { watcher.finish() }
  }

  /// The present state and each new one; ends with `.shutdown`.
  func updates() -> AsyncStream<ChannelState> {
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

  /// One that works is enough; failing is what all must do that are not idle.
  private static func sum(_ states: [ChannelState]) -> ChannelState {
    for state in [ChannelState.ready, .connecting, .transientFailure, .idle] where states.contains(state) {
      return state
    }
    return .shutdown
  }
}
