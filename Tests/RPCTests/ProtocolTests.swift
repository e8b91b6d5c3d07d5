import Base
import ProtobufRuntime
import RPC
import Testing

/// What goes over the wire, and what a peer that breaks the protocol gets.
struct ProtocolTests {
  private let path = TestMethods.unary.path

  @Test func aPlainAnswerIsHeadMessageAndTrailers() async {
    let fixture = Fixture { $0.echo() }
    let call = RawExchange(fixture.transport, path: path)
    call.send([7])
    call.finish()
    await call.end()
    #expect(call.status == 200)
    #expect(call.head.first("content-type") == "application/grpc")
    #expect(call.body == [0, 0, 0, 0, 1, 7])
    #expect(call.trailers == ["grpc-status": "0"])
    #expect(call.closure == nil)
  }

  @Test(arguments: [
    "application/json", "application/grpc-web", "application/grpcx", "text/plain", "application/grpc+json",
  ])
  func aWrongContentTypeIs415WithABody(_ type: String) async {
    let fixture = Fixture { $0.echo() }
    let call = await RawExchange(fixture.transport, path: path, headers: ["content-type": type]).end()
    #expect(call.status == 415)
    #expect(call.head.first("content-type") == "text/plain; charset=utf-8")
    #expect(!call.body.isEmpty)
    #expect(call.trailers.isEmpty)
  }

  @Test func noContentTypeIs415() async {
    let fixture = Fixture { $0.echo() }
    #expect(await RawExchange(fixture.transport, path: path, headers: HeaderList()).end().status == 415)
  }

  @Test(arguments: ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
  func gRPCContentTypesAreAccepted(_ type: String) async {
    let fixture = Fixture { $0.echo() }
    let call = RawExchange(fixture.transport, path: path, headers: ["content-type": type])
    call.send([])
    call.finish()
    #expect(await call.end().grpcStatus == "0")
  }

  @Test(arguments: ["GET", "PUT", "OPTIONS", "HEAD"])
  func anotherMethodIs405(_ method: String) async {
    let fixture = Fixture { $0.echo() }
    let call = await RawExchange(fixture.transport, path: path, method: method).end()
    #expect(call.status == 405)
    #expect(call.head.first("allow") == "POST")
    #expect(call.body.isEmpty == (method == "HEAD"))
  }

  @Test(arguments: [
    ("/test.Service/Nothing", "unknown method Nothing of service test.Service"),
    ("/test.Nothing/Unary", "unknown service test.Nothing"),
    ("test.Service", "malformed method path"), ("/", "malformed method path"), ("", "malformed method path"),
    ("/a/b/c", "malformed method path"),
  ])
  func anUnknownPathIsUnimplemented(_ path: String, _ message: String) async {
    let fixture = Fixture { $0.echo() }
    let call = await RawExchange(fixture.transport, path: path).end()
    #expect(call.status == 200)
    #expect(call.isTrailersOnly)
    #expect(call.grpcStatus == "12")
    #expect(call.grpcMessage == message)
  }

  @Test(arguments: ["1", "S", "1x", "123456789S", "-1S"])
  func aMalformedTimeoutIsRefused(_ timeout: String) async {
    let fixture = Fixture { $0.echo() }
    var headers = RawExchange.headers
    headers.append("grpc-timeout", timeout)
    #expect(await RawExchange(fixture.transport, path: path, headers: headers).end().grpcStatus == "3")
  }

  @Test(arguments: [["1x", "1S"], ["1S", "1x"], ["1S", "1S"]])
  func ofTwoTimeoutsNoneHolds(_ timeouts: [String]) async {
    let fixture = Fixture { $0.echo() }
    var headers = RawExchange.headers
    for timeout in timeouts { headers.append("grpc-timeout", timeout) }
    #expect(await RawExchange(fixture.transport, path: path, headers: headers).end().grpcStatus == "3")
  }

  @Test func anOversizedMessageIsResourceExhaustedAtItsPrefix() async {
    let fixture = Fixture(limits: RPCLimits(messageBytes: 100)) { $0.echo() }
    for path in [path, TestMethods.chat.path] {
      let call = RawExchange(fixture.transport, path: path)
      call.write([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3])
      #expect(await call.end().grpcStatus == "8")
      #expect(call.closure == nil)
    }
  }

  @Test func aCompressedMessageWithoutEncodingIsInternal() async {
    let fixture = Fixture { $0.echo() }
    for path in [path, TestMethods.chat.path] {
      let call = RawExchange(fixture.transport, path: path)
      call.send([1], flag: 1)
      call.finish()
      #expect(await call.end().grpcStatus == "13")
    }
  }

  @Test func anUnknownEncodingIsUnimplemented() async {
    let fixture = Fixture { $0.echo() }
    var headers = RawExchange.headers
    headers.append("grpc-encoding", "br")
    let call = RawExchange(fixture.transport, path: path, headers: headers)
    call.send([1], flag: 1)
    call.finish()
    #expect(await call.end().grpcStatus == "12")
  }

  @Test func aUnaryRequestNeedsExactlyOneMessage() async {
    let fixture = Fixture { $0.echo() }
    let none = RawExchange(fixture.transport, path: path)
    none.finish()
    #expect(await none.end().grpcStatus == "12")
    let two = RawExchange(fixture.transport, path: path)
    two.send([1])
    two.send([2])
    two.finish()
    #expect(await two.end().grpcStatus == "12")
    let together = RawExchange(fixture.transport, path: path)
    together.write(EncodedMessage(RawMessage([1])).bytes + EncodedMessage(RawMessage([2])).bytes)
    together.finish()
    #expect(await together.end().grpcStatus == "12")
  }

  @Test func aBodyThatEndsWithinAMessageIsInternal() async {
    let fixture = Fixture { $0.echo() }
    for path in [path, TestMethods.chat.path] {
      let call = RawExchange(fixture.transport, path: path)
      call.write([0, 0, 0, 0, 9, 1])
      call.finish()
      #expect(await call.end().grpcStatus == "13")
    }
  }

  @Test func aMessageMayComeInPieces() async {
    let fixture = Fixture { $0.echo() }
    let call = RawExchange(fixture.transport, path: path)
    for byte in EncodedMessage(RawMessage([1, 2])).bytes { call.write([byte]) }
    call.finish()
    await call.end()
    #expect(call.grpcStatus == "0")
    #expect(call.body == [0, 0, 0, 0, 2, 1, 2])
  }

  @Test func drainingRefusesNewCallsAndLetsOthersEnd() async throws {
    let fixture = Fixture { $0.echo() }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    try await call.requests.write(RawMessage([1]))
    #expect(try await call.responses.next()?.bytes == [1])
    fixture.server.beginDraining()
    let error = await rpcError {
      try await fixture.channel().unary(TestMethods.unary, RawMessage(), as: RawMessage.self)
    }
    #expect(error?.code == .unavailable)
    try await call.requests.write(RawMessage([2]))
    #expect(try await call.responses.next()?.bytes == [2])
    call.requests.finish()
    #expect(try await call.responses.next() == nil)
  }

  @Test func aTransportThatIsShutDownRefuses() async {
    let fixture = Fixture { $0.echo() }
    await fixture.transport.shutdown()
    let error = await rpcError {
      try await fixture.channel().unary(TestMethods.unary, RawMessage(), as: RawMessage.self)
    }
    #expect(error?.code == .unavailable)
  }
}
