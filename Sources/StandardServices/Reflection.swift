public import ProtobufRuntime
public import RPC
public import StandardServicesAPI

/// `grpc.reflection.v1.ServerReflection`, and v1alpha, whose messages are the same on the wire: lets tools ask what the
/// server can do.
public struct Reflection: ServerReflection {
  private let index: ReflectionIndex

  /// - Parameters:
  ///   - pool: the descriptors of all services, with what they import.
  ///   - services: the full names of the services that the server answers.
  public init(_ pool: DescriptorPool, services: [String]) {
    index = ReflectionIndex(pool, services: services)
  }

  /// Adds both versions of reflection to `registry`, for all services that are in it by then and reflection itself.
  /// - Parameter sets: `serializedFileDescriptorSet` of the generated modules, imports included.
  /// - Throws: if the sets are not complete or contradict each other.
  public static func register(
    in registry: inout ServiceRegistry, serializedFileDescriptorSets sets: [[UInt8]]
  ) throws(DescriptorError) {
    let pool = try DescriptorPool(
      serializedFileDescriptorSets: [StandardServicesAPIDescriptors.serializedFileDescriptorSet] + sets)
    register(in: &registry, pool: pool)
  }

  /// Adds both versions of reflection to `registry`, for all services that are in it by then and reflection itself.
  /// - Parameter pool: the descriptors of all of these, and what they import.
  public static func register(in registry: inout ServiceRegistry, pool: DescriptorPool) {
    let own = [ServerReflectionMethods.service, V1AlphaServerReflectionMethods.service]
    let reflection = Reflection(pool, services: registry.serviceNames + own)
    reflection.register(in: &registry)
    registry.bidirectional(V1AlphaServerReflectionMethods.serverReflectionInfo) { requests, responses, context in
      try await reflection.serverReflectionInfo(requests, responses: responses, context: context)
    }
  }

  public func serverReflectionInfo(
    _ requests: RequestReader<ServerReflectionRequest>, responses: ResponseWriter<ServerReflectionResponse>,
    context: ServerContext
  ) async throws {
    while let request = try await requests.next() {
      var response = ServerReflectionResponse()
      response.validHost = request.host
      response.originalRequest = request
      response.messageResponse = answer(request)
      try await responses.write(response)
    }
  }

  private func answer(_ request: ServerReflectionRequest) -> ServerReflectionResponse.MessageResponse {
    switch request.messageRequest {
    case .fileByFilename(let name): files(index.files(named: name), or: "no file \(name)")
    case .fileContainingSymbol(let symbol): files(index.files(definingSymbol: symbol), or: "no symbol \(symbol)")
    case .fileContainingExtension(let wanted):
      files(
        index.files(extending: wanted.containingType, number: wanted.extensionNumber),
        or: "no extension \(wanted.extensionNumber) of \(wanted.containingType)")
    case .allExtensionNumbersOfType(let type): extensionNumbers(of: type)
    case .listServices: services()
    case nil: error(.invalidArgument, "the request asks for nothing")
    }
  }

  private func files(_ found: [[UInt8]]?, or message: String) -> ServerReflectionResponse.MessageResponse {
    guard let found else { return error(.notFound, message) }
    var response = FileDescriptorResponse()
    response.fileDescriptorProto = found
    return .fileDescriptorResponse(response)
  }

  private func extensionNumbers(of type: String) -> ServerReflectionResponse.MessageResponse {
    guard let numbers = index.extensionNumbers(of: type) else { return error(.notFound, "no message \(type)") }
    var response = ExtensionNumberResponse()
    response.baseTypeName = type
    response.extensionNumber = numbers
    return .allExtensionNumbersResponse(response)
  }

  private func services() -> ServerReflectionResponse.MessageResponse {
    var response = ListServiceResponse()
    response.service = index.serviceNames.map { name in
      var service = ServiceResponse()
      service.name = name
      return service
    }
    return .listServicesResponse(response)
  }

  private func error(_ code: StatusCode, _ message: String) -> ServerReflectionResponse.MessageResponse {
    var response = ErrorResponse()
    response.errorCode = Int32(code.rawValue)
    response.errorMessage = message
    return .errorResponse(response)
  }
}
