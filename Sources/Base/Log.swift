internal import CLinux

/// How much attention a log line wants.
public enum LogLevel: String, Sendable, Comparable, CaseIterable {
  case debug, info, warning, error

  public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }

  private var rank: Int {
    switch self {
    case .debug: 0
    case .info: 1
    case .warning: 2
    case .error: 3
    }
  }
}

/// A value in a log line. Text is escaped, never interpreted; secrets must not get here.
public enum LogValue: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
  case text(String)
  case integer(Int64)
  case flag(Bool)

  public init(stringLiteral value: String) { self = .text(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(booleanLiteral value: Bool) { self = .flag(value) }
}

/// Writes one JSON object a line to a file descriptor, by default standard error. Safe to share between threads:
/// each line is one `write`, so lines of several threads do not mix.
public struct Log: Sendable {
  /// Lines below this level are dropped.
  public let level: LogLevel
  private let clock: any WallClock
  private let descriptor: Int32

  public init(level: LogLevel = .info, clock: any WallClock = SystemClock(), descriptor: Int32 = 2) {
    self.level = level
    self.clock = clock
    self.descriptor = descriptor
  }

  public func debug(_ event: StaticString, _ fields: KeyValuePairs<String, LogValue> = [:]) {
    write(.debug, event, fields)
  }

  public func info(_ event: StaticString, _ fields: KeyValuePairs<String, LogValue> = [:]) {
    write(.info, event, fields)
  }

  public func warning(_ event: StaticString, _ fields: KeyValuePairs<String, LogValue> = [:]) {
    write(.warning, event, fields)
  }

  public func error(_ event: StaticString, _ fields: KeyValuePairs<String, LogValue> = [:]) {
    write(.error, event, fields)
  }

  private func write(_ level: LogLevel, _ event: StaticString, _ fields: KeyValuePairs<String, LogValue>) {
    guard level >= self.level else { return }
    var line = "{\"time\":\"\(clock.now().iso8601)\",\"level\":\"\(level.rawValue)\",\"event\":"
    line.appendJSON("\(event)")
    for (key, value) in fields {
      line += ","
      line.appendJSON(key)
      line += ":"
      switch value {
      case .text(let text): line.appendJSON(text)
      case .integer(let number): line += String(number)
      case .flag(let flag): line += flag ? "true" : "false"
      }
    }
    line += "}\n"
    // A log that cannot be written has nobody left to tell, so the result is dropped on purpose.
    line.withUTF8 { bytes in _ = CLinux.write(descriptor, bytes.baseAddress, bytes.count) }
  }
}

extension String {
  /// Appends `text` as a JSON string literal (RFC 8259 §7).
  public mutating func appendJSON(_ text: String) {
    append("\"")
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": append("\\\"")
      case "\\": append("\\\\")
      case "\n": append("\\n")
      case "\r": append("\\r")
      case "\t": append("\\t")
      case "\u{0}"..<"\u{20}", "\u{7f}":
        append("\\u" + String(scalar.value, radix: 16, width: 4))
      default: unicodeScalars.append(scalar)
      }
    }
    append("\"")
  }
}
