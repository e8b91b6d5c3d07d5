/// One option of a command line.
struct Option {
  /// The long name without its dashes.
  let name: String
  /// A letter for the short form.
  var short: Character?
  /// What stands for the value in help texts; nil for a switch.
  var value: String?
  /// Whether it may be given several times.
  var repeats = false
  let help: String
  /// The words that its value can be, with what they mean.
  var choices: [(name: String, text: String)] = []

  init(_ name: String, short: Character? = nil, value: String? = nil, repeats: Bool = false, _ help: String) {
    self.name = name
    self.short = short
    self.value = value
    self.repeats = repeats
    self.help = help
  }

  /// `-H, --header NAME: VALUE`
  var usage: String {
    (short.map { "-\($0), " } ?? "    ") + "--" + name + (value.map { " " + $0 } ?? "")
  }
}

/// A command line that makes no sense. Exit code 64 (EX_USAGE of sysexits.h), which is no gRPC status.
struct UsageError: Error {
  let message: String

  init(_ message: String) { self.message = message }
}

/// What a command line says: words, and options with their values in order.
struct ParsedArguments {
  private(set) var words: [String] = []
  private var values: [String: [String]] = [:]

  /// The last value of an option.
  subscript(name: String) -> String? { values[name]?.last }

  /// All values of an option.
  func all(_ name: String) -> [String] { values[name] ?? [] }

  /// Whether a switch is on.
  func isOn(_ name: String) -> Bool { values[name]?.last.map { $0 != "false" } ?? false }

  /// Reads `arguments`. With `passingOthers`, options that `options` does not have go to `words` as they are, so that
  /// a later reading can deal with them; without, they are errors.
  init(_ arguments: [String], options: [Option], passingOthers: Bool = false) throws(UsageError) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" {
        if passingOthers { words.append(argument) }
        words += rest
        return
      }
      guard argument.count > 1, argument.first == "-" else {
        words.append(argument)
        continue
      }
      let (option, attached) = Self.find(argument, in: options)
      guard let option else {
        // A negative number is a word.
        guard passingOthers || Double(argument) != nil else { throw UsageError("unknown option \(argument)") }
        words.append(argument)
        continue
      }
      if option.value == nil {
        values[option.name, default: []].append(attached ?? "true")
      } else if let value = attached ?? rest.popFirst() {
        if !option.repeats, values[option.name] != nil { throw UsageError("--\(option.name) is given twice") }
        values[option.name, default: []].append(value)
      } else {
        throw UsageError("--\(option.name) needs a value")
      }
    }
  }

  /// The option that an argument names, and the value attached to it.
  private static func find(_ argument: String, in options: [Option]) -> (Option?, String?) {
    if argument.hasPrefix("--") {
      let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (options.first { $0.name == parts[0] }, parts.count == 2 ? String(parts[1]) : nil)
    }
    let letter = argument.dropFirst().first
    let attached = argument.dropFirst(2)
    guard let option = options.first(where: { $0.short != nil && $0.short == letter }) else { return (nil, nil) }
    if option.value == nil, !attached.isEmpty { return (nil, nil) }
    return (option, attached.isEmpty ? nil : String(attached))
  }
}
