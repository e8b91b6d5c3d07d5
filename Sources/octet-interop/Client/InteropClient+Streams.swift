import InteropAPI
import RPC

extension InteropClient {
  func clientStreaming() async throws {
    let call = service.streamingInputCall()
    for size in [27_182, 8, 1828, 45_904] { try await call.requests.write(Self.input(size)) }
    call.requests.finish()
    try expect(try await call.response().aggregatedPayloadSize, 74_922, "the sum of the sizes")
  }

  func serverStreaming() async throws {
    let sizes = [31_415, 9, 2653, 58_979]
    let call = service.streamingOutputCall(Self.output(sizes))
    for size in sizes { try check(try await call.responses.next(), size) }
    try expect(try await call.responses.next(), nil, "what follows the last message")
  }

  func pingPong() async throws {
    let call = service.fullDuplexCall()
    for (sent, wanted) in [(27_182, 31_415), (8, 9), (1828, 2653), (45_904, 58_979)] {
      try await call.requests.write(Self.output([wanted], requestSize: sent))
      try check(try await call.responses.next(), wanted)
    }
    call.requests.finish()
    try expect(try await call.responses.next(), nil, "what follows the last message")
  }

  func emptyStream() async throws {
    let call = service.fullDuplexCall()
    call.requests.finish()
    try expect(try await call.responses.next(), nil, "what follows no request")
  }

  func clientCompressedStreaming() async throws {
    // A server that cannot see whether a message is compressed is found out first.
    let probe = service.streamingInputCall()
    _ = try await expectFailure(.invalidArgument) {
      // The server may have refused the message already when the stream ends.
      try await probe.requests.write(Self.input(27_182, expectingCompressed: true))
      probe.requests.finish()
      return try await probe.response()
    }
    let call = service.streamingInputCall(options: CallOptions(compression: .gzip))
    try await call.requests.write(Self.input(27_182, expectingCompressed: true))
    try await call.requests.write(Self.input(45_904, expectingCompressed: false), compress: false)
    call.requests.finish()
    try expect(try await call.response().aggregatedPayloadSize, 73_086, "the sum of the sizes")
  }

  func serverCompressedStreaming() async throws {
    let wanted = [(31_415, true), (92_653, false)]
    let call = service.streamingOutputCall(Self.output(wanted.map(\.0), compressed: wanted.map(\.1)))
    for (size, compressed) in wanted {
      try check(try await call.responses.next(), size)
      try expect(call.responses.wasCompressed, compressed, "whether the message of \(size) bytes is compressed")
    }
    try expect(try await call.responses.next(), nil, "what follows the last message")
  }

  static func input(_ size: Int, expectingCompressed: Bool? = nil) -> StreamingInputCallRequest {
    var request = StreamingInputCallRequest()
    request.payload = Payload(zeros: size)
    request.expectCompressed = expectingCompressed.map(BoolValue.init)
    return request
  }

  /// - Parameter compressed: empty to leave it to the server.
  static func output(
    _ sizes: [Int], compressed: [Bool] = [], requestSize: Int = 0
  ) -> StreamingOutputCallRequest {
    var request = StreamingOutputCallRequest()
    request.responseParameters = sizes.enumerated().map { index, size in
      var parameters = ResponseParameters()
      parameters.size = Int32(size)
      if compressed.indices.contains(index) { parameters.compressed = BoolValue(compressed[index]) }
      return parameters
    }
    if requestSize > 0 { request.payload = Payload(zeros: requestSize) }
    return request
  }

  func check(_ response: StreamingOutputCallResponse?, _ size: Int) throws(CaseFailure) {
    guard let response else { throw CaseFailure("the stream ends before the message of \(size) bytes") }
    try expect(response.payload?.body.count, size, "the size of the payload")
  }
}
