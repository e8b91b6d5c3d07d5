/// The seconds and nanoseconds of a google.protobuf.Timestamp or Duration, and their text in JSON.
struct SecondsAndNanos: Equatable {
  var seconds: Int64
  var nanos: Int32

  private static let nanosPerSecond: Int32 = 1_000_000_000
  private static let secondsPerDay: Int64 = 86_400
  /// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
  private static let timestampRange: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
  /// 10,000 years either way.
  private static let durationRange: ClosedRange<Int64> = -315_576_000_000...315_576_000_000

  // MARK: Timestamp

  /// RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second's fraction; nil outside of the years 1 to 9999.
  var timestampText: String? {
    guard Self.timestampRange.contains(seconds), (0..<Self.nanosPerSecond).contains(nanos) else { return nil }
    let days = seconds >= 0 ? seconds / Self.secondsPerDay : (seconds - Self.secondsPerDay + 1) / Self.secondsPerDay
    let second = seconds - days * Self.secondsPerDay
    let (year, month, day) = Self.civil(days: days)
    return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2) + "T" + padded(second / 3600, 2) + ":"
      + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2) + Self.fraction(nanos) + "Z"
  }

  /// Reads RFC 3339 with `Z` or an offset; nil for anything else or outside of the years 1 to 9999.
  init?(timestamp text: String) {
    var scanner = Scanner(text)
    guard let year = scanner.number(digits: 4), scanner.take("-"),
      let month = scanner.number(digits: 2), (1...12).contains(month), scanner.take("-"),
      let day = scanner.number(digits: 2), (1...Self.daysInMonth(year, month)).contains(day), scanner.take("T"),
      let hour = scanner.number(digits: 2), hour < 24, scanner.take(":"),
      let minute = scanner.number(digits: 2), minute < 60, scanner.take(":"),
      let second = scanner.number(digits: 2), second < 60, let nanos = scanner.fraction()
    else { return nil }
    var seconds = Self.days(year, month, day) * Self.secondsPerDay + hour * 3600 + minute * 60 + second
    if !scanner.take("Z") {
      let isEast = scanner.take("+")
      guard isEast || scanner.take("-"), let hours = scanner.number(digits: 2), hours < 24, scanner.take(":"),
        let minutes = scanner.number(digits: 2), minutes < 60
      else { return nil }
      seconds += (isEast ? -1 : 1) * (hours * 3600 + minutes * 60)
    }
    guard scanner.isAtEnd, Self.timestampRange.contains(seconds) else { return nil }
    self.init(seconds: seconds, nanos: nanos)
  }

  // MARK: Duration

  /// `-3.500s`; nil beyond 10,000 years, or if the signs of seconds and nanoseconds differ.
  var durationText: String? {
    guard Self.durationRange.contains(seconds), abs(Int64(nanos)) < Int64(Self.nanosPerSecond),
      seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0)
    else { return nil }
    let sign = seconds < 0 || nanos < 0 ? "-" : ""
    return sign + String(abs(seconds)) + Self.fraction(abs(nanos)) + "s"
  }

  /// Reads the text form; nil for anything else or beyond 10,000 years.
  init?(duration text: String) {
    var scanner = Scanner(text)
    let sign: Int64 = scanner.take("-") ? -1 : 1
    guard let seconds = scanner.number(), let nanos = scanner.fraction(), scanner.take("s"), scanner.isAtEnd,
      Self.durationRange.contains(seconds)
    else { return nil }
    self.init(seconds: sign * seconds, nanos: Int32(sign) * nanos)
  }

  init(seconds: Int64, nanos: Int32) {
    self.seconds = seconds
    self.nanos = nanos
  }

  // MARK: Parts

  private static func fraction(_ nanos: Int32) -> String {
    let nanos = Int64(nanos)
    if nanos == 0 { return "" }
    if nanos % 1_000_000 == 0 { return "." + padded(nanos / 1_000_000, 3) }
    if nanos % 1_000 == 0 { return "." + padded(nanos / 1_000, 6) }
    return "." + padded(nanos, 9)
  }

  /// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
  /// Algorithms": years begin in March, eras have 400 years).
  private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    )
  }

  /// The inverse of `civil`.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func daysInMonth(_ year: Int64, _ month: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Reads digits and marks from the front of a text.
  private struct Scanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = text[...].utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ mark: Unicode.Scalar) -> Bool {
      guard rest.first == UInt8(ascii: mark) else { return false }
      rest.removeFirst()
      return true
    }

    /// A number of exactly so many digits; nil if there are fewer.
    mutating func number(digits: Int) -> Int64? {
      let head = rest.prefix(digits)
      guard head.count == digits, head.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      rest.removeFirst(digits)
      return head.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    /// A number of 1 to 12 digits, which is as far as a Duration goes.
    mutating func number() -> Int64? {
      let count = rest.prefix { (0x30...0x39).contains($0) }.count
      return (1...12).contains(count) ? number(digits: count) : nil
    }

    /// Nanoseconds of an optional fraction of 1 to 9 digits; nil if it is malformed.
    mutating func fraction() -> Int32? {
      guard take(".") else { return 0 }
      let count = rest.prefix { (0x30...0x39).contains($0) }.count
      guard (1...9).contains(count), let digits = number(digits: count) else { return nil }
      return Int32((0..<(9 - count)).reduce(digits) { value, _ in value * 10 })
    }
  }
}

/// A decimal number with leading zeros up to `width`.
private func padded(_ number: Int64, _ width: Int) -> String {
  let text = String(number)
  return String(repeating: "0", count: max(0, width - text.count)) + text
}
