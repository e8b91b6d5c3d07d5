import RPC
import Testing

@testable import HTTP2

/// The client's side of a session: what servers may not do, and what becomes of the streams.
@Suite struct ClientSessionTests {
  private typealias T = RawPeer.FrameType

  private static func head(_ status: String, _ fields: (String, String)..., endStream: Bool = false) -> [UInt8] {
    RawPeer.headers(
      1, ([(":status", status)] + fields).flatMap { RawPeer.literal($0.0, $0.1) }, endStream: endStream)
  }

  private static func run(_ octets: [UInt8]) throws -> SessionHarness {
    let harness = try SessionHarness(.client)
    _ = try harness.open()
    try harness.feed(octets)
    return harness
  }

  @Test func `a response arrives as head, body and trailers`() throws {
    let trailers = RawPeer.headers(1, RawPeer.literal("grpc-status", "0"), endStream: true)
    let harness = try Self.run(
      Self.head("103") + Self.head("200") + RawPeer.frame(T.data, 0, 1, [4, 2]) + trailers)
    #expect(harness.events == ["headers 1 103", "headers 1 200", "data 1 42", "headers 1 0 end"])
    #expect(harness.resets.isEmpty)
  }

  @Test(arguments: [
    ("no status", RawPeer.headers(1, RawPeer.literal("a", "b"))),
    ("a status of two digits", head("20")),
    ("a status that is no number", head("2x0")),
    ("a status below 100", head("099")),
    ("101, which HTTP/2 does not have", head("101")),
    ("a pseudo-header of requests", RawPeer.headers(1, RawPeer.literal(":path", "/"))),
    ("an interim response that ends the stream", head("100", endStream: true)),
    ("DATA before the head", RawPeer.frame(RawPeer.FrameType.data, 0, 1, [1])),
    ("trailers that do not end the stream", head("200") + RawPeer.headers(1, RawPeer.literal("a", "b"))),
    ("more than was declared", head("200", ("content-length", "1")) + RawPeer.frame(0, 0, 1, [1, 2])),
    ("less than was declared", head("200", ("content-length", "3"), endStream: true)),
    ("a field of HTTP/1", head("200", ("connection", "close"))),
    ("two statuses", head("200", (":status", "200"))),
    (
      "a pseudo-header behind a field",
      RawPeer.headers(1, RawPeer.literal("a", "b") + RawPeer.literal(":status", "200"))
    ),
    ("a name in upper case", head("200", ("A", "b"))),
    ("a line break in a value", head("200", ("a", "b\nc"))),
    (
      "a pseudo-header in trailers",
      head("200") + RawPeer.headers(1, RawPeer.literal(":status", "200"), endStream: true)
    ),
  ])
  func `a malformed response is an error of its stream`(name: String, octets: [UInt8]) throws {
    let harness = try Self.run(octets)
    #expect(harness.resets == [1: ResetCode.protocolError.rawValue])
    #expect(harness.goAway == nil)
    #expect(harness.events.last == "closed 1 1")
  }

  @Test(arguments: [
    ("a stream that was not opened", RawPeer.headers(3, RawPeer.literal(":status", "200"))),
    ("ENABLE_PUSH", RawPeer.frame(RawPeer.FrameType.settings, 0, 0, [0, 2, 0, 0, 0, 1])),
  ])
  func `what no server may send ends the connection`(name: String, octets: [UInt8]) throws {
    let harness = try Self.run(octets)
    #expect(harness.goAway == ResetCode.protocolError.rawValue)
  }

  @Test(arguments: ["204", "304"])
  func `an answer without content may name a length`(status: String) throws {
    let harness = try Self.run(Self.head(status, ("content-length", "12"), endStream: true))
    #expect(harness.events == ["headers 1 \(status) end"])
  }

  @Test func `GOAWAY refuses the streams above its last`() throws {
    let harness = try SessionHarness(.client)
    for _ in 0..<3 { _ = try harness.open() }
    try harness.feed(RawPeer.frame(T.goAway, 0, 0, [0, 0, 0, 3, 0, 0, 0, 0]))
    #expect(harness.events == ["goaway 3 0", "closed 5 7"])
    #expect(harness.streams.keys.sorted() == [1, 3])
  }

  @Test func `the ids of streams run out`() throws {
    let harness = try SessionHarness(.client)
    harness.session.nextStreamID = HTTP2Protocol.largestStreamID
    #expect(try harness.open().id == HTTP2Protocol.largestStreamID)
    let late = HTTP2Stream(connection: nil, id: 0)
    let head = RequestHead(method: "POST", path: "/", scheme: "http", authority: "x", headers: HeaderList())
    #expect(!harness.session.open(head, late))
  }

  @Test func `a reset of the server ends the stream with its code`() throws {
    let harness = try Self.run(RawPeer.frame(T.reset, 0, 1, [0, 0, 0, 7]))
    #expect(harness.events == ["closed 1 7"])
  }

  @Test func `a head beyond one frame goes out in several`() throws {
    let harness = try SessionHarness(.client)
    let stream = SessionHarness.Stream(id: 0) { _ in }
    var headers = HeaderList()
    // Not compressed much: each is different.
    for index in 0..<400 { headers.append("x-\(index)", String(repeating: "\(index)-", count: 20)) }
    let head = RequestHead(method: "POST", path: "/a/b", scheme: "http", authority: "x", headers: headers)
    #expect(harness.session.open(head, stream))
    try harness.takeOutput()
    #expect(harness.frames.count > 1)
    #expect(
      harness.frames.map(\.type) == [T.headers] + Array(repeating: T.continuation, count: harness.frames.count - 1))
    #expect(harness.frames.map { $0.flags & 4 } == Array(repeating: 0, count: harness.frames.count - 1) + [4])
    #expect(harness.frames.dropLast().allSatisfy { $0.payload.count == 16_384 })
    // A server with room for it reads the same.
    var limits = HTTP2Limits()
    limits.maxHeaderListSize = 1 << 20
    limits.maxHeaderFields = 1000
    let server = try SessionHarness(.server, limits: limits)
    try server.feed(harness.frames.flatMap { RawPeer.frame($0.type, $0.flags, $0.stream, $0.payload) })
    #expect(server.events == ["request 1 POST /a/b x"])
  }
}
