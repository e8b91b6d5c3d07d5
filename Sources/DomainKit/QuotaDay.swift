public import Base

/// What users may do so often a day is counted by days in UTC.
extension Instant {
  /// The day since 1970-01-01.
  public var dayNumber: Int64 { milliseconds / 86_400_000 }

  /// What is left of the day.
  var restOfDay: Duration { Instant(seconds: (dayNumber + 1) * 86_400) - self }
}
