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
    defer { current = min(current / 10 * 16, maximum) }
    return random.jittered(.nanoseconds(current))
  }

  /// A connection was made.
  mutating func reset() {
    current = base
  }
}
