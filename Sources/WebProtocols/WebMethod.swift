internal import ProtobufRuntime

/// What the translation has to know about a method.
struct WebMethod: Sendable {
  /// Full names of the messages.
  let request: String
  let response: String
  /// Whether neither side is a stream.
  let isUnary: Bool
  /// Whether GET may call it: it is declared to change nothing.
  let isSideEffectFree: Bool

  init(_ definition: MethodDefinition) {
    request = definition.inputType
    response = definition.outputType
    isUnary = !definition.isClientStreaming && !definition.isServerStreaming
    // A policy that cannot be read declares nothing.
    let policy = (try? definition.declaredPolicy()) ?? nil
    isSideEffectFree = definition.hasNoSideEffects || policy?.mutates == false
  }

  /// All methods of a pool by their paths.
  static func table(_ pool: DescriptorPool) -> [String: WebMethod] {
    var table: [String: WebMethod] = [:]
    for service in pool.services {
      for method in service.methods { table["/\(service.fullName)/\(method.name)"] = WebMethod(method) }
    }
    return table
  }
}
