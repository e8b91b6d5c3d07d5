import Base
import InteropAPI
import ProtobufRuntime
import RPC
import Testing

@testable import WebProtocols

/// Streams in Connect.
struct ConnectStreamTests {
  private let json = "application/connect+json"
  private let proto = "application/connect+proto"

  private func frame(_ text: String, flags: UInt8 = 0) -> [UInt8] {
    Frame(flags: flags, payload: Array(text.utf8)).bytes
  }

  @Test func aServerStreamInJSON() async throws {
    let call = await (try WebFixture()).post(
      "StreamingOutputCall", json, frame(#"{"responseParameters":[{"size":1},{"size":2}]}"#))
    #expect(call.status == 200)
    #expect(call.head.first("content-type") == json)
    #expect(call.head.first("x-initial") == "stream")
    #expect(
      Frame.all(call.body).map { "\($0.flags) \($0.text)" } == [
        #"0 {"payload":{"body":"AQ=="}}"#, #"0 {"payload":{"body":"AQE="}}"#, #"2 {"metadata":{"x-trailing":["end"]}}"#,
      ])
  }

  @Test func aServerStreamInProtobuf() async throws {
    var request = StreamingOutputCallRequest()
    var parameters = ResponseParameters()
    parameters.size = 3
    request.responseParameters = [parameters]
    let call = await (try WebFixture()).post(
      "StreamingOutputCall", proto, Frame(flags: 0, payload: request.encoded()).bytes)
    #expect(call.head.first("content-type") == proto)
    let frames = Frame.all(call.body)
    #expect(frames.map(\.flags) == [0, 2])
    #expect(try StreamingOutputCallResponse(decoding: frames[0].payload).payload?.body == [1, 1, 1])
    #expect(frames[1].text == #"{"metadata":{"x-trailing":["end"]}}"#)
  }

  @Test func anErrorComesLast() async throws {
    let call = await (try WebFixture()).post(
      "StreamingOutputCall", json,
      frame(#"{"responseParameters":[{"size":1}],"responseStatus":{"code":9,"message":"late"}}"#))
    #expect(call.status == 200)
    let frames = Frame.all(call.body)
    #expect(frames.count == 2)
    #expect(frames[1].flags == 2)
    #expect(frames[1].text.hasPrefix(#"{"error":{"code":"failed_precondition","message":"late","details":["#))
    #expect(
      frames[1].text.hasSuffix(
        #"],"metadata":{"x-trailing":["end"]}}"#.replacing("],\"metadata", with: "]},\"metadata")))
  }

  @Test func aClientStream() async throws {
    let body = frame(#"{"payload":{"body":"AQID"}}"#) + frame("{}") + frame(#"{"payload":{"body":"AQ=="}}"#)
    let fixture = try WebFixture()
    let call = await fixture.post("StreamingInputCall", json, body)
    #expect(Frame.all(call.body).map(\.text) == [#"{"aggregatedPayloadSize":4}"#, "{}"])
    // However it is cut.
    let slow = fixture.open("StreamingInputCall", json)
    for octet in body { slow.write([octet]) }
    slow.finish()
    await slow.end()
    #expect(slow.body == call.body)
  }

  @Test func bothSidesTakeTurns() async throws {
    let call = (try WebFixture()).open("FullDuplexCall", json)
    var seen = 0
    for turn in 1...3 {
      call.write(frame(#"{"payload":{"body":"\#(Base64.standard.encode([UInt8(turn)], padded: true))"}}"#))
      let answer = #"{"payload":{"body":"\#(Base64.standard.encode([UInt8(turn)], padded: true))"}}"#
      seen += answer.utf8.count + 5
      #expect(Frame.all(await call.body(of: seen)).last?.text == answer)
    }
    call.finish()
    await call.end()
    #expect(Frame.all(call.body).last == Frame(flags: 2, payload: Array("{}".utf8)))
  }

  @Test func manyLargeMessagesPassTheWindow() async throws {
    let text = #"{"payload":{"body":"\#(String(repeating: "A", count: 40_000))"}}"#
    let call = (try WebFixture()).open("StreamingInputCall", json)
    for _ in 0..<30 { call.write(frame(text)) }
    call.finish()
    await call.end()
    #expect(Frame.all(call.body).first?.text == #"{"aggregatedPayloadSize":900000}"#)
  }

  @Test(
    arguments: [
      ("application/connect+json", [0, 0, 0, 0, 1] + Array("[".utf8), "invalid_argument"),
      ("application/connect+json", [0, 0, 0, 0, 9, 0x7b], "internal"), ("application/connect+json", [0], "internal"),
      ("application/connect+json", [2, 0, 0, 0, 2, 0x7b, 0x7d], "internal"),
      ("application/connect+json", [0xff, 0, 0, 0, 0], "internal"),
      ("application/connect+json", [0, 0xff, 0xff, 0xff, 0xff], "resource_exhausted"),
      ("application/connect+json", [1, 0, 0, 0, 2, 0x7b, 0x7d], "internal"),
      ("application/connect+proto", [2, 0, 0, 0, 0], "internal"), ("application/connect+proto", [0, 0], "internal"),
      ("application/connect+proto", [0, 0, 0, 0, 1, 0xff], "invalid_argument"),
      ("application/connect+proto", [0, 0xff, 0xff, 0xff, 0xff], "resource_exhausted"),
      ("application/connect+proto", [1, 0, 0, 0, 0], "internal"),
    ] as [(String, [UInt8], String)])
  func hostileFramesEndTheCall(_ type: String, _ body: [UInt8], _ code: String) async throws {
    let fixture = try WebFixture()
    for method in ["StreamingInputCall", "FullDuplexCall", "StreamingOutputCall"] {
      let call = await fixture.post(method, type, body)
      #expect(call.status == 200)
      let last = try #require(Frame.all(call.body).last)
      #expect(last.flags == 2)
      #expect(last.text.hasPrefix(#"{"error":{"code":"\#(code)""#), "\(method): \(last.text)")
    }
  }

  @Test func headsThatAreWrongEndTheCall() async throws {
    let fixture = try WebFixture()
    for headers: HeaderList in [
      ["connect-timeout-ms": "soon"], ["connect-protocol-version": "3"], ["connect-content-encoding": "zstd"],
    ] {
      for type in [json, proto] {
        let call = await fixture.post("FullDuplexCall", type, frame("{}"), headers)
        #expect(call.status == 200)
        #expect(call.head.first("content-type") == type)
        #expect(Frame.all(call.body).first?.text.hasPrefix(#"{"error":{"code":"#) == true)
      }
    }
    #expect(Frame.all(await fixture.post("Nothing", json, []).body).first?.text.contains("unimplemented") == true)
  }

  @Test(arguments: ["application/connect+json", "application/connect+proto"])
  func gzipBothWays(_ type: String) async throws {
    var message = StreamingOutputCallRequest()
    var parameters = ResponseParameters()
    parameters.size = 2000
    parameters.compressed = BoolValue()
    parameters.compressed?.value = true
    message.responseParameters = [parameters, parameters]
    let text =
      #"{"responseParameters":[{"size":2000,"compressed":{"value":true}},{"size":2000}]}                      "#
    let body = type.hasSuffix("json") ? Array(text.utf8) : message.encoded() + message.encoded()
    let compressed = Frame(flags: 1, payload: try #require(gzip(body))).bytes
    let call = await (try WebFixture()).post(
      "StreamingOutputCall", type, compressed,
      ["connect-content-encoding": "gzip", "connect-accept-encoding": "gzip"])
    #expect(call.head.first("connect-content-encoding") == "gzip")
    let frames = Frame.all(call.body)
    #expect(frames.count >= 3)
    for frame in frames.dropLast() {
      #expect(frame.flags == 1)
      #expect(try gunzip(frame.payload).count > 2000)
    }
    #expect(frames.last?.flags == 2)
  }
}
