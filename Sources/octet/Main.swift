import Glibc

/// `octet`, the command-line client.
@main
struct Main {
  static func main() async {
    // A connection or pipe that went away is an error where it is used, not the end of the program.
    signal(SIGPIPE, SIG_IGN)
    do {
      try await run(Array(CommandLine.arguments.dropFirst()), environment: Environment())
    } catch {
      let report = ErrorReport(error)
      for (index, line) in report.lines.enumerated() {
        Output.note(Terminal.plainLines(index == 0 ? "octet: \(line)" : line))
      }
      exit(report.exitCode)
    }
    // Threads that wait for a server or for input must not keep the process.
    exit(0)
  }

  private static func run(_ arguments: [String], environment: Environment) async throws {
    if arguments.first == Completion.command {
      return await Completion.complete(Array(arguments.dropFirst()), environment: environment)
    }
    let (global, words) = try GlobalOptions.take(from: arguments, environment: environment)
    guard let name = words.first, name != "help" else {
      if global.wantsHelp || words.first == "help" { return Output.print(Help.overview) }
      Output.note(Help.overview)
      throw UsageError("a command is missing")
    }
    let rest = Array(words.dropFirst())
    if let command = Command.all.first(where: { $0.name == name }) {
      if global.wantsHelp { return Output.print(command.help) }
      let parsed = try ParsedArguments(rest, options: command.options)
      return try await command.run(Invocation(global: global, environment: environment, arguments: parsed))
    }
    guard name.first != "-" else { throw UsageError("unknown option \(name)") }
    try await DomainCommand.run(domain: name, rest, global: global, environment: environment)
  }
}

/// What `octet --help` says.
enum Help {
  /// The row of the commands that are the server's.
  private static let domain = (
    name: "DOMAIN COMMAND ...",
    text: "Call a method by a short name, with flags for its fields: octet rides list. octet DOMAIN --help shows the "
      + "commands of a domain that the server has."
  )

  /// The end of the help of one command: what all have in common would drown it.
  static let commonOptions = "octet --help shows the options of all commands, such as --profile, --json and --verbose."

  static var overview: String {
    """
    usage: octet COMMAND [options]

    Talks to any gRPC server that has reflection, and knows Octet's logins.

    commands:
    \(HelpText.table(Command.all.map { ("\($0.name) \($0.arguments)", $0.summary) } + [domain]))

    options of all commands:
    \(HelpText.table(GlobalOptions.options))
    """
  }
}
