import InteropAPI
import RPC

/// Cases about how calls end, and about metadata.
extension InteropClient {
  private static let statusMessage = "test status message"
  private static let specialMessage = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"

  func cancelAfterBegin() async throws {
    let call = service.streamingInputCall()
    call.cancel()
    _ = try await expectFailure(.cancelled) { try await call.response() }
  }

  func cancelAfterFirstResponse() async throws {
    let call = service.fullDuplexCall()
    try await call.requests.write(Self.output([31_415], requestSize: 27_182))
    try check(try await call.responses.next(), 31_415)
    call.cancel()
    _ = try await expectFailure(.cancelled) { try await call.responses.next() }
  }

  func timeoutOnSleepingServer() async throws {
    let call = service.fullDuplexCall(options: CallOptions(timeout: .milliseconds(1)))
    _ = try await expectFailure(.deadlineExceeded) {
      // The deadline may pass while it is written.
      try await call.requests.write(Self.output([], requestSize: 27_182))
      return try await call.responses.next()
    }
  }

  func statusCodeAndMessage() async throws {
    var request = SimpleRequest()
    request.responseStatus = Self.status(Self.statusMessage)
    let unary = try await expectFailure(.unknown) { try await service.unaryCall(request) }
    try expect(unary.message, Self.statusMessage, "the message of the unary call")
    let call = service.fullDuplexCall()
    var message = StreamingOutputCallRequest()
    message.responseStatus = Self.status(Self.statusMessage)
    try await call.requests.write(message)
    call.requests.finish()
    let streamed = try await expectFailure(.unknown) { try await call.responses.next() }
    try expect(streamed.message, Self.statusMessage, "the message of the stream")
  }

  func specialStatusMessage() async throws {
    var request = SimpleRequest()
    request.responseStatus = Self.status(Self.specialMessage)
    let error = try await expectFailure(.unknown) { try await service.unaryCall(request) }
    try expect(error.message, Self.specialMessage, "the message")
  }

  func unimplementedMethod() async throws {
    _ = try await expectFailure(.unimplemented) { try await service.unimplementedCall(Empty()) }
  }

  func unimplementedService() async throws {
    _ = try await expectFailure(.unimplemented) {
      try await UnimplementedServiceClient(channel).unimplementedCall(Empty())
    }
  }

  func customMetadata() async throws {
    var options = CallOptions()
    try options.metadata.add(EchoedMetadata.initial, "test_initial_metadata_value")
    try options.metadata.add(EchoedMetadata.trailing, binary: [0xab, 0xab, 0xab])
    let unary = channel.unaryCall(
      TestServiceMethods.unaryCall, Self.request(), as: SimpleResponse.self, options: options)
    try check(try await unary.response(), Self.largeResponse)
    try check(try await unary.initialMetadata, try await unary.trailingMetadata)
    let stream = service.fullDuplexCall(options: options)
    try await stream.requests.write(Self.output([Self.largeResponse], requestSize: Self.largeRequest))
    stream.requests.finish()
    try check(try await stream.responses.next(), Self.largeResponse)
    try expect(try await stream.responses.next(), nil, "what follows the last message")
    try check(try await stream.initialMetadata, try await stream.trailingMetadata)
  }

  private func check(_ initial: Metadata, _ trailing: Metadata) throws {
    try expect(initial[EchoedMetadata.initial], "test_initial_metadata_value", EchoedMetadata.initial)
    try expect(try trailing.binary(EchoedMetadata.trailing), [[0xab, 0xab, 0xab]], EchoedMetadata.trailing)
  }

  private static func status(_ message: String) -> EchoStatus {
    var status = EchoStatus()
    status.code = Int32(StatusCode.unknown.rawValue)
    status.message = message
    return status
  }
}
