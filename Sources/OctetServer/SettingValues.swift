import FoundationEssentials

/// What was said about each setting. A flag beats the environment, which beats the file, which beats the default.
struct SettingValues {
  private var values: [String: String] = [:]
  /// Arguments that are not flags: a subcommand and its operands.
  private(set) var operands: [String] = []

  /// - Parameter arguments: the command line without the program's name.
  init(arguments: [String], environment: [String: String]) throws(UsageError) {
    let flags = try Self.flags(in: arguments, operands: &operands)
    if let secret = Setting.all.first(where: { $0.isSecret && flags[$0.name] != nil }) {
      throw UsageError("\(secret.name): say it by \(secret.variable) or in the file; other users can see flags")
    }
    for setting in Setting.all {
      values[setting.name] = setting.fallback
    }
    if let file = flags[Setting.config.name] ?? environment[Setting.config.variable] {
      try values.merge(Self.settings(inFile: file)) { $1 }
    }
    for setting in Setting.all {
      if let value = environment[setting.variable] { values[setting.name] = value }
    }
    values.merge(flags) { $1 }
  }

  subscript(setting: Setting) -> String? { values[setting.name] }

  /// Whether a switch is on.
  func isOn(_ setting: Setting) throws(UsageError) -> Bool {
    switch values[setting.name] {
    case nil, "false", "0", "no": false
    case "true", "1", "yes": true
    case .some(let value): throw UsageError("\(setting.name): \(value) is neither true nor false")
    }
  }

  /// The parts of a comma-separated value; empty if there is none.
  func list(_ setting: Setting) -> [String] {
    (values[setting.name] ?? "").split(separator: ",").map { String($0) }
  }

  /// An integer within `range`, or nil if the setting is absent.
  func integer(_ setting: Setting, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text = values[setting.name] else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw UsageError("\(setting.name): \(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A duration such as `500ms`, `2s` or `5m`, or nil if the setting is absent.
  func duration(_ setting: Setting) throws(UsageError) -> Duration? {
    guard let text = values[setting.name] else { return nil }
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let units: [String: Duration] = [
      "us": .microseconds(1), "ms": .milliseconds(1), "s": .seconds(1), "m": .seconds(60), "h": .seconds(3600),
    ]
    guard let number = Int32(digits), let unit = units[String(text[digits.endIndex...])] else {
      throw UsageError("\(setting.name): \(text) is not a duration such as 500ms or 2s")
    }
    return unit * Int(number)
  }

  private static func flags(in arguments: [String], operands: inout [String]) throws(UsageError) -> [String: String] {
    var flags: [String: String] = [:]
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("--") else {
        operands.append(argument)
        continue
      }
      let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      guard let setting = (Setting.all + Setting.ofSubcommands).first(where: { $0.name == name }) else {
        throw UsageError("unknown flag --\(name)")
      }
      if parts.count == 2 {
        flags[name] = String(parts[1])
      } else if setting.placeholder == nil {
        flags[name] = "true"
      } else if let value = rest.popFirst() {
        flags[name] = value
      } else {
        throw UsageError("--\(name) needs a value")
      }
    }
    return flags
  }

  private static func settings(inFile path: String) throws(UsageError) -> [String: String] {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw UsageError("cannot read the configuration file \(path)")
    }
    var settings: [String: String] = [:]
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let content = (line.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)[0]).trimmed
      guard !content.isEmpty else { continue }
      let parts = content.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { throw UsageError("\(path):\(index + 1): expected name = value") }
      let name = parts[0].trimmed
      guard name != Setting.config.name, Setting.all.contains(where: { $0.name == name }) else {
        throw UsageError("\(path):\(index + 1): unknown setting \(name)")
      }
      settings[name] = parts[1].trimmed
    }
    return settings
  }
}

/// The command line, the environment or the configuration file asks for something that cannot be.
struct UsageError: Error {
  let message: String

  init(_ message: String) {
    self.message = message
  }
}

extension Substring {
  /// Without spaces and tabs at either end.
  fileprivate var trimmed: String {
    var text = self
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return String(text)
  }
}
