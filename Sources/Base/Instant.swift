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
    self.nanoseconds = milliseconds.clampedProduct(1_000_000)
  }

  public init(seconds: Int64) {
    self.nanoseconds = seconds.clampedProduct(1_000_000_000)
  }

  /// Milliseconds since the Unix epoch, rounded down.
  public var milliseconds: Int64 {
    nanoseconds / 1_000_000 - (nanoseconds % 1_000_000 < 0 ? 1 : 0)
  }

  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  public static func + (a: Instant, b: Duration) -> Instant {
    Instant(nanoseconds: a.nanoseconds.clampedSum(b.inNanoseconds))
  }
  public static func - (a: Instant, b: Duration) -> Instant { a + (.zero - b) }
  public static func - (a: Instant, b: Instant) -> Duration {
    Duration(attoseconds: (Int128(a.nanoseconds) - Int128(b.nanoseconds)) * 1_000_000_000)
  }
}

extension Duration {
  /// The whole duration in nanoseconds; what is beyond ±292 years counts as that.
  public var inNanoseconds: Int64 {
    // Every call passes here, and `components` costs a dozen times as much as this one division of the processor.
    let magnitude = attoseconds.magnitude
    let limit: Int64 = attoseconds < 0 ? .min : .max
    let (high, low) = (UInt64(truncatingIfNeeded: magnitude >> 64), UInt64(truncatingIfNeeded: magnitude))
    // What is longer has a quotient of more than 64 bits.
    guard high < Self.attosecondsPerNanosecond else { return limit }
    let nanoseconds = Self.attosecondsPerNanosecond.dividingFullWidth((high, low)).quotient
    guard nanoseconds <= Int64.max else { return limit }
    return attoseconds < 0 ? -Int64(nanoseconds) : Int64(nanoseconds)
  }

  private static let attosecondsPerNanosecond: UInt64 = 1_000_000_000

  /// The whole duration in milliseconds, rounded toward zero.
  public var inMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds.clampedProduct(1000).clampedSum(attoseconds / 1_000_000_000_000_000)
  }
}

// Peers choose durations and times (a `grpc-timeout` reaches 11,000 years): what is beyond the range ends at its edge,
// where a trap would end the server.
extension Int64 {
  fileprivate func clampedProduct(_ factor: Int64) -> Int64 {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    guard overflow else { return product }
    return (self < 0) == (factor < 0) ? .max : .min
  }

  fileprivate func clampedSum(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    guard overflow else { return sum }
    return other < 0 ? .min : .max
  }
}
