import ProtobufRuntime
import RPC

/// `octet DOMAIN COMMAND [ID] [--flag value]…`: calls made from the server's descriptors.
enum DomainCommand {
  static func run(
    domain name: String, _ arguments: [String], global: GlobalOptions, environment: Environment
  ) async throws {
    let client = try await Client(global, environment: environment)
    let domain = try await client.domain(name)
    guard let word = arguments.first else {
      Output.print(Terminal.plainLines(overview(domain)))
      if !global.wantsHelp { throw UsageError("a command of \(name) is missing") }
      return
    }
    if let composed = domain.composed.first(where: { $0.name == word }) {
      if global.wantsHelp { return Output.print(composed.command.help) }
      let parsed = try ParsedArguments(Array(arguments.dropFirst()), options: composed.command.options)
      return try await composed.command.run(Invocation(global: global, environment: environment, arguments: parsed))
    }
    guard let entry = domain.entry(word) else {
      throw UsageError("\(name) has no command \(word); octet \(name) --help lists them")
    }
    guard let type = client.pool.message(entry.method.inputType) else {
      throw RPCError(.internal, "the server does not describe \(entry.method.inputType)")
    }
    let flags = RequestFlags(type, client.pool)
    if global.wantsHelp { return Output.print(Terminal.plainLines(help(domain, entry, flags))) }
    let parsed = try ParsedArguments(Array(arguments.dropFirst()), options: flags.options + [Command.dataOption])
    var request = try flags.request(parsed, client.pool)
    if entry.method.fullName == Client.stepUpMethod, request == nil, parsed["data"] == nil {
      request = .object([("password", .string(try Prompt.secret("Password: ")))])
    }
    let runner = CallRunner(client: client, service: entry.service, method: entry.method, fillsRequestID: true)
    if let view = View.of(entry.method, client: client), parsed["data"] == nil {
      return try await view.run(runner, request)
    }
    try await runner.run(source(request, parsed["data"], entry.method)) { message in
      Output.write(try await runner.json(message) + [UInt8(ascii: "\n")])
    }
  }

  private static func source(
    _ request: JSONText?, _ data: String?, _ method: MethodDefinition
  ) async throws -> RequestSource {
    guard let request else { return try await RequestSource.read(data, for: method) }
    let object = Array(request.text.utf8)
    switch (data, method.isClientStreaming) {
    case (nil, false): return .objects([object])
    case (nil, true): return .stream(.standard, first: [object])
    case (_?, true):
      // What the flags say goes before the data.
      switch try await RequestSource.read(data, for: method) {
      case .objects(let objects): return .objects([object] + objects)
      case .stream(let file, let first): return .stream(file, first: [object] + first)
      case .lines: preconditionFailure("data is JSON")
      }
    case (_?, false): throw UsageError("the request comes from flags or from --data, not from both")
    }
  }

  // MARK: Help

  static func overview(_ domain: Domain) -> String {
    let rows =
      domain.composed.map { ($0.name, $0.command.summary) }
      + domain.entries.map { (domain.alias(of: $0), HelpText.firstSentence($0.method.comment)) }
    return """
      usage: octet \(domain.name) COMMAND [ID] [--flag value]...

      commands:
      \(HelpText.table(rows))

      octet \(domain.name) COMMAND --help shows the flags of a command.
      """
  }

  private static func help(_ domain: Domain, _ entry: Domain.Entry, _ flags: RequestFlags) -> String {
    let positional =
      flags.positional.map { flags.isPositionalOptional ? " [\($0.name.uppercased())]" : " \($0.name.uppercased())" }
      ?? ""
    let alias = domain.alias(of: entry)
    let required = flags.flags.filter { $0.isRequired && $0.path.count == 1 && $0.field.name != flags.positional?.name }
      .map { " --" + $0.option.name + ($0.option.value.map { " " + $0 } ?? "") }.joined()
    var text = "usage: octet \(domain.name) \(alias)\(positional)\(required) [options]\n"
    if alias != entry.name { text += "also: \(entry.name)\n" }
    text += "calls: \(entry.service.fullName)/\(entry.method.name)\n"
    for paragraph in HelpText.paragraphs(entry.method.comment) {
      text += "\n" + HelpText.wrap(paragraph).joined(separator: "\n") + "\n"
    }
    text += "\nfields of the request:\n" + HelpText.table(flags.options + [Command.dataOption])
    return text + "\n\n" + HelpText.wrap(Help.commonOptions).joined(separator: "\n")
  }
}
