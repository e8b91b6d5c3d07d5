import Base

/// Values as people write them on a command line: spans, instants, amounts and dates.
enum HumanValue {
  private static let nanosecondsPerSecond: Int64 = 1_000_000_000
  private static let units: KeyValuePairs = [
    "d": 86_400 * nanosecondsPerSecond, "h": 3600 * nanosecondsPerSecond, "ms": 1_000_000, "us": 1000, "ns": 1,
    "m": 60 * nanosecondsPerSecond, "s": nanosecondsPerSecond,
  ]

  /// `90s`, `1h30m`, `1.5s`, `-2d` in nanoseconds; nil for anything else and for what Int64 does not hold.
  static func span(_ text: String) -> Int64? {
    let isNegative = text.hasPrefix("-")
    var rest = text.dropFirst(isNegative || text.hasPrefix("+") ? 1 : 0)
    guard !rest.isEmpty else { return nil }
    var total: Int64 = 0
    while !rest.isEmpty {
      let number = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
      let name = rest.dropFirst(number.count).prefix { $0.isLetter }
      guard let unit = units.first(where: { $0.key == name })?.value, let value = Double(number) else { return nil }
      let part = value * Double(unit)
      // The greatest Double below 2^63 is the last that fits.
      guard part < 0x1p63 else { return nil }
      let (sum, overflows) = total.addingReportingOverflow(Int64(part.rounded()))
      if overflows { return nil }
      total = sum
      rest = rest.dropFirst(number.count + name.count)
    }
    return isNegative ? -total : total
  }

  /// A span as the JSON mapping writes a google.protobuf.Duration.
  static func duration(_ text: String) throws(UsageError) -> String {
    guard let span = span(text) else { throw UsageError("\(text) is no span of time such as 90s, 15m or 1h30m") }
    let magnitude = span.magnitude
    let second = UInt64(nanosecondsPerSecond)
    let fraction = magnitude % second
    return (span < 0 ? "-" : "") + String(magnitude / second) + (fraction == 0 ? "" : "." + String(fraction, width: 9))
      + "s"
  }

  /// An instant as the JSON mapping writes a google.protobuf.Timestamp: as it is if it is RFC 3339 already; `now`; a
  /// span from now such as `+2h` or `-15m`; a day, with or without a time, in UTC: `2026-01-31 18:30`.
  static func instant(_ text: String, now: Instant) throws(UsageError) -> String {
    if text == "now" { return now.iso8601 }
    if text.first == "+" || text.first == "-", let span = span(text) { return (now + .nanoseconds(span)).iso8601 }
    let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == " " || $0 == "T" }
    guard let day = date(String(parts[0])) else { throw notInstant(text) }
    guard parts.count == 2 else { return "\(day)T00:00:00Z" }
    if text.contains("T"), text.hasSuffix("Z") || parts[1].contains("+") || parts[1].contains("-") { return text }
    let clock = parts[1].split(separator: ":", omittingEmptySubsequences: false)
    guard clock.count == 2 || clock.count == 3, clock.allSatisfy({ $0.count == 2 && Int($0) != nil }) else {
      throw notInstant(text)
    }
    return "\(day)T\(clock.joined(separator: ":"))" + (clock.count == 2 ? ":00Z" : "Z")
  }

  private static func notInstant(_ text: String) -> UsageError {
    UsageError("\(text) is no instant such as 2026-01-31T18:30:00Z, '2026-01-31 18:30', +2h, -15m or now")
  }

  /// `2026-01-31`; nil for what is no day.
  static func date(_ text: String) -> CivilDate? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, let year = Int64(parts[0]), let month = Int64(parts[1]), let day = Int64(parts[2]) else {
      return nil
    }
    return CivilDate(year: year, month: month, day: day)
  }

  /// Minor units and currency of `12.50 EUR`, or of `1250 EUR`, which is 12.50 € as well: an amount with a point is in
  /// the currency's units and has all its decimals, one without is in its minor units.
  static func money(_ text: String) throws(UsageError) -> (minorUnits: String, currency: String) {
    let parts = text.split(separator: " ")
    guard parts.count == 2 else { throw notMoney(text) }
    let currency = String(parts[1])
    let number = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    if number.count == 1, Int64(number[0]) != nil { return (String(number[0]), currency) }
    guard number.count == 2, !number[1].isEmpty, number[1].allSatisfy({ $0.isASCII && $0.isNumber }),
      let units = Int64(number[0] + number[1])
    else { throw notMoney(text) }
    guard let decimals = Currency.exponent(currency) else { throw UsageError("\(currency) is no known currency") }
    guard number[1].count == decimals else { throw UsageError("\(currency) has \(decimals) decimals") }
    return (String(units), currency)
  }

  private static func notMoney(_ text: String) -> UsageError {
    UsageError("\(text) is no amount such as '12.50 EUR', or in minor units '1250 EUR'")
  }
}
