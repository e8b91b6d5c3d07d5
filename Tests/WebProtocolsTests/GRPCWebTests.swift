import Base
import InteropAPI
import ProtobufRuntime
import RPC
import Testing

@testable import WebProtocols

struct GRPCWebTests {
  private let binary = "application/grpc-web+proto"
  private let text = "application/grpc-web-text"

  private func frame(_ body: [UInt8]) -> [UInt8] {
    var request = SimpleRequest()
    request.payload = Payload()
    request.payload?.body = body
    return Frame(flags: 0, payload: request.encoded()).bytes
  }

  private func encoded(_ bytes: [UInt8]) -> [UInt8] { Array(Base64.standard.encode(bytes, padded: true).utf8) }

  /// The frames of an answer in text mode: base 64 of each piece with its padding.
  private func decoded(_ body: [UInt8]) throws -> [Frame] {
    var decoder = Base64Body()
    let bytes = try decoder.take(body.span)
    return Frame.all(bytes + (try decoder.end()))
  }

  @Test func binary() async throws {
    let call = await (try WebFixture()).post(
      "UnaryCall", "application/grpc-web", frame([1, 2]), ["x-echo": "web", "grpc-timeout": "1H", "x-grpc-web": "1"])
    #expect(call.status == 200)
    #expect(call.head.first("content-type") == binary)
    #expect(call.head.first("x-initial") == "web")
    let frames = Frame.all(call.body)
    #expect(frames.map(\.flags) == [0, 0x80])
    let response = try SimpleResponse(decoding: frames[0].payload)
    #expect(response.payload?.body == [1, 2])
    #expect(response.hostname == "bounded")
    #expect(frames[1].text == "grpc-status: 0\r\nx-trailing-bin: AQID\r\n")
  }

  @Test func text() async throws {
    let body = encoded(frame([1, 2]))
    let call = await (try WebFixture()).post("UnaryCall", text, body)
    #expect(call.head.first("content-type") == "application/grpc-web-text+proto")
    let frames = try decoded(call.body)
    #expect(frames.map(\.flags) == [0, 0x80])
    #expect(try SimpleResponse(decoding: frames[0].payload).payload?.body == [1, 2])
    #expect(frames[1].text.hasPrefix("grpc-status: 0\r\n"))
  }

  @Test func theClientMayWantTheOtherModeBack() async throws {
    let fixture = try WebFixture()
    let toText = await fixture.post("UnaryCall", binary, frame([3]), ["accept": "application/grpc-web-text"])
    #expect(try decoded(toText.body).count == 2)
    let toBinary = await fixture.post("UnaryCall", text, encoded(frame([3])), ["accept": "application/grpc-web+proto"])
    #expect(Frame.all(toBinary.body).map(\.flags) == [0, 0x80])
    let any = await fixture.post("UnaryCall", text, encoded(frame([3])), ["accept": "*/*"])
    #expect(try decoded(any.body).count == 2)
  }

  @Test(arguments: ["application/grpc-web", "application/grpc-web-text"])
  func aServerStream(_ type: String) async throws {
    var request = StreamingOutputCallRequest()
    request.responseParameters = ([1, 20_000, 3] as [Int32]).map { size in
      var parameters = ResponseParameters()
      parameters.size = size
      return parameters
    }
    request.responseStatus = EchoStatus()
    request.responseStatus?.code = 5
    request.responseStatus?.message = "gone: 100 %"
    let body = Frame(flags: 0, payload: request.encoded()).bytes
    let isText = type.hasSuffix("text")
    let call = await (try WebFixture()).post("StreamingOutputCall", type, isText ? encoded(body) : body)
    let frames = isText ? try decoded(call.body) : Frame.all(call.body)
    #expect(frames.map(\.flags) == [0, 0, 0, 0x80])
    #expect(try StreamingOutputCallResponse(decoding: frames[1].payload).payload?.body.count == 20_000)
    #expect(frames[3].text.hasPrefix("grpc-status: 5\r\ngrpc-message: gone: 100 %25\r\ngrpc-status-details-bin: "))
    #expect(frames[3].text.hasSuffix("\r\nx-trailing: end\r\n"))
  }

  @Test func anErrorWithoutMessagesIsAFrameToo() async throws {
    let call = await (try WebFixture()).post("UnimplementedCall", binary, Frame(flags: 0, payload: []).bytes)
    #expect(call.status == 200)
    #expect(call.head.first("grpc-status") == nil)
    #expect(Frame.all(call.body).map(\.text) == ["grpc-status: 12\r\ngrpc-message: not here\r\n"])
    let unknown = await (try WebFixture()).post("Nothing", text, [])
    #expect(try decoded(unknown.body).first?.text.hasPrefix("grpc-status: 12\r\n") == true)
  }

  @Test(arguments: ["A", "!!!!", "AAAA=", "AAAAAA"])
  func badBase64IsInvalid(_ body: String) async throws {
    let call = await (try WebFixture()).post("UnaryCall", text, Array(body.utf8))
    let frames = try decoded(call.body)
    #expect(frames.map(\.text) == ["grpc-status: 3\r\ngrpc-message: the body is not valid base 64\r\n"])
  }

  @Test func anOversizedMessageIsResourceExhausted() async throws {
    let fixture = try WebFixture(rpcLimits: RPCLimits(messageBytes: 100))
    let call = await fixture.post("UnaryCall", text, encoded([0, 0xff, 0xff, 0xff, 0xff, 0]))
    #expect(try decoded(call.body).first?.text.hasPrefix("grpc-status: 8\r\n") == true)
  }

  @Test(arguments: ["application/grpc-web", "application/grpc-web-text"])
  func aBodyLargerThanTheWindowComesThrough(_ type: String) async throws {
    let body = frame(Array(repeating: 9, count: 1 << 20))
    let isText = type.hasSuffix("text")
    let call = await (try WebFixture()).post("UnaryCall", type, isText ? encoded(body) : body)
    let frames = isText ? try decoded(call.body) : Frame.all(call.body)
    #expect(try SimpleResponse(decoding: frames[0].payload).payload?.body.count == 1 << 20)
  }

  @Test func aStreamOfRequestsInTextPassesTheWindow() async throws {
    var request = StreamingInputCallRequest()
    request.payload = Payload()
    request.payload?.body = Array(repeating: 4, count: 10_000)
    let body = encoded(Frame(flags: 0, payload: request.encoded()).bytes)
    let call = (try WebFixture()).open("StreamingInputCall", text)
    for _ in 0..<100 { call.write(body) }
    call.finish()
    await call.end()
    let frames = try decoded(call.body)
    #expect(try StreamingInputCallResponse(decoding: frames[0].payload).aggregatedPayloadSize == 1_000_000)
  }

  @Test func gzipPassesAsInGRPC() async throws {
    var request = SimpleRequest()
    request.responseSize = 3000
    request.responseCompressed = BoolValue()
    request.responseCompressed?.value = true
    let call = await (try WebFixture()).post(
      "UnaryCall", binary, Frame(flags: 0, payload: request.encoded()).bytes, ["grpc-accept-encoding": "gzip"])
    #expect(call.head.first("grpc-encoding") == "gzip")
    #expect(Frame.all(call.body)[0].flags == 1)
  }
}
