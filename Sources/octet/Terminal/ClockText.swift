import Base
import Glibc

/// Instants as people read them.
enum ClockText {
  /// `2026-01-31 18:30` in the zone of this machine.
  static func minute(_ seconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = tm()
    guard localtime_r(&time, &parts) != nil else { return "?" }
    func two(_ number: Int32) -> String { String(number, width: 2) }
    let day = "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    return "\(day) \(two(parts.tm_hour)):\(two(parts.tm_min))"
  }
}
