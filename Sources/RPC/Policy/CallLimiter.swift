internal import Base

/// Bounds how many calls of each method are under way, all together and for each caller, as `MethodPolicy` says.
///
/// A caller over the bound gets RESOURCE_EXHAUSTED, a call that finds the method busy with others' gets UNAVAILABLE;
/// both carry a RetryInfo. Methods without bounds pay for a comparison. A call counts from when the interceptor lets
/// it pass until its status is decided.
public final class CallLimiter: ServerInterceptor {
  static let callerReason = "TOO_MANY_CALLS"
  static let methodReason = "METHOD_BUSY"

  /// Marks calls that are counted.
  private enum CountedKey: CallKey {
    typealias Value = String
  }

  private struct Slot: Hashable {
    let method: Int
    let caller: String
  }

  /// Entries exist only for calls under way.
  private struct State {
    var ofMethods: [Int: Int] = [:]
    var ofCallers: [Slot: Int] = [:]
  }

  private let caller: @Sendable (ServerContext) -> String
  private let state = Locked(State())

  /// - Parameter caller: whose call it is; by default that of the address. Put the interceptor behind the one that
  ///   authenticates to tell users apart.
  public init(caller: @escaping @Sendable (ServerContext) -> String = { $0.peer.host }) {
    self.caller = caller
  }

  public func beforeSynchronously(_ context: ServerContext) throws -> Bool {
    guard context.call.route.isBounded else { return true }
    let policy = context.method.policy
    // Nobody would take back what is counted for a call that an interceptor before this one has outlived.
    guard !context.call.state.hasEnded else { throw CancellationError() }
    let caller = caller(context)
    let slot = Slot(method: context.methodNumber, caller: caller)
    let refusal: RPCError? = state.withLock { state in
      let ofMethod = state.ofMethods[slot.method] ?? 0
      let ofCaller = state.ofCallers[slot] ?? 0
      if let most = policy.concurrentCallsPerCaller, ofCaller >= most {
        return RPCError(
          .resourceExhausted, reason: Self.callerReason, message: "\(most) calls of this method are under way for you"
        ).quotaOfCaller(Self.callerReason)
      }
      if let most = policy.concurrentCalls, ofMethod >= most {
        return RPCError(.unavailable, reason: Self.methodReason, message: "\(most) calls of this method are under way")
      }
      state.ofMethods[slot.method] = ofMethod + 1
      state.ofCallers[slot] = ofCaller + 1
      return nil
    }
    if let refusal { throw refusal.retryAfter(RPCLimits.retryDelay) }
    context[CountedKey.self] = caller
    return true
  }

  public func ended(_ context: ServerContext, _ status: StatusCode) {
    guard context.call.route.isBounded, let caller = context[CountedKey.self] else { return }
    let slot = Slot(method: context.methodNumber, caller: caller)
    state.withLock { state in
      Self.takeBack(&state.ofMethods, slot.method)
      Self.takeBack(&state.ofCallers, slot)
    }
  }

  private static func takeBack<Key>(_ counts: inout [Key: Int], _ key: Key) {
    guard let count = counts[key] else { return }
    counts[key] = count > 1 ? count - 1 : nil
  }
}
