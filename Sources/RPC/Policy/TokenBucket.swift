internal import Base

/// How often something may happen: `burst` at once, and `perSecond` in the long run.
public struct Rate: Sendable, Equatable {
  public var perSecond: Int64
  public var burst: Int64

  /// Both must be positive.
  public init(perSecond: Int64, burst: Int64) {
    precondition(perSecond > 0 && burst > 0, "a rate is positive")
    self.perSecond = perSecond
    self.burst = burst
  }
}

/// A token bucket, kept as the one instant at which it will be full again (the "generic cell rate algorithm").
struct TokenBucket: Sendable {
  private var fullAt: Instant

  /// A full bucket.
  init(now: Instant) {
    fullAt = now
  }

  /// Takes one token, or says how long to wait for it.
  mutating func take(_ rate: Rate, now: Instant) -> Duration? {
    let interval = Duration.nanoseconds(max(1, 1_000_000_000 / rate.perSecond))
    let next = max(fullAt, now) + interval
    let wait = next - now - .nanoseconds(interval.inNanoseconds * rate.burst)
    guard wait <= .zero else { return wait }
    fullAt = next
    return nil
  }
}
