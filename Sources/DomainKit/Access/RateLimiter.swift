import Base
import RPC

/// How often one caller may call methods of each rate class: a user, or for calls without credentials an address.
public struct RateLimits: Sendable, Equatable {
  /// Ordinary reads and writes.
  public var standard: Rate
  /// Calls that burn CPU or memory on purpose, such as password hashing.
  public var expensive: Rate
  /// Calls that machines make many times a second.
  public var telemetry: Rate

  public init(
    standard: Rate = Rate(perSecond: 100, burst: 400), expensive: Rate = Rate(perSecond: 5, burst: 500),
    telemetry: Rate = Rate(perSecond: 50, burst: 200)
  ) {
    self.standard = standard
    self.expensive = expensive
    self.telemetry = telemetry
  }

  func rate(of rateClass: MethodPolicy.RateClass) -> Rate {
    switch rateClass {
    case .standard: standard
    case .expensive: expensive
    case .telemetry: telemetry
    }
  }
}

/// Counts calls per caller and class. Safe to share between threads.
final class RateLimiter: Sendable {
  /// How many buckets are kept. One that was forgotten is full again, so this bounds memory, not fairness, unless
  /// somebody calls from tens of thousands of addresses at once.
  static let capacity = 65_536

  enum Subject: Hashable, Sendable {
    case user(Identifier)
    case address(String)
  }

  private struct Key: Hashable {
    let subject: Subject
    let rateClass: MethodPolicy.RateClass
  }

  private let limits: RateLimits
  private let clock: any WallClock
  private let buckets: Locked<BoundedCache<Key, TokenBucket>>

  init(limits: RateLimits, clock: any WallClock) {
    self.limits = limits
    self.clock = clock
    buckets = Locked(BoundedCache(capacity: Self.capacity))
  }

  /// - Throws: `KitError.rateLimited`.
  func admit(_ subject: Subject, _ rateClass: MethodPolicy.RateClass) throws(KitError) {
    let now = clock.now()
    let wait = buckets.withLock { buckets in
      let key = Key(subject: subject, rateClass: rateClass)
      var bucket = buckets[key] ?? TokenBucket(now: now)
      let wait = bucket.take(limits.rate(of: rateClass), now: now)
      buckets[key] = bucket
      return wait
    }
    if let wait { throw .rateLimited(after: wait) }
  }
}
