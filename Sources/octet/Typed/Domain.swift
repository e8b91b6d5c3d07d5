import ProtobufRuntime
import RPC

/// The commands of one domain: the methods of all services in its package.
struct Domain {
  /// A method under its short name.
  struct Entry {
    let name: String
    let service: ServiceDescriptor
    let method: MethodDefinition
  }

  let name: String
  /// In the order of services and methods.
  let entries: [Entry]
  private let aliases: [String: Entry]

  /// Short names that the rule would not give: what people look for.
  private static let givenNames = [
    "octet.notify.v1.NotificationService.WatchInbox": "inbox",
    "octet.chat.v1.ChatService.Chat": "talk",
    "octet.audit.v1.AuditService.ExportRecords": "export",
    "octet.audit.v1.AuditService.VerifyChain": "verify",
  ]

  init(name: String, services: [ServiceDescriptor]) {
    self.name = name
    let methods = services.flatMap { service in service.methods.map { (service, $0) } }
    let counts = Dictionary(grouping: methods) { $0.1.name }.mapValues(\.count)
    let entries = methods.map { service, method in
      let short = Naming.kebab(method.name)
      let isShared = counts[method.name, default: 0] > 1
      return Entry(name: isShared ? Naming.kebab(service.name) + "-" + short : short, service: service, method: method)
    }
    self.entries = entries
    let byAlias = Dictionary(grouping: entries) { Self.alias(of: $0, in: name) }
    aliases = byAlias.compactMapValues { $0.count == 1 ? $0[0] : nil }
  }

  /// The commands that are put together from several methods of the domain's services.
  var composed: [Composed] {
    let services = Set(entries.map(\.service.fullName))
    return Composed.all.filter { $0.domain == name && services.contains($0.service) }
  }

  /// The command of that name, or of that name without the domain's: `track` for `track-ride`, `list` for
  /// `list-rides`, where only one command has it.
  func entry(_ command: String) -> Entry? {
    entries.first { $0.name == command } ?? aliases[command]
  }

  /// The shorter name of a command; its own if there is none.
  func alias(of entry: Entry) -> String {
    let alias = Self.alias(of: entry, in: name)
    return aliases[alias]?.method === entry.method ? alias : entry.name
  }

  private static func alias(of entry: Entry, in domain: String) -> String {
    if let given = givenNames[entry.method.fullName] { return given }
    let command = entry.name
    for noun in [domain, Naming.singular(domain)] {
      if command.hasSuffix("-" + noun) { return String(command.dropLast(noun.count + 1)) }
      if command.hasPrefix(noun + "-") { return String(command.dropFirst(noun.count + 1)) }
    }
    return command
  }
}

extension Client {
  /// The names of the server's domains.
  func domains() async throws -> [String] {
    Set(try await reflection.services().compactMap { Naming.domain(ofService: $0) }).sorted()
  }

  /// A domain of the server.
  func domain(_ name: String) async throws -> Domain {
    let names = try await reflection.services().filter { Naming.domain(ofService: $0) == name }
    guard !names.isEmpty else {
      let known = try await domains().joined(separator: ", ")
      throw UsageError("\(name) is no command, and no domain of \(address), which has: \(known)")
    }
    for service in names { try await reflection.load(symbol: service) }
    return Domain(name: name, services: names.compactMap { pool.service($0) })
  }
}
