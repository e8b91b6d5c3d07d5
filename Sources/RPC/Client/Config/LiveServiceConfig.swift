internal import Base

/// A service config that a transport finds out and that may change: for channels without one of their own. Used from any
/// thread.
public final class LiveServiceConfig: Sendable {
  /// What is known; the table is nil if there is no config.
  struct Known: Sendable {
    let config: ServiceConfig?
    let table: MethodConfigTable?
  }

  private struct State {
    var known: Known?
    var waiters: [@Sendable (MethodConfigTable?) -> Void] = []
  }

  private let state = Locked(State())

  public init() {}

  /// This is the config from now on; nil if there is none.
  public func set(_ config: ServiceConfig?) {
    settle { old in
      // With an equal one the throttle of the retries goes on.
      if let old, old.config == config { return old }
      return Known(config: config, table: config.map(MethodConfigTable.init))
    }
  }

  /// The config cannot be found out now. Calls that wait for it go on without, as do those that come until it can be.
  public func giveUp() {
    settle { $0 ?? Known(config: nil, table: nil) }
  }

  private func settle(_ new: (Known?) -> Known) {
    let (table, waiters) = state.withLock { state in
      let known = new(state.known)
      state.known = known
      defer { state.waiters = [] }
      return (known.table, state.waiters)
    }
    for waiter in waiters { waiter(table) }
  }

  /// nil until something is known.
  var known: Known? { state.withLock { $0.known } }

  /// Calls `body` once something is known: at once, or from another thread later.
  /// - Returns: false if too many wait already.
  func whenKnown(_ body: @escaping @Sendable (MethodConfigTable?) -> Void) -> Bool {
    let (known, waits): (Known?, Bool) = state.withLock { state in
      if state.known == nil, state.waiters.count < RPCLimits.callsAwaitingConfig {
        state.waiters.append(body)
        return (nil, true)
      }
      return (state.known, false)
    }
    if let known { body(known.table) }
    return waits || known != nil
  }
}
