import InteropAPI
import RPC

/// Cases of our own: what gRPC's documents ask for and the public cases leave out. The server is to accept messages of
/// up to 4 MiB, as all gRPC libraries do by default, and to send longer ones.
extension InteropClient {
  private static let oversized = 5 << 20

  /// A request that is too long for the server, in every kind of call.
  func oversizedRequest() async throws {
    try await expectExhausted("unary") {
      try await service.unaryCall(Self.request(Self.oversized, 1))
    }
    try await expectExhausted("server streaming") {
      try await service.streamingOutputCall(Self.output([1], requestSize: Self.oversized)).responses.next()
    }
    try await expectExhausted("client streaming") {
      let call = service.streamingInputCall()
      try await call.requests.write(Self.input(Self.oversized))
      call.requests.finish()
      return try await call.response()
    }
    try await expectExhausted("bidirectional") {
      let call = service.fullDuplexCall()
      try await call.requests.write(Self.output([1], requestSize: Self.oversized))
      return try await call.responses.next()
    }
    try await largeUnary()
  }

  /// An answer that is too long for this side, in every kind of call that can have one.
  func oversizedResponse() async throws {
    try await expectExhausted("unary") {
      try await service.unaryCall(Self.request(1, Self.oversized))
    }
    try await expectExhausted("server streaming") {
      let call = service.streamingOutputCall(Self.output([10, Self.oversized, 10]))
      try check(try await call.responses.next(), 10)
      return try await call.responses.next()
    }
    try await expectExhausted("client streaming") {
      // Its answer is a number: the bound is what gives.
      let call = service.streamingInputCall(options: CallOptions(messageBytes: 1))
      try await call.requests.write(Self.input(10))
      call.requests.finish()
      return try await call.response()
    }
    try await expectExhausted("bidirectional") {
      let call = service.fullDuplexCall()
      try await call.requests.write(Self.output([Self.oversized]))
      return try await call.responses.next()
    }
    try await largeUnary()
  }

  /// All codes but OK, with a message that needs encoding.
  func everyStatus() async throws {
    for code in StatusCode.allCases where code != .ok {
      let message = "\(code) 100 % – 😈\r\n"
      var request = SimpleRequest()
      request.responseStatus = EchoStatus()
      request.responseStatus?.code = Int32(code.rawValue)
      request.responseStatus?.message = message
      let error = try await expectFailure(code) { try await service.unaryCall(request) }
      try expect(error.message, message, "the message of \(code)")
    }
  }

  private func expectExhausted<Result>(_ kind: String, _ body: () async throws -> Result) async throws {
    do {
      _ = try await expectFailure(.resourceExhausted, body)
    } catch {
      throw CaseFailure("\(kind): \(error)")
    }
  }
}
