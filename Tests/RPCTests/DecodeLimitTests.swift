import Base
import ProtobufRuntime
import RPC
import Testing

/// What decoding a message may cost, at each place where one is decoded.
struct DecodeLimitTests {
  /// A message that says under which limits it was decoded.
  private struct LimitedMessage: Message {
    static var fullName: String { "test.Limited" }
    var text = ""

    init() {}
    init(decoding bytes: RawSpan, limits: DecodeLimits) throws(DecodeError) {
      guard limits.memory > 0 else { throw .overBudget }
      guard limits.elements > 0 else { throw .tooMany }
      text = "\(limits.depth), \(limits.memory)"
    }
    func encoded(headroom: Int) -> [UInt8] { Array(repeating: 0, count: headroom) + text.utf8 }
    func validate(into violations: inout Violations) {}
    var debugDescription: String { text }
  }

  private static let synchronous = MethodDescriptor(service: "test.Service", name: "AtOnce", kind: .unary)

  private func fixture(_ decoding: DecodeLimits) -> Fixture {
    Fixture(limits: RPCLimits(decoding: decoding)) {
      $0.unary(TestMethods.unary) { (request: LimitedMessage, _) in
        await Task.yield()
        return request
      }
      $0.unary(Self.synchronous) { (request: LimitedMessage, _) -> LimitedMessage in request }
      $0.serverStreaming(TestMethods.download) {
        (request: LimitedMessage, responses: ResponseWriter<LimitedMessage>, _) in
        try await responses.write(request)
      }
      $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<LimitedMessage>, _) in
        try await requests.next() ?? LimitedMessage()
      }
      $0.bidirectional(TestMethods.chat) {
        (requests: RequestReader<LimitedMessage>, responses: ResponseWriter<LimitedMessage>, _) in
        while let request = try await requests.next() { try await responses.write(request) }
      }
    }
  }

  @Test(
    arguments: [TestMethods.unary, synchronous, TestMethods.download, TestMethods.upload, TestMethods.chat])
  func `a request is decoded under the server's limits`(_ method: MethodDescriptor) async {
    func answer(_ memory: Int, elements: Int = 1) async -> RawExchange {
      let fixture = fixture(DecodeLimits(depth: 3, memory: memory, elements: elements))
      let call = RawExchange(fixture.transport, path: method.path, headers: RawExchange.headers)
      call.send([1])
      call.finish()
      return await call.end()
    }
    let whole = await answer(5)
    #expect(whole.grpcStatus == "0")
    #expect(String(decoding: whole.body.dropFirst(5), as: UTF8.self) == "3, 5")
    #expect(await answer(0).grpcStatus == "8")
    #expect(await answer(5, elements: 0).grpcStatus == "8")
  }

  @Test func `an answer is decoded under the channel's limits`() async throws {
    let fixture = Fixture { $0.echo() }
    func channel(_ memory: Int) -> RPCChannel {
      RPCChannel(
        transport: fixture.transport, authority: "test", decoding: DecodeLimits(depth: 7, memory: memory),
        clock: fixture.clock)
    }
    let answer: LimitedMessage = try await channel(9).unary(TestMethods.unary, RawMessage([1]))
    #expect(answer.text == "7, 9")
    let error = await rpcError {
      try await channel(0).unary(TestMethods.unary, RawMessage([1]), as: LimitedMessage.self)
    }
    #expect(error?.code == .resourceExhausted)
    let chat: BidirectionalCall<RawMessage, LimitedMessage> = channel(9).bidirectional(TestMethods.chat)
    try await chat.requests.write(RawMessage([1]))
    chat.requests.finish()
    #expect(try await chat.responses.next()?.text == "7, 9")
    #expect(try await chat.responses.next() == nil)
  }
}
