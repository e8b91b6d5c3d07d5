import Base
import DomainKit

/// The time of the day in which a user is not to be disturbed.
struct QuietTime: Sendable, Equatable {
  /// The first minute of the day that is quiet.
  let start: Int64
  /// The first one that is not any more; before `start`, it is one of the next day.
  let end: Int64

  private static let minute = Duration.seconds(60)
  /// No quiet time is longer, also not on a day with a clock change of a few hours.
  private static let minutesLimit = 2 * 1440

  /// When a quiet time that holds at `now` ends by the clock of a zone; nil if it is not quiet then.
  ///
  /// It ends at the first whole minute at which the zone's clock shows one that is not quiet. Where the clock jumps over
  /// the end, that is the jump; where it shows the end twice, the first time.
  func end(after now: Instant, in table: TimeZoneTable) -> Instant? {
    guard isQuiet(table.minuteOfDay(at: now)) else { return nil }
    var instant = Instant(seconds: now.milliseconds / 60_000 * 60)
    for _ in 0..<Self.minutesLimit {
      instant = instant + Self.minute
      if !isQuiet(table.minuteOfDay(at: instant)) { return instant }
    }
    return instant
  }

  private func isQuiet(_ minute: Int64) -> Bool {
    start < end ? (start..<end).contains(minute) : minute >= start || minute < end
  }
}
