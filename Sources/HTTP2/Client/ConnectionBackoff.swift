internal import Base

/// How long to wait after a failed attempt to connect, as in gRPC's connection backoff protocol: exponential, with
/// jitter so that clients of a restarted server do not come in step.
struct ConnectionBackoff {
  private let base: Int64
  private let maximum: Int64
  private let random: any RandomSource
  private var current: Int64

  init(limits: HTTP2Limits, random: any RandomSource) {
    base = limits.backoffBase.inNanoseconds
    maximum = limits.backoffMaximum.inNanoseconds
    current = base
    self.random = random
  }

  /// The wait after one more failure, give or take a fifth.
  mutating func next() -> Duration {
    let wait = current
    current = min(current / 10 * 16, maximum)
    let jitter = Int64(random.below(UInt64(max(wait / 5 * 2, 1)))) - wait / 5
    return .nanoseconds(wait + jitter)
  }

  /// A connection was made.
  mutating func reset() {
    current = base
  }
}
