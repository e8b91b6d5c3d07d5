import InteropAPI
import RPC

/// `grpc.testing.TestService` as gRPC's interop-test-descriptions.md describes it.
struct InteropService: TestService {
  /// The greatest payload that a request can ask for; the tests ask for less than a MiB.
  private static let largestPayload: Int32 = 64 << 20

  /// Tells this server from others.
  let serverID: String

  func emptyCall(_ request: Empty, context: ServerContext) async throws -> Empty {
    try echoMetadata(context)
    return Empty()
  }

  func unaryCall(_ request: SimpleRequest, context: ServerContext) async throws -> SimpleResponse {
    try echoMetadata(context)
    try require(request.expectCompressed, context)
    context.responseCompression = request.responseCompressed?.value == true ? .gzip : .identity
    try obey(request.responseStatus)
    var response = SimpleResponse()
    if request.responseSize != 0 { response.payload = try payload(request.responseSize, request.responseType) }
    if request.fillServerID { response.serverID = serverID }
    return response
  }

  func cacheableUnaryCall(_ request: SimpleRequest, context: ServerContext) async throws -> SimpleResponse {
    try context.initialMetadata.add("cache-control", "max-age=60, public")
    return try await unaryCall(request, context: context)
  }

  func streamingOutputCall(
    _ request: StreamingOutputCallRequest, responses: ResponseWriter<StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    try echoMetadata(context)
    context.responseCompression = .gzip
    try await answer(request, responses)
  }

  func streamingInputCall(
    _ requests: RequestReader<StreamingInputCallRequest>, context: ServerContext
  ) async throws -> StreamingInputCallResponse {
    try echoMetadata(context)
    var total = 0
    while let request = try await requests.next() {
      try require(request.expectCompressed, context)
      total += request.payload?.body.count ?? 0
    }
    var response = StreamingInputCallResponse()
    response.aggregatedPayloadSize = Int32(clamping: total)
    return response
  }

  func fullDuplexCall(
    _ requests: RequestReader<StreamingOutputCallRequest>, responses: ResponseWriter<StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    try echoMetadata(context)
    context.responseCompression = .gzip
    while let request = try await requests.next() { try await answer(request, responses) }
  }

  func halfDuplexCall(
    _ requests: RequestReader<StreamingOutputCallRequest>, responses: ResponseWriter<StreamingOutputCallResponse>,
    context: ServerContext
  ) async throws {
    try echoMetadata(context)
    var received: [StreamingOutputCallRequest] = []
    while let request = try await requests.next() { received.append(request) }
    for request in received { try await answer(request, responses) }
  }

  func unimplementedCall(_ request: Empty, context: ServerContext) async throws -> Empty {
    throw RPCError(.unimplemented, "this method is here to be unimplemented")
  }

  private func answer(
    _ request: StreamingOutputCallRequest, _ responses: ResponseWriter<StreamingOutputCallResponse>
  ) async throws {
    try obey(request.responseStatus)
    for parameters in request.responseParameters {
      if parameters.intervalUs > 0 { try await Task.sleep(for: .microseconds(Int64(parameters.intervalUs))) }
      var response = StreamingOutputCallResponse()
      response.payload = try payload(parameters.size, request.responseType)
      try await responses.write(response, compress: parameters.compressed?.value == true)
    }
  }

  private func payload(_ size: Int32, _ type: PayloadType) throws -> Payload {
    guard (0...Self.largestPayload).contains(size) else {
      throw RPCError(.invalidArgument, "a payload of \(size) bytes cannot be sent")
    }
    var payload = Payload()
    payload.type = type
    payload.body = Array(repeating: 0, count: Int(size))
    return payload
  }

  /// Fails the call if the request says so.
  private func obey(_ status: EchoStatus?) throws {
    guard let status, status.code != 0 else { return }
    throw RPCError(StatusCode(rawValue: Int(status.code)) ?? .unknown, status.message)
  }

  /// Checks that the message that was read last came compressed, or did not, if the client says so.
  private func require(_ expected: BoolValue?, _ context: ServerContext) throws {
    guard let expected, expected.value != context.isRequestCompressed else { return }
    throw RPCError(.invalidArgument, "the message is \(expected.value ? "not " : "")compressed")
  }

  /// The two pieces of metadata that the tests want back.
  private func echoMetadata(_ context: ServerContext) throws {
    if let initial = context.metadata[EchoedMetadata.initial] {
      try context.initialMetadata.add(EchoedMetadata.initial, initial)
    }
    for value in try context.metadata.binary(EchoedMetadata.trailing) {
      try context.trailingMetadata.add(EchoedMetadata.trailing, binary: value)
    }
  }
}
