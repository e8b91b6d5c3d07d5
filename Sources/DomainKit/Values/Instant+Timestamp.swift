public import Base
public import WellKnownTypes

extension Timestamp {
  /// The instant as it goes over the wire.
  public init(_ instant: Instant) {
    self.init()
    let nanoseconds = instant.nanoseconds
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    // The nanoseconds of a timestamp count forward, also before 1970.
    self.seconds = rest < 0 ? seconds - 1 : seconds
    nanos = Int32(rest < 0 ? rest + 1_000_000_000 : rest)
  }
}

extension Instant {
  /// The instant that a timestamp names; nil if it is malformed or outside the years 1678 to 2262.
  public init?(_ timestamp: Timestamp) {
    guard (0..<1_000_000_000).contains(timestamp.nanos) else { return nil }
    let (whole, overflow) = timestamp.seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (nanoseconds, again) = whole.addingReportingOverflow(Int64(timestamp.nanos))
    guard !overflow, !again else { return nil }
    self.init(nanoseconds: nanoseconds)
  }
}

extension ProtoDuration {
  /// The duration as it goes over the wire.
  public init(_ duration: Duration) {
    self.init()
    let (seconds, attoseconds) = duration.components
    self.seconds = seconds
    nanos = Int32(attoseconds / 1_000_000_000)
  }
}

extension Duration {
  /// The duration that a message names; nil if it is malformed or longer than 292 years.
  public init?(_ duration: ProtoDuration) {
    let nanos = Int64(duration.nanos)
    let longest = Int64.max / 1_000_000_000
    guard (1 - longest..<longest).contains(duration.seconds), (-999_999_999...999_999_999).contains(nanos),
      duration.seconds.signum() * nanos.signum() >= 0
    else { return nil }
    self = .seconds(duration.seconds) + .nanoseconds(nanos)
  }
}
