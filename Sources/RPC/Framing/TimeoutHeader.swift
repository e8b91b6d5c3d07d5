/// The value of `grpc-timeout`: one to eight digits and a unit.
package enum TimeoutHeader {
  private static let longest = 99_999_999

  /// Reads a value; nil for a malformed one. 0 is a deadline that has passed already.
  static func parse(_ text: String) -> Duration? {
    let digits = text.utf8.dropLast()
    guard (1...8).contains(digits.count), let unit = text.utf8.last else { return nil }
    var value: Int64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return switch unit {
    case UInt8(ascii: "H"): .seconds(value * 3600)
    case UInt8(ascii: "M"): .seconds(value * 60)
    case UInt8(ascii: "S"): .seconds(value)
    case UInt8(ascii: "m"): .milliseconds(value)
    case UInt8(ascii: "u"): .microseconds(value)
    case UInt8(ascii: "n"): .nanoseconds(value)
    default: nil
    }
  }

  /// The finest unit whose eight digits suffice, rounded up, so that the peer does not give up before this side.
  package static func format(_ timeout: Duration) -> String {
    let (seconds, attoseconds) = timeout.components
    guard seconds >= 0, attoseconds >= 0 else { return "0n" }
    let units: [(suffix: String, perSecond: Int64)] = [
      ("n", 1_000_000_000), ("u", 1_000_000), ("m", 1000), ("S", 1),
    ]
    for (suffix, perSecond) in units where seconds <= Int64(longest) / perSecond {
      let attosecondsPerUnit = 1_000_000_000_000_000_000 / perSecond
      let value = seconds * perSecond + (attoseconds + attosecondsPerUnit - 1) / attosecondsPerUnit
      if value <= longest { return "\(value)\(suffix)" }
    }
    let minutes = seconds / 60 + 1
    if minutes <= longest { return "\(minutes)M" }
    return "\(min(seconds / 3600 + 1, Int64(longest)))H"
  }
}
