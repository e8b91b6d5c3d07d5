import ProtobufRuntime

/// Writes the protocol that a service's implementation conforms to, its methods with their policies, its
/// registration, and its client.
struct ServiceWriter {
  let descriptor: ServiceDescriptor
  let module: String
  let typePrefix: String
  let names: TypeNames
  let pool: DescriptorPool

  private var name: String { typePrefix + descriptor.name }

  /// A method as the writer needs it.
  private struct Method {
    let definition: MethodDefinition
    let name: String
    let request: String
    let response: String
    let policy: DeclaredPolicy?

    /// The property of the request that names the resource which the policy is about; nil for none.
    var resource: String? {
      guard let policy, !policy.resourceField.isEmpty else { return nil }
      return Naming.property(policy.resourceField)
    }

    /// Its kind in the RPC stack, which is also the name of what registers and calls it.
    var kind: String {
      switch (definition.isClientStreaming, definition.isServerStreaming) {
      case (false, false): "unary"
      case (false, true): "serverStreaming"
      case (true, false): "clientStreaming"
      case (true, true): "bidirectional"
      }
    }

    /// Whether a handler may do without waiting. Where a resource is judged, the judge may have to wait.
    var mayBeSynchronous: Bool { kind == "unary" && resource == nil }

    var requestParameter: String {
      definition.isClientStreaming ? "_ requests: RequestReader<\(request)>" : "_ request: \(request)"
    }

    /// The name of the protocol for handlers that do not wait.
    var synchronousProtocol: String { "Synchronous\(definition.name)" }

    /// The declaration of a unary handler that does not wait.
    var synchronousHandler: String {
      "func \(name)(\(requestParameter), context: ServerContext) throws -> \(response)"
    }

    /// The declaration in the service's protocol.
    var handler: String {
      definition.isServerStreaming
        ? "func \(name)(\(requestParameter), responses: ResponseWriter<\(response)>, context: ServerContext) async throws"
        : "func \(name)(\(requestParameter), context: ServerContext) async throws -> \(response)"
    }
  }

  func write(to out: inout SourceText) throws(GeneratorError) {
    let methods = try descriptor.methods.map { method throws(GeneratorError) in
      Method(
        definition: method, name: Naming.method(method.name),
        request: names.reference(to: method.inputType, in: [], module: module),
        response: names.reference(to: method.outputType, in: [], module: module),
        policy: try declaredPolicy(of: method))
    }
    out.documentation(descriptor.comment, isDeprecated: descriptor.isDeprecated)
    out.block("public protocol \(name): Sendable") { out in
      for method in methods {
        out.documentation(method.definition.comment, isDeprecated: method.definition.isDeprecated)
        out.line(method.handler)
      }
    }
    out.line()
    writeDescriptors(methods, to: &out)
    out.line()
    writeSynchronousProtocols(methods, to: &out)
    writeRegistration(methods, to: &out)
    out.line()
    writeClient(methods, to: &out)
    out.line()
  }

  private func writeDescriptors(_ methods: [Method], to out: inout SourceText) {
    out.line("/// The methods of `\(descriptor.fullName)` with their policies.")
    out.block("public enum \(name)Methods") { out in
      out.line("public static var service: String { \"\(descriptor.fullName)\" }")
      for method in methods {
        out.documentation(method.definition.comment)
        out.line("public static let \(method.name) = MethodDescriptor(")
        out.line("  service: service, name: \"\(method.definition.name)\", kind: .\(method.kind),")
        out.line("  policy: \(policy(method)))")
      }
      out.line()
      out.line("/// All methods in the order of the proto.")
      out.line("public static var all: [MethodDescriptor] { [\(methods.map(\.name).joined(separator: ", "))] }")
    }
  }

  /// For each unary method a protocol by which an implementation says that its handler does not wait. That an `async`
  /// requirement is met by a function without `async` cannot be seen from outside.
  private func writeSynchronousProtocols(_ methods: [Method], to out: inout SourceText) {
    let unary = methods.filter(\.mayBeSynchronous)
    guard !unary.isEmpty else { return }
    out.block("extension \(name)Methods") { out in
      for method in unary {
        out.line("/// Implementations whose `\(method.name)` does not wait: it runs without a task, which costs less.")
        out.block("public protocol \(method.synchronousProtocol): \(name)") { $0.line(method.synchronousHandler) }
      }
    }
    out.line()
  }

  private func writeRegistration(_ methods: [Method], to out: inout SourceText) {
    out.block("extension \(name)") { out in
      out.line("/// Makes this implementation answer for `\(descriptor.fullName)`.")
      out.block("public func register(in registry: inout ServiceRegistry)") { out in
        for method in methods {
          let (parameters, arguments) =
            switch (method.definition.isClientStreaming, method.definition.isServerStreaming) {
            case (false, false): ("request, context", "request, context: context")
            case (false, true): ("request, responses, context", "request, responses: responses, context: context")
            case (true, false): ("requests, context", "requests, context: context")
            case (true, true): ("requests, responses, context", "requests, responses: responses, context: context")
            }
          let about = method.resource.map { field in ", about: { $0.\(field) }" } ?? ""
          let registration = "registry.\(method.kind)(\(name)Methods.\(method.name)\(about))"
          let call = "\(method.name)(\(arguments))"
          if method.mayBeSynchronous {
            out.line("if let service = self as? any \(name)Methods.\(method.synchronousProtocol) {")
            out.line("  \(registration) { \(parameters) in try service.\(call) }")
            out.line("} else {")
            out.line("  \(registration) { \(parameters) in try await self.\(call) }")
            out.line("}")
          } else {
            out.block(registration, parameters: parameters) { $0.line("try await self.\(call)") }
          }
        }
      }
    }
  }

  private func writeClient(_ methods: [Method], to out: inout SourceText) {
    out.line("/// Calls `\(descriptor.fullName)`.")
    out.block("public struct \(name)Client: Sendable") { out in
      out.line("private let channel: RPCChannel")
      out.line()
      out.block("public init(_ channel: RPCChannel)") { $0.line("self.channel = channel") }
      for method in methods {
        out.line()
        out.documentation(method.definition.comment, isDeprecated: method.definition.isDeprecated)
        let options = "options: CallOptions = CallOptions()"
        let call = "channel.\(method.kind)(\(name)Methods.\(method.name)"
        switch (method.definition.isClientStreaming, method.definition.isServerStreaming) {
        case (false, false):
          let head = "public func \(method.name)(_ request: \(method.request), \(options)) async throws"
          out.block("\(head) -> \(method.response)") { $0.line("try await \(call), request, options: options)") }
        case (false, true):
          let head = "public func \(method.name)(_ request: \(method.request), \(options))"
          out.block("\(head) -> ServerStreamingCall<\(method.response)>") {
            $0.line("\(call), request, options: options)")
          }
        case (true, false):
          let type = "ClientStreamingCall<\(method.request), \(method.response)>"
          out.block("public func \(method.name)(\(options)) -> \(type)") { $0.line("\(call), options: options)") }
        case (true, true):
          let type = "BidirectionalCall<\(method.request), \(method.response)>"
          out.block("public func \(method.name)(\(options)) -> \(type)") { $0.line("\(call), options: options)") }
        }
      }
    }
  }

  /// - Throws: for a policy that cannot be read, or whose resource nobody could judge.
  private func declaredPolicy(of method: MethodDefinition) throws(GeneratorError) -> DeclaredPolicy? {
    let declared: DeclaredPolicy?
    do {
      declared = try method.declaredPolicy()
    } catch {
      throw GeneratorError("\(method.fullName): the policy cannot be read")
    }
    guard let declared, !declared.resourceField.isEmpty else { return declared }
    let field = pool.message(method.inputType)?.field(named: declared.resourceField)
    guard declared.access == .role, !declared.roles.isEmpty, !method.isClientStreaming else {
      throw GeneratorError(
        "\(method.fullName): resource_field is for a method of one request, with ACCESS_ROLE and the roles to hold there"
      )
    }
    let rules: DeclaredRules?
    do {
      rules = try field?.declaredRules()
    } catch {
      throw GeneratorError("\(method.fullName): the rules of \(declared.resourceField) cannot be read")
    }
    guard let field, let rules, field.type == .string, !field.isRepeated, !field.hasPresence, rules.isRequired,
      !rules.idKind.isEmpty
    else {
      throw GeneratorError(
        "\(method.fullName): \(declared.resourceField) is no required string of the request with an id_kind")
    }
    return declared
  }

  /// The policy in Swift. Without a declared default a unary call has 30 seconds, a stream all the time it wants.
  private func policy(_ method: Method) -> String {
    guard let declared = method.policy else { return "MethodPolicy()" }
    var parts = ["access: .\(declared.access)"]
    if !declared.roles.isEmpty {
      parts.append("roles: [\(declared.roles.map { "\"\($0)\"" }.joined(separator: ", "))]")
    }
    if !declared.resourceField.isEmpty { parts.append("resourceField: \"\(declared.resourceField)\"") }
    if declared.mutates { parts.append("mutates: true") }
    if declared.posts { parts.append("posts: true") }
    if declared.keepsRequestIDs { parts.append("keepsRequestIDs: true") }
    let isUnary = method.kind == "unary"
    if let deadline = declared.defaultDeadline ?? (isUnary ? .seconds(30) : nil) {
      parts.append("defaultDeadline: \(duration(deadline))")
    }
    if let deadline = declared.longestDeadline { parts.append("longestDeadline: \(duration(deadline))") }
    if declared.rateClass != .unspecified, declared.rateClass != .standard {
      parts.append("rateClass: .\(declared.rateClass)")
    }
    let priority = declared.priority == .unspecified && declared.rateClass == .telemetry ? .low : declared.priority
    if priority != .unspecified, priority != .normal { parts.append("priority: .\(priority)") }
    let bounds = [
      ("concurrentCalls", declared.maxConcurrentCalls),
      ("concurrentCallsPerCaller", declared.maxConcurrentCallsPerCaller), ("messageBytes", declared.maxMessageBytes),
    ]
    for (name, bound) in bounds where bound > 0 { parts.append("\(name): \(bound)") }
    return "MethodPolicy(\(parts.joined(separator: ", ")))"
  }

  private func duration(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    return attoseconds == 0
      ? ".seconds(\(seconds))" : ".nanoseconds(\(seconds * 1_000_000_000 + attoseconds / 1_000_000_000))"
  }
}
