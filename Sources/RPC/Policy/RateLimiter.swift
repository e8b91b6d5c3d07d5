public import Base

/// How often one caller may call methods of each rate class.
public struct RateLimits: Sendable, Equatable {
  /// Ordinary reads and writes.
  public var standard: Rate
  /// Calls that burn CPU or memory on purpose, such as password hashing.
  public var expensive: Rate
  /// Calls that machines make many times a second.
  public var telemetry: Rate

  public init(
    standard: Rate = RPCLimits.standardRate, expensive: Rate = RPCLimits.expensiveRate,
    telemetry: Rate = RPCLimits.telemetryRate
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
public final class RateLimiter: Sendable {
  /// Whose calls are counted together.
  public enum Subject: Hashable, Sendable {
    /// Somebody whom credentials prove.
    case user(Identifier)
    /// A host: `PeerInfo.host`.
    case address(String)
    /// Anything else, such as the name in a client's certificate.
    case name(String)
  }

  private struct Key: Hashable {
    let subject: Subject
    let rateClass: MethodPolicy.RateClass
  }

  private let limits: RateLimits
  private let clock: any WallClock
  private let buckets: Locked<BoundedCache<Key, TokenBucket>>

  public init(limits: RateLimits, clock: any WallClock = SystemClock()) {
    self.limits = limits
    self.clock = clock
    buckets = Locked(BoundedCache(capacity: RPCLimits.rateLimitedCallers))
  }

  /// Counts a call.
  /// - Returns: nil if it may go on, else how long its caller should wait.
  public func admit(_ subject: Subject, _ rateClass: MethodPolicy.RateClass) -> Duration? {
    admit(subject, rateClass, at: clock.now())
  }

  /// The same for one who has just looked at the clock.
  public func admit(_ subject: Subject, _ rateClass: MethodPolicy.RateClass, at now: Instant) -> Duration? {
    buckets.withLock { buckets in
      buckets.update(Key(subject: subject, rateClass: rateClass), initial: TokenBucket(now: now)) { bucket in
        bucket.take(limits.rate(of: rateClass), now: now)
      }
    }
  }
}

/// Refuses with RESOURCE_EXHAUSTED and a RetryInfo what one caller calls too often, by the rate classes of the methods.
///
/// ```swift
/// RPCServer(registry: registry, interceptors: [RateLimitInterceptor(RateLimits(standard: Rate(perSecond: 10, burst: 50)))])
/// ```
public struct RateLimitInterceptor: ServerInterceptor {
  static let reason = "RATE_LIMITED"

  private let limiter: RateLimiter
  private let subject: @Sendable (ServerContext) -> RateLimiter.Subject

  /// - Parameter subject: whose call it is; by default that of the address, as nobody is authenticated. Put the
  ///   interceptor behind the one that authenticates to tell users apart.
  public init(
    _ limits: RateLimits = RateLimits(), clock: any WallClock = SystemClock(),
    subject: @escaping @Sendable (ServerContext) -> RateLimiter.Subject = { .address($0.peer.host) }
  ) {
    limiter = RateLimiter(limits: limits, clock: clock)
    self.subject = subject
  }

  public func beforeSynchronously(_ context: ServerContext) throws -> Bool {
    if let wait = limiter.admit(subject(context), context.method.policy.rateClass) {
      throw RPCError(.resourceExhausted, reason: Self.reason, message: "too many calls; slow down")
        .retryAfter(wait).quotaOfCaller(Self.reason)
    }
    return true
  }
}
