/// One of the program's own commands.
struct Command: Sendable {
  let name: String
  /// What follows the name: `SERVICE/METHOD`.
  let arguments: String
  /// A sentence for the list of commands.
  let summary: String
  /// What `--help` says beyond it.
  var details = ""
  var options: [Option] = []
  let run: @Sendable (Invocation) async throws -> Void

  static let all: [Command] = [list, describe, call, login, logout, bench, completion]

  var help: String {
    var text = "usage: octet \(name) \(arguments)".trimmingEnd + " [options]\n\n"
    text += HelpText.wrap(summary).joined(separator: "\n")
    for paragraph in HelpText.paragraphs(details) {
      text += "\n\n" + HelpText.wrap(paragraph).joined(separator: "\n")
    }
    if !options.isEmpty { text += "\n\noptions:\n" + HelpText.table(options) }
    return text + "\n\n" + HelpText.wrap(Help.commonOptions).joined(separator: "\n")
  }
}

/// A command line, as a command gets it.
struct Invocation {
  let global: GlobalOptions
  let environment: Environment
  let arguments: ParsedArguments

  /// Connects to the server; nothing is sent yet.
  func client() async throws -> Client { try await Client(global, environment: environment) }

  /// The words of the command line, of which there must be as many as `names`, but for the last `optional` ones.
  func words(_ names: [String], optional: Int = 0) throws(UsageError) -> [String] {
    let words = arguments.words
    guard words.count >= names.count - optional else { throw UsageError("\(names[words.count]) is missing") }
    guard words.count <= names.count else { throw UsageError("\(words[names.count]) is one word too many") }
    return words
  }
}
