import Base
import Glibc

/// How far a transfer is: a line on a terminal that is drawn over and over, and nothing elsewhere.
struct ProgressBar {
  private let label: String
  private let total: Int64
  private let isShown: Bool
  private let clock = ContinuousClock()
  private let began: ContinuousClock.Instant
  /// What was there when this run began: it says nothing of the rate.
  private let start: Int64
  private var lastDrawn: ContinuousClock.Instant?
  private var lastPercent = 0
  private var isOpen = false

  private static let barColumns = 24
  /// Faster than this nobody reads.
  private static let period = Duration.milliseconds(100)

  /// - Parameters:
  ///   - began: when the first byte was asked for.
  ///   - isQuiet: whether nothing is shown on a terminal either.
  init(
    _ label: String, total: Int64, start: Int64 = 0, began: ContinuousClock.Instant = .now, isQuiet: Bool
  ) {
    self.label = Terminal.plain(label)
    self.total = total
    self.start = start
    isShown = !isQuiet && Terminal.showsProgress
    self.began = began
  }

  /// Draws how far it is, unless that was done a moment ago and no percent has come since.
  mutating func show(_ done: Int64) {
    guard isShown else { return }
    let now = clock.now
    let percent = total > 0 ? Int(Double(done) / Double(total) * 100) : 0
    if let lastDrawn, now - lastDrawn < Self.period, percent == lastPercent { return }
    lastDrawn = now
    lastPercent = percent
    isOpen = true
    let seconds = Double((now - began).inNanoseconds) / 1e9
    let text = Self.line(
      label, done: done, total: total, moved: done - start, seconds: seconds, columns: Terminal.size.columns - 1)
    Output.ask("\r\u{1b}[K" + text)
  }

  /// Leaves the line as it is, or clears it, so that something else can be printed.
  mutating func end(clears: Bool = false) {
    guard isOpen else { return }
    isOpen = false
    lastDrawn = nil
    Output.ask(clears ? "\r\u{1b}[K" : "\n")
  }

  /// `photo.jpg  ██████░░░░  61 %  1.2 MB of 2.0 MB  3.1 MB/s  0:01 left`. What has no room is left out: half a number would be
  /// another one.
  static func line(
    _ label: String, done: Int64, total: Int64, moved: Int64, seconds: Double, columns: Int
  ) -> String {
    let share = total > 0 ? Double(done) / Double(total) : 0
    let filled = Int(Double(barColumns) * min(share, 1))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: barColumns - filled)
    var parts = [label, bar, "\(Int(share * 100)) %", "\(size(done)) of \(size(total))"]
    if seconds > 0, moved > 0 {
      let rate = Double(moved) / seconds
      parts.append(size(Int64(rate)) + "/s")
      if done < total { parts.append(clock(Int64(min((Double(total - done) / rate).rounded(.up), 1e15))) + " left") }
    }
    while parts.count > 1, Terminal.width(parts.joined(separator: "  ")) > columns { parts.removeLast() }
    return Terminal.clipped(parts.joined(separator: "  "), to: columns)
  }

  /// `999 B`, `1.2 kB`, `34.5 MB`
  static func size(_ bytes: Int64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"]
    guard bytes >= 1000 else { return "\(bytes) B" }
    var value = Double(bytes) / 1000
    var unit = 0
    // What is shown as 1000.0 belongs to the next unit.
    while value >= 999.95, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    let tenths = Int64((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
  }

  /// `0:07`, `12:30`, `1:02:03`
  private static func clock(_ seconds: Int64) -> String {
    let parts = seconds >= 3600 ? [seconds / 3600, seconds / 60 % 60, seconds % 60] : [seconds / 60, seconds % 60]
    return parts.enumerated().map { $0 == 0 ? String($1) : String($1, width: 2) }.joined(separator: ":")
  }
}
