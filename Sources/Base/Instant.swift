/// A point in time on the server's clock: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Good for the years 1678 to 2262; arithmetic beyond that traps, as an overflow can only be a bug.
public struct Instant: Sendable, Hashable, Comparable {
  /// Nanoseconds since the Unix epoch.
  public var nanoseconds: Int64

  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  public init(milliseconds: Int64) {
    self.nanoseconds = milliseconds * 1_000_000
  }

  public init(seconds: Int64) {
    self.nanoseconds = seconds * 1_000_000_000
  }

  /// Milliseconds since the Unix epoch, rounded down.
  public var milliseconds: Int64 {
    nanoseconds >= 0 ? nanoseconds / 1_000_000 : (nanoseconds - 999_999) / 1_000_000
  }

  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  public static func + (a: Instant, b: Duration) -> Instant { Instant(nanoseconds: a.nanoseconds + b.inNanoseconds) }
  public static func - (a: Instant, b: Duration) -> Instant { Instant(nanoseconds: a.nanoseconds - b.inNanoseconds) }
  public static func - (a: Instant, b: Instant) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
}

extension Duration {
  /// The whole duration in nanoseconds; traps beyond ±292 years.
  public var inNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }

  /// The whole duration in milliseconds, rounded toward zero.
  public var inMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
