internal import Base

/// Refuses calls that would wait too long, so that those which are taken are answered in time: of a queue that grows
/// nobody is served well.
///
/// While requests wait less than the target for their executor, nothing is refused, and a call pays for two
/// comparisons. Once all of them have waited longer for a whole interval (see `QueueDelay`), each call is judged by its
/// own wait and its priority: low ones may have waited for the target, normal ones twice, high ones eight times as
/// long. Critical ones, and the standard services, are never refused. The judgement ends when nothing has waited too
/// long for an interval.
final class LoadShedder: Sendable {
  /// An operator must be able to look at a server that has too much to do.
  private static let exempt: Set<String> = [
    "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    "grpc.channelz.v1.Channelz",
  ]
  static let reason = "OVERLOADED"

  private let target: Int64
  private let random: any RandomSource

  init(target: Duration, random: any RandomSource) {
    // An hour is as good as never, and eight times as much still a number.
    self.target = min(target, .seconds(3600)).inNanoseconds
    self.random = random
  }

  /// Why a call is not taken; nil if it is. On the executor.
  @inline(__always)
  func refusal(of route: ServiceRegistry.Route, on executor: any CallExecutor) -> RPCError? {
    guard let delay = executor.queueDelay else { return nil }
    guard delay.isWanted else {
      delay.want()
      return nil
    }
    guard let wait = delay.excess(over: target), wait > allowance(route.method) else { return nil }
    return refusal()
  }

  /// The longest wait with which the method is still served.
  private func allowance(_ method: MethodDescriptor) -> Int64 {
    if Self.exempt.contains(method.service) { return .max }
    return switch method.policy.priority {
    case .low: target
    case .normal: RPCLimits.normalPatience * target
    case .high: RPCLimits.highPatience * target
    case .critical: .max
    }
  }

  private func refusal() -> RPCError {
    let base = RPCLimits.shedRetryDelay.inNanoseconds
    let delay = base + Int64(random.below(UInt64(2 * base)))
    return RPCError(.unavailable, reason: Self.reason, message: "the server has too much to do")
      .retryAfter(.nanoseconds(delay))
  }
}
