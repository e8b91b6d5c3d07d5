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
  /// In nanoseconds since the Unix epoch.
  private var fullAt: Int64

  /// A full bucket.
  init(now: Instant) {
    fullAt = now.nanoseconds
  }

  /// Takes one token, or says how long to wait for it.
  mutating func take(_ rate: Rate, now: Instant) -> Duration? {
    // In whole nanoseconds, because every call passes here: arithmetic with `Duration` would cost more than the rest.
    let interval = max(1, 1_000_000_000 / rate.perSecond)
    let next = max(fullAt, now.nanoseconds) + interval
    let wait = next - now.nanoseconds - interval * rate.burst
    guard wait <= 0 else { return .nanoseconds(wait) }
    fullAt = next
    return nil
  }
}
