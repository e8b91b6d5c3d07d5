internal import Base

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
    return CivilDate(daysSinceEpoch: days).description + "T" + String(second / 3600, width: 2) + ":"
      + String(second / 60 % 60, width: 2) + ":" + String(second % 60, width: 2) + Self.fraction(nanos) + "Z"
  }

  /// Reads RFC 3339 with `Z` or an offset; nil for anything else or outside of the years 1 to 9999.
  init?(timestamp text: String) {
    var scanner = Scanner(text)
    guard let year = scanner.number(digits: 4), scanner.take("-"),
      let month = scanner.number(digits: 2), scanner.take("-"),
      let day = scanner.number(digits: 2), let date = CivilDate(year: year, month: month, day: day), scanner.take("T"),
      let hour = scanner.number(digits: 2), hour < 24, scanner.take(":"),
      let minute = scanner.number(digits: 2), minute < 60, scanner.take(":"),
      let second = scanner.number(digits: 2), second < 60, let nanos = scanner.fraction()
    else { return nil }
    var seconds = date.daysSinceEpoch * Self.secondsPerDay + hour * 3600 + minute * 60 + second
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
    if nanos % 1_000_000 == 0 { return "." + String(nanos / 1_000_000, width: 3) }
    if nanos % 1_000 == 0 { return "." + String(nanos / 1_000, width: 6) }
    return "." + String(nanos, width: 9)
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
