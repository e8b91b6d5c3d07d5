extension Instant {
  /// RFC 3339 in UTC with milliseconds: `2026-01-01T00:00:00.000Z`.
  public var iso8601: String {
    let milliseconds = self.milliseconds
    let days = (milliseconds >= 0 ? milliseconds : milliseconds - 86_399_999) / 86_400_000
    let rest = milliseconds - days * 86_400_000
    func twoDigits(_ number: Int64) -> String { String(number, width: 2) }
    let time = "\(twoDigits(rest / 3_600_000)):\(twoDigits(rest / 60_000 % 60)):\(twoDigits(rest / 1000 % 60))"
    return "\(CivilDate(daysSinceEpoch: days))T\(time).\(String(rest % 1000, width: 3))Z"
  }
}
