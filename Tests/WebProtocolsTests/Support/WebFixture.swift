import Base
import GoogleRPC
import InteropAPI
import ProtobufRuntime
import RPC
import WebProtocols
import WellKnownTypes

/// A server of grpc.testing behind the web protocols, and ways to call it by hand.
struct WebFixture {
  static let service = "/grpc.testing.TestService/"

  let transport: InProcessTransport

  init(
    cors: CORSPolicy? = nil, limits: WebLimits = WebLimits(), rpcLimits: RPCLimits = RPCLimits(),
    interceptors: [any ServerInterceptor] = [], executor: any CallExecutor = QueueExecutor(),
    _ change: (inout ServiceRegistry) -> Void = { _ in },
    wrapping wrap: (any RequestAcceptor) -> any RequestAcceptor = { $0 }
  ) throws {
    var registry = ServiceRegistry()
    Service().register(in: &registry)
    change(&registry)
    let pool = try DescriptorPool(serializedFileDescriptorSets: [
      WellKnownTypesDescriptors.serializedFileDescriptorSet, GoogleRPCDescriptors.serializedFileDescriptorSet,
      InteropAPIDescriptors.serializedFileDescriptorSet,
    ])
    let server = RPCServer(registry: registry, interceptors: interceptors, limits: rpcLimits)
    transport = InProcessTransport(
      acceptor: wrap(WebAcceptor(server, pool: pool, cors: cors, limits: limits)), executor: executor)
  }

  /// Begins a POST.
  func open(
    _ method: String, _ contentType: String, _ headers: HeaderList = [:], returnsWindow: Bool = true
  ) -> WebExchange {
    var all: HeaderList = ["content-type": contentType]
    for field in headers { all.append(headers.name(of: field), headers.value(of: field)) }
    return WebExchange(transport, "POST", Self.service + method, all, returnsWindow: returnsWindow)
  }

  /// A POST with a whole body.
  func post(
    _ method: String, _ contentType: String, _ body: [UInt8], _ headers: HeaderList = [:]
  ) async -> WebExchange {
    let call = open(method, contentType, headers)
    call.write(body)
    call.finish()
    return await call.end()
  }

  func json(_ method: String, _ body: String, _ headers: HeaderList = [:]) async -> WebExchange {
    await post(method, "application/json", Array(body.utf8), headers)
  }

  func request(_ method: String, _ path: String, _ headers: HeaderList = [:]) async -> WebExchange {
    let call = WebExchange(transport, method, path, headers)
    call.finish()
    return await call.end()
  }
}

/// Behaves as the interoperability tests ask, as far as the tests here need it.
private struct Service: TestService {
  func emptyCall(_ request: InteropAPI.Empty, context: ServerContext) async throws -> InteropAPI.Empty {
    InteropAPI.Empty()
  }

  func unaryCall(_ request: SimpleRequest, context: ServerContext) async throws -> SimpleResponse {
    try context.initialMetadata.add("x-initial", context.metadata["x-echo"] ?? "none")
    try context.trailingMetadata.add("x-trailing-bin", binary: [1, 2, 3])
    if request.responseCompressed?.value == true { context.responseCompression = .gzip }
    try Self.obey(request.responseStatus)
    var response = SimpleResponse()
    response.payload = Payload()
    response.payload?.body = request.payload?.body ?? Array(repeating: 7, count: Int(request.responseSize))
    response.username = context.metadata["authorization"] ?? ""
    response.hostname = context.deadline == nil ? "unbounded" : "bounded"
    return response
  }

  func cacheableUnaryCall(_ request: SimpleRequest, context: ServerContext) async throws -> SimpleResponse {
    try await unaryCall(request, context: context)
  }

  func streamingOutputCall(
    _ request: StreamingOutputCallRequest, responses: ResponseWriter<StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    try context.initialMetadata.add("x-initial", "stream")
    try context.trailingMetadata.add("x-trailing", "end")
    for parameters in request.responseParameters {
      if parameters.compressed?.value == true { context.responseCompression = .gzip }
      var response = StreamingOutputCallResponse()
      response.payload = Payload()
      response.payload?.body = Array(repeating: 1, count: Int(parameters.size))
      try await responses.write(response)
    }
    try Self.obey(request.responseStatus)
  }

  func streamingInputCall(
    _ requests: RequestReader<StreamingInputCallRequest>, context: ServerContext
  ) async throws -> StreamingInputCallResponse {
    var response = StreamingInputCallResponse()
    while let request = try await requests.next() {
      response.aggregatedPayloadSize += Int32(request.payload?.body.count ?? 0)
    }
    return response
  }

  func fullDuplexCall(
    _ requests: RequestReader<StreamingOutputCallRequest>, responses: ResponseWriter<StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    while let request = try await requests.next() {
      var response = StreamingOutputCallResponse()
      response.payload = request.payload
      try await responses.write(response)
    }
  }

  func halfDuplexCall(
    _ requests: RequestReader<StreamingOutputCallRequest>, responses: ResponseWriter<StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {}

  func unimplementedCall(_ request: InteropAPI.Empty, context: ServerContext) async throws -> InteropAPI.Empty {
    throw RPCError(.unimplemented, "not here")
  }

  private static func obey(_ status: EchoStatus?) throws {
    guard let status, let code = StatusCode(rawValue: Int(status.code)), code != .ok else { return }
    throw RPCError(code, reason: "ASKED_FOR", message: status.message)
  }
}
