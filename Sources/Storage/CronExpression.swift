public import Base

/// When something is to happen again and again: five fields as in crontab(5), by the clocks of a zone.
///
///     minute hour day-of-month month day-of-week
///     30 3 * * 1-5        at 3:30 from Monday to Friday
///     */15 8-18 * * *     every quarter of an hour by day
///
/// A field is `*`, a value, a range `a-b`, either of the last two or `*` with a step `/n`, or a list of them with commas.
/// Months and days of the week may be English names of three letters; 0 and 7 are Sunday. When both days are restricted
/// (neither begins with `*`), one of them suffices, as POSIX has it.
///
/// What is to happen at certain hours happens once a day also when the clocks change: a time that they skip counts as the
/// instant of the change, one that they show twice counts the first time. What happens in every hour goes on with the
/// hours that there are.
public struct CronExpression: Sendable, Hashable, CustomStringConvertible {
  /// As it was given.
  public let description: String

  /// Whose clocks count.
  public let zone: TimeZoneTable

  private let minutes: UInt64
  private let hours: UInt64
  private let days: UInt64
  private let months: UInt64
  private let weekdays: UInt64
  private let isEitherDay: Bool

  /// How far `next` looks. The rarest day is a 29 February on a given weekday (28 years, 40 across 2100).
  private static let horizonDays: Int64 = 366 * 41
  private static let allHours: UInt64 = (1 << 24) - 1

  /// - Throws: `CronError`.
  public init(_ text: String, in zone: TimeZoneTable = .utc) throws(CronError) {
    let fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
    guard fields.count == 5 else { throw CronError(message: "five fields are needed, not \(fields.count)") }
    description = text
    self.zone = zone
    minutes = try Field("minute", 0...59).bits(fields[0])
    hours = try Field("hour", 0...23).bits(fields[1])
    days = try Field("day of month", 1...31).bits(fields[2])
    months = try Field("month", 1...12, names: Self.monthNames).bits(fields[3])
    // Sunday may be called 7.
    let weekdays = try Field("day of week", 0...7, names: Self.weekdayNames).bits(fields[4])
    self.weekdays = (weekdays | weekdays >> 7) & 0x7f
    isEitherDay = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
    guard next(after: Instant(seconds: 0)) != nil else { throw CronError(message: "there is no such day") }
  }

  /// The first instant after `instant` that fits, at the beginning of its minute; nil if there is none in 41 years.
  public func next(after instant: Instant) -> Instant? {
    hours == Self.allHours ? nextMinute(after: instant) : nextTime(after: instant)
  }

  /// Looks for a time of day. Of two times of the zone's clocks the later one is the later instant, or the same.
  private func nextTime(after instant: Instant) -> Instant? {
    let today = zone.day(at: instant).daysSinceEpoch
    for day in today...(today + Self.horizonDays) where fits(day) {
      var from = day == today ? zone.minuteOfDay(at: instant) : 0
      while let minute = firstMinute(from: from) {
        let found = zone.instant(
          of: CivilDate(daysSinceEpoch: day), minute: minute, skipped: .change, doubled: .first)
        if found > instant { return found }
        from = minute + 1
      }
    }
    return nil
  }

  /// Goes from minute to minute, whatever the clocks show, over days that do not fit.
  private func nextMinute(after instant: Instant) -> Instant? {
    var moment = Instant(seconds: (instant.nanoseconds.dividingRoundingDown(by: 60_000_000_000) + 1) * 60)
    let last = moment + .seconds(Self.horizonDays * 86_400)
    while moment < last {
      let day = zone.day(at: moment).daysSinceEpoch
      if fits(day) {
        if Self.has(minutes, zone.minuteOfDay(at: moment) % 60) { return moment }
        moment = moment + .seconds(60)
      } else {
        // The next day may have begun before, where the clocks were put back over midnight.
        moment = max(zone.start(ofDay: day + 1), moment + .seconds(60))
      }
    }
    return nil
  }

  private func fits(_ day: Int64) -> Bool {
    let date = CivilDate(daysSinceEpoch: day)
    guard Self.has(months, date.month) else { return false }
    // 1970-01-01 was a Thursday.
    let weekday = ((day + 4) % 7 + 7) % 7
    let (fitsDay, fitsWeekday) = (Self.has(days, date.day), Self.has(weekdays, weekday))
    return isEitherDay ? fitsDay || fitsWeekday : fitsDay && fitsWeekday
  }

  /// The first minute of a day, from minute `start` on.
  private func firstMinute(from start: Int64) -> Int64? {
    for hour in (start / 60)..<24 where Self.has(hours, hour) {
      let first = hour == start / 60 ? start % 60 : 0
      for minute in first..<60 where Self.has(minutes, minute) { return hour * 60 + minute }
    }
    return nil
  }

  private static func has(_ bits: UInt64, _ value: Int64) -> Bool { bits >> UInt64(value) & 1 == 1 }

  private static let monthNames = [
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11,
    "dec": 12,
  ]
  private static let weekdayNames = ["sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6]

  /// One of the five fields.
  private struct Field {
    let name: String
    let range: ClosedRange<Int>
    let names: [String: Int]

    init(_ name: String, _ range: ClosedRange<Int>, names: [String: Int] = [:]) {
      self.name = name
      self.range = range
      self.names = names
    }

    /// A bit for each value that the field allows.
    func bits(_ text: Substring) throws(CronError) -> UInt64 {
      var bits: UInt64 = 0
      for item in text.split(separator: ",", omittingEmptySubsequences: false) {
        let parts = item.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let span = parts.first else { throw malformed(item) }
        var step = 1
        var values: ClosedRange<Int>
        if span == "*" {
          values = range
        } else {
          let ends = span.split(separator: "-", omittingEmptySubsequences: false)
          guard ends.count <= 2, let first = value(ends[0]), let last = value(ends[ends.count - 1]), first <= last
          else { throw malformed(item) }
          values = first...last
        }
        if parts.count == 2 {
          guard span == "*" || span.contains("-"), let number = number(parts[1]), number > 0 else {
            throw malformed(item)
          }
          step = number
        }
        for value in stride(from: values.lowerBound, through: values.upperBound, by: step) {
          bits |= 1 << UInt64(value)
        }
      }
      return bits
    }

    private func value(_ text: Substring) -> Int? {
      let value = names[text.lowercased()] ?? number(text)
      return value.flatMap { range.contains($0) ? $0 : nil }
    }

    /// Digits alone: no sign.
    private func number(_ text: Substring) -> Int? {
      text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } && text.utf8.count < 4
        ? Int(text) : nil
    }

    private func malformed(_ item: Substring) -> CronError {
      CronError(message: "\(name): '\(item)' is not in \(range.lowerBound) to \(range.upperBound)")
    }
  }
}

/// Why a text is not a schedule.
public struct CronError: Error, Sendable, Equatable {
  public let message: String
}
