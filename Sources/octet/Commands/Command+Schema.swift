import ProtobufRuntime
import RPC

extension Command {
  static let list = Command(
    name: "list", arguments: "[SERVICE]",
    summary: "List the server's services, or the methods of one.",
    details: "A service may be named without its package: RideService."
  ) { invocation in
    let words = try invocation.words(["SERVICE"], optional: 1)
    let client = try await invocation.client()
    guard let name = words.first else {
      for name in try await client.reflection.services() { Output.print(name) }
      return
    }
    let service = try await client.service(name)
    for method in service.methods { Output.print("\(service.fullName)/\(method.name)") }
  }

  static let describe = Command(
    name: "describe", arguments: "SYMBOL",
    summary: "Show a service, method, message or enum as its proto has it, comments and policy included.",
    details: """
      SYMBOL is a full name (octet.rides.v1.Ride), a service's own name (RideService) or a method as call takes it \
      (RideService/GetRide). A method is shown with its two messages.
      """
  ) { invocation in
    let symbol = try invocation.words(["SYMBOL"])[0]
    let client = try await invocation.client()
    Output.print(try await client.describe(symbol))
  }
}

extension Client {
  /// The proto text of a symbol.
  func describe(_ symbol: String) async throws -> String {
    if symbol.contains("/") {
      let (service, method) = try await self.method(symbol)
      return describe(method, of: service)
    }
    if !symbol.contains(".") { return ProtoText(pool).service(try await service(symbol)) }
    try await reflection.load(symbol: symbol)
    switch pool.symbol(symbol)?.symbol {
    case .service(let service): return ProtoText(pool).service(service)
    case .message(let message): return ProtoText(pool).message(message)
    case .enum(let value): return ProtoText(pool).enumeration(value)
    case .method(let method, let service): return describe(method, of: service)
    case .extension(let field): return ProtoText(pool).extending(field)
    case nil: throw RPCError(.notFound, "\(symbol) is not known")
    }
  }

  /// A method that is named `SERVICE/METHOD` or `SERVICE.METHOD`.
  func method(_ name: String) async throws -> (ServiceDescriptor, MethodDefinition) {
    guard let mark = name.lastIndex(where: { $0 == "/" || $0 == "." }) else {
      throw UsageError("a method is named SERVICE/METHOD, not \(name)")
    }
    let service = try await service(String(name[..<mark]))
    let methodName = name[name.index(after: mark)...]
    guard let method = service.method(named: String(methodName)) else {
      throw RPCError(.unimplemented, "\(service.fullName) has no method \(methodName)")
    }
    return (service, method)
  }

  private func describe(_ method: MethodDefinition, of service: ServiceDescriptor) -> String {
    let text = ProtoText(pool)
    let messages = [method.inputType, method.outputType].compactMap { pool.message($0) }
    let unique = messages.count == 2 && messages[0] === messages[1] ? [messages[0]] : messages
    let head = "// Of the service \(service.fullName).\n"
    return ([head + text.method(method)] + unique.map { text.message($0) }).joined(separator: "\n\n")
  }
}
