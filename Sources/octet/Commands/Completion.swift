import ProtobufRuntime

extension Command {
  static let completion = Command(
    name: "completion", arguments: "bash|zsh|fish",
    summary: "Print a script that completes command lines in a shell.",
    details: """
      Commands, services, methods, domains and flags are completed; what the server has is asked of it.

      bash: source <(octet completion bash), zsh: source <(octet completion zsh), fish: octet completion fish | source
      """
  ) { invocation in
    let shell = try invocation.words(["SHELL"])[0]
    guard let script = Completion.scripts[shell] else { throw UsageError("there is no completion for \(shell)") }
    Output.print(script)
  }
}

/// What can follow on a command line. The shells' scripts ask for it with a command that help does not show.
enum Completion {
  static let command = "__complete"

  /// Time to ask the server: nobody waits longer for a Tab.
  private static let patience = Duration.seconds(1)

  static let scripts = [
    "bash": """
    _octet() {
      local IFS=$'\\n'
      COMP_WORDBREAKS=${COMP_WORDBREAKS//:}
      COMPREPLY=($(octet __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
      [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    }
    complete -o default -F _octet octet
    """,
    "zsh": """
    _octet() {
      local -a found
      found=("${(@f)$(octet __complete "${words[@]:1:$((CURRENT-1))}" 2>/dev/null)}")
      [[ -n ${found[1]} ]] && compadd -- "${found[@]}" || _files
    }
    compdef _octet octet
    """,
    "fish": """
    function __octet_complete
      set -l words (commandline -opc) (commandline -ct)
      octet __complete $words[2..] 2>/dev/null
    end
    complete -c octet -a '(__octet_complete)'
    """,
  ]

  /// Prints what the last of `words`, which may be empty, can become. Trouble is silence.
  static func complete(_ words: [String], environment: Environment) async {
    let last = words.last ?? ""
    let candidates = (try? await candidates(Array(words.dropLast()), last, environment)) ?? []
    for candidate in candidates.sorted() where candidate.hasPrefix(last) { Output.print(candidate) }
  }

  private static func candidates(
    _ before: [String], _ last: String, _ environment: Environment
  ) async throws -> [String] {
    // An option without its value yet makes no command line, so the value is made up.
    let isValue = before.last.map { word in GlobalOptions.options.contains { $0.value != nil && "--" + $0.name == word }
    }
    if isValue == true { return [] }
    var (global, given) = try GlobalOptions.take(from: before, environment: environment)
    if global.deadline == nil { global.deadline = patience }
    guard let name = given.first else {
      if last.first == "-" { return flags(GlobalOptions.options) }
      let domains = (try? await Client(global, environment: environment).domains()) ?? []
      return Command.all.map(\.name) + domains
    }
    if let command = Command.all.first(where: { $0.name == name }) {
      if last.first == "-" { return flags(command.options + GlobalOptions.options) }
      return try await arguments(of: command, last, global, environment)
    }
    let client = try await Client(global, environment: environment)
    let domain = try await client.domain(name)
    if given.count > 1, let composed = domain.composed.first(where: { $0.name == given[1] }) {
      return last.first == "-" ? flags(composed.command.options + GlobalOptions.options) : []
    }
    guard given.count > 1, let entry = domain.entry(given[1]), let type = client.pool.message(entry.method.inputType)
    else { return domain.composed.map(\.name) + domain.entries.map { domain.alias(of: $0) } }
    let requestFlags = RequestFlags(type, client.pool)
    let open = requestFlags.flags.first { "--" + $0.option.name == given.last && $0.option.value != nil }
    if let open { return RequestFlags.choices(open.field, client.pool).map(\.name) }
    return last.first == "-" ? flags(requestFlags.options + GlobalOptions.options) : []
  }

  private static func flags(_ options: [Option]) -> [String] { options.map { "--" + $0.name } }

  private static func arguments(
    of command: Command, _ last: String, _ global: GlobalOptions, _ environment: Environment
  ) async throws -> [String] {
    switch command.name {
    case "completion": return Array(scripts.keys)
    case "list": return try await Client(global, environment: environment).reflection.services()
    case "call", "bench", "describe":
      let client = try await Client(global, environment: environment)
      guard let slash = last.lastIndex(of: "/") else {
        return try await client.reflection.services().map { command.name == "describe" ? $0 : $0 + "/" }
      }
      let name = String(last[..<slash])
      return try await client.service(name).methods.map { "\(name)/\($0.name)" }
    default: return []
    }
  }
}
