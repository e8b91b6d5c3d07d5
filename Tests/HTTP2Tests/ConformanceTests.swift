import RPC
import Testing

@testable import HTTP2

/// The errors that RFC 9113 names, section by section: what a server must do when a client breaks a rule. Each case runs
/// with the octets in one piece and one by one.
@Suite struct ConformanceTests {
  private typealias T = RawPeer.FrameType

  /// What must come of a case.
  enum Outcome: Sendable {
    /// The connection ends with this code.
    case connection(ResetCode)
    /// Stream 1 ends with this code, and the connection goes on.
    case stream(ResetCode)
    /// Nothing at all happens.
    case ignored
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let rule: String
    let octets: [UInt8]
    let outcome: Outcome

    var testDescription: String { rule }

    init(_ rule: String, _ octets: [UInt8], _ outcome: Outcome) {
      self.rule = rule
      self.octets = octets
      self.outcome = outcome
    }
  }

  private static func setting(_ id: UInt8, _ value: UInt32) -> [UInt8] {
    RawPeer.frame(T.settings, 0, 0, [0, id] + (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) })
  }

  private static let open = RawPeer.headers(1)
  private static let whole = RawPeer.headers(1, endStream: true)
  private static let cancel: [UInt8] = [0, 0, 0, 8]
  private static let oneMore: [UInt8] = [0, 0, 0, 1]
  private static let most: [UInt8] = [0x7f, 0xff, 0xff, 0xff]

  /// Sections 4 and 5.
  static let framing: [Case] = [
    Case("§4.1 the reserved bit is ignored", RawPeer.frame(T.ping, 0, 0x8000_0000, Array(1...8)), .ignored),
    Case("§4.1 unknown flags are ignored", RawPeer.frame(T.ping, 0xfe, 0, Array(1...8)), .ignored),
    Case("§4.1 unknown types are ignored", RawPeer.frame(0xfa, 0xff, 7, [1, 2]), .ignored),
    Case(
      "§4.2 HEADERS are too long", RawPeer.frame(T.headers, 4, 1, [UInt8](repeating: 0, count: 16_385)),
      .connection(.frameSizeError)),
    Case(
      "§4.2 an unknown frame is too long", RawPeer.frame(0xfa, 0, 0, [UInt8](repeating: 0, count: 16_385)),
      .connection(.frameSizeError)),
    Case("§4.3 index 0", RawPeer.headers(1, [0x80]), .connection(.compressionError)),
    Case("§4.3 an index beyond the tables", RawPeer.headers(1, [0xff, 0x30]), .connection(.compressionError)),
    Case("§4.3 a cut-off literal", RawPeer.headers(1, [0, 5, 65]), .connection(.compressionError)),
    Case(
      "§4.3 a table larger than was allowed", RawPeer.headers(1, [0x3f, 0xe2, 0x7f]), .connection(.compressionError)),
    Case("§5.1 idle: DATA", RawPeer.frame(T.data, 0, 1, [1]), .connection(.protocolError)),
    Case("§5.1 idle: RST_STREAM", RawPeer.frame(T.reset, 0, 1, cancel), .connection(.protocolError)),
    Case("§5.1 idle: WINDOW_UPDATE", RawPeer.frame(T.windowUpdate, 0, 1, oneMore), .connection(.protocolError)),
    Case("§5.1 idle: PRIORITY is allowed", RawPeer.frame(T.priority, 0, 1, [0, 0, 0, 0, 0]), .ignored),
    Case("§5.1 half-closed: DATA", whole + RawPeer.frame(T.data, 0, 1, [1]), .stream(.streamClosed)),
    Case("§5.1 half-closed: HEADERS", whole + RawPeer.headers(1), .stream(.streamClosed)),
    Case(
      "§5.1 half-closed: WINDOW_UPDATE is allowed", whole + RawPeer.frame(T.windowUpdate, 0, 1, oneMore), .ignored),
    Case(
      "§5.1 closed by the peer: DATA",
      open + RawPeer.frame(T.reset, 0, 1, cancel) + RawPeer.frame(T.data, 0, 1, [1]), .stream(.streamClosed)),
    Case(
      "§5.1 closed by the peer: HEADERS", open + RawPeer.frame(T.reset, 0, 1, cancel) + RawPeer.headers(1),
      .stream(.streamClosed)),
    Case(
      "§5.1 closed: WINDOW_UPDATE and RST_STREAM are ignored",
      open + RawPeer.frame(T.reset, 0, 1, cancel) + RawPeer.frame(T.windowUpdate, 0, 1, oneMore)
        + RawPeer.frame(T.reset, 0, 1, cancel), .ignored),
    Case("§5.1.1 an even id", RawPeer.headers(2), .connection(.protocolError)),
    Case("§5.1.1 a lower id", RawPeer.headers(5) + RawPeer.headers(3), .connection(.protocolError)),
    Case(
      "§5.2.1 DATA beyond the stream's window",
      open + (0..<5).flatMap { _ in RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 0, count: 16_384)) },
      .connection(.flowControlError)),
  ]

  /// Section 6.
  static let frames: [Case] = [
    Case("§6.1 DATA without a stream", RawPeer.frame(T.data, 0, 0, [1]), .connection(.protocolError)),
    Case("§6.1 only padding", open + RawPeer.frame(T.data, 8, 1, [3, 0, 0, 0]), .ignored),
    Case("§6.1 too much padding", open + RawPeer.frame(T.data, 8, 1, [4, 0, 0, 0]), .connection(.protocolError)),
    Case("§6.1 no pad length", open + RawPeer.frame(T.data, 8, 1, []), .connection(.frameSizeError)),
    Case("§6.2 HEADERS without a stream", RawPeer.headers(0), .connection(.protocolError)),
    Case("§6.2 too much padding", RawPeer.frame(T.headers, 12, 1, [9, 0x82]), .connection(.protocolError)),
    Case("§6.2 a cut-off priority", RawPeer.frame(T.headers, 0x24, 1, [0, 0, 0]), .connection(.frameSizeError)),
    Case(
      "§6.3 PRIORITY without a stream", RawPeer.frame(T.priority, 0, 0, [0, 0, 0, 0, 0]), .connection(.protocolError)),
    Case("§6.3 PRIORITY of a wrong size", open + RawPeer.frame(T.priority, 0, 1, [0]), .stream(.frameSizeError)),
    Case("§6.4 RST_STREAM without a stream", RawPeer.frame(T.reset, 0, 0, cancel), .connection(.protocolError)),
    Case(
      "§6.4 RST_STREAM of a wrong size", open + RawPeer.frame(T.reset, 0, 1, [1]), .connection(.frameSizeError)),
    Case("§6.5 SETTINGS on a stream", RawPeer.frame(T.settings, 0, 1, []), .connection(.protocolError)),
    Case("§6.5 SETTINGS of a wrong size", RawPeer.frame(T.settings, 0, 0, [1]), .connection(.frameSizeError)),
    Case(
      "§6.5 an acknowledgement with content", RawPeer.frame(T.settings, 1, 0, [0, 1, 0, 0, 0, 0]),
      .connection(.frameSizeError)),
    Case("§6.5.2 ENABLE_PUSH 2", setting(2, 2), .connection(.protocolError)),
    Case("§6.5.2 INITIAL_WINDOW_SIZE 2^31", setting(4, 1 << 31), .connection(.flowControlError)),
    Case("§6.5.2 MAX_FRAME_SIZE too small", setting(5, 16_383), .connection(.protocolError)),
    Case("§6.5.2 MAX_FRAME_SIZE too large", setting(5, 1 << 24), .connection(.protocolError)),
    Case("§6.5.2 an unknown parameter", setting(99, 7), .ignored),
    Case("§6.6 PUSH_PROMISE", open + RawPeer.frame(T.pushPromise, 4, 1, [0, 0, 0, 2]), .connection(.protocolError)),
    Case("§6.7 PING on a stream", RawPeer.frame(T.ping, 0, 1, Array(1...8)), .connection(.protocolError)),
    Case("§6.7 PING of a wrong size", RawPeer.frame(T.ping, 0, 0, [1]), .connection(.frameSizeError)),
    Case(
      "§6.8 GOAWAY on a stream", RawPeer.frame(T.goAway, 0, 1, [0, 0, 0, 0, 0, 0, 0, 0]), .connection(.protocolError)),
    Case("§6.8 GOAWAY of a wrong size", RawPeer.frame(T.goAway, 0, 0, [0, 0, 0, 0]), .connection(.frameSizeError)),
    Case("§6.9 no increment", RawPeer.frame(T.windowUpdate, 0, 0, [0, 0, 0, 0]), .connection(.protocolError)),
    Case(
      "§6.9 no increment of a stream", open + RawPeer.frame(T.windowUpdate, 0, 1, [0, 0, 0, 0]), .stream(.protocolError)
    ),
    Case("§6.9 WINDOW_UPDATE of a wrong size", RawPeer.frame(T.windowUpdate, 0, 0, [1]), .connection(.frameSizeError)),
    Case("§6.9.1 too large a window", RawPeer.frame(T.windowUpdate, 0, 0, most), .connection(.flowControlError)),
    Case(
      "§6.9.1 too large a window of a stream", open + RawPeer.frame(T.windowUpdate, 0, 1, most),
      .stream(.flowControlError)),
    Case(
      "§6.9.2 a setting that makes a window too large",
      open + RawPeer.frame(T.windowUpdate, 0, 1, [0x7f, 0xff, 0, 0]) + setting(4, 0x7fff_ffff),
      .connection(.flowControlError)),
    Case("§6.10 CONTINUATION of nothing", RawPeer.frame(T.continuation, 4, 1, [0x82]), .connection(.protocolError)),
    Case(
      "§6.10 CONTINUATION after the end", open + RawPeer.frame(T.continuation, 4, 1, [0x82]),
      .connection(.protocolError)),
    Case(
      "§6.10 CONTINUATION of another stream",
      RawPeer.frame(T.headers, 0, 1, RawPeer.request()) + RawPeer.frame(T.continuation, 4, 3, [0x82]),
      .connection(.protocolError)),
    Case(
      "§6.10 something else within a header block",
      RawPeer.frame(T.headers, 0, 1, RawPeer.request()) + RawPeer.headers(3), .connection(.protocolError)),
  ]

  private static func request(_ fields: (String, String)...) -> [UInt8] {
    RawPeer.headers(1, fields.flatMap { RawPeer.literal($0.0, $0.1) }, endStream: true)
  }

  private static func with(_ fields: (String, String)..., endStream: Bool = true) -> [UInt8] {
    RawPeer.headers(1, RawPeer.request(fields), endStream: endStream)
  }

  /// Section 8: what makes a request malformed, and what only looks like it.
  static let messages: [Case] = [
    Case(
      "§8.1 trailers that do not end the stream", open + RawPeer.headers(1, RawPeer.literal("a", "b")),
      .stream(.protocolError)),
    Case(
      "§8.1 pseudo-headers in trailers", open + RawPeer.headers(1, RawPeer.literal(":path", "/"), endStream: true),
      .stream(.protocolError)),
    Case("§8.1.1 shorter than declared", with(("content-length", "1")), .stream(.protocolError)),
    Case(
      "§8.1.1 DATA shorter than declared",
      with(("content-length", "3"), endStream: false) + RawPeer.frame(T.data, 1, 1, [1, 2]), .stream(.protocolError)),
    Case(
      "§8.1.1 trailers before what was declared",
      with(("content-length", "3"), endStream: false) + RawPeer.headers(1, RawPeer.literal("a", "b"), endStream: true),
      .stream(.protocolError)),
    Case("§8.1.1 two lengths", with(("content-length", "0"), ("content-length", "1")), .stream(.protocolError)),
    Case("§8.1.1 a length that is no number", with(("content-length", "+0")), .stream(.protocolError)),
    Case("§8.2 a name in upper case", with(("A", "b")), .stream(.protocolError)),
    Case("§8.2.1 an empty name", with(("", "b")), .stream(.protocolError)),
    Case("§8.2.1 a colon in a name", with(("a:b", "c")), .stream(.protocolError)),
    Case("§8.2.1 white space in front of a value", with(("a", " b")), .stream(.protocolError)),
    Case("§8.2.1 white space behind a value", with(("a", "b\t")), .stream(.protocolError)),
    Case("§8.2.1 NUL in a value", with(("a", "b\0c")), .stream(.protocolError)),
    Case("§8.2.1 CR in a value", with(("a", "b\rc")), .stream(.protocolError)),
    Case("§8.2.1 an empty value is allowed", with(("a", "")), .ignored),
    Case("§8.2.2 connection", with(("connection", "close")), .stream(.protocolError)),
    Case("§8.2.2 keep-alive", with(("keep-alive", "1")), .stream(.protocolError)),
    Case("§8.2.2 proxy-connection", with(("proxy-connection", "close")), .stream(.protocolError)),
    Case("§8.2.2 transfer-encoding", with(("transfer-encoding", "chunked")), .stream(.protocolError)),
    Case("§8.2.2 upgrade", with(("upgrade", "h2c")), .stream(.protocolError)),
    Case("§8.2.2 te other than trailers", with(("te", "gzip")), .stream(.protocolError)),
    Case("§8.2.2 te trailers is allowed", with(("te", "trailers")), .ignored),
    Case("§8.3 an unknown pseudo-header", with((":a", "b")), .stream(.protocolError)),
    Case("§8.3 a pseudo-header of responses", with((":status", "200")), .stream(.protocolError)),
    Case(
      "§8.3 a pseudo-header behind a field",
      request((":method", "POST"), (":scheme", "http"), ("a", "b"), (":path", "/")), .stream(.protocolError)),
    Case(
      "§8.3.1 a repeated pseudo-header",
      request((":method", "POST"), (":method", "POST"), (":scheme", "http"), (":path", "/")), .stream(.protocolError)),
    Case("§8.3.1 no method", request((":scheme", "http"), (":path", "/")), .stream(.protocolError)),
    Case("§8.3.1 no scheme", request((":method", "POST"), (":path", "/")), .stream(.protocolError)),
    Case("§8.3.1 no path", request((":method", "POST"), (":scheme", "http")), .stream(.protocolError)),
    Case(
      "§8.3.1 an empty path", request((":method", "POST"), (":scheme", "http"), (":path", "")), .stream(.protocolError)),
    Case(
      "§8.3.1 a path without slash", request((":method", "POST"), (":scheme", "http"), (":path", "a")),
      .stream(.protocolError)),
    Case(
      "§8.3.1 a star for OPTIONS is allowed", request((":method", "OPTIONS"), (":scheme", "http"), (":path", "*")),
      .ignored),
    Case(
      "§8.3.1 a star for POST", request((":method", "POST"), (":scheme", "http"), (":path", "*")),
      .stream(.protocolError)),
    Case(
      "§8.3.1 user information",
      request((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "me@x")), .stream(.protocolError)
    ),
    Case("§8.3.1 a host that differs", with(("host", "y")), .stream(.protocolError)),
    Case("§8.3.1 a host that agrees is allowed", with(("host", "x")), .ignored),
    Case(
      "§8.5 CONNECT with a path", request((":method", "CONNECT"), (":authority", "x"), (":path", "/")),
      .stream(.protocolError)),
    Case(
      "§8.5 CONNECT with authority alone is allowed", request((":method", "CONNECT"), (":authority", "x:1")), .ignored),
  ]

  @Test(arguments: framing + frames + messages, [Int.max, 1])
  func `a server answers as RFC 9113 says`(example: Case, pieces: Int) throws {
    var limits = HTTP2Limits()
    limits.streamWindow = 70_000
    limits.connectionWindow = 70_000
    let harness = try SessionHarness(.server, limits: limits)
    try harness.feed(RawPeer.frame(T.settings, 1, 0, []))
    try harness.feed(example.octets, pieces: pieces)
    switch example.outcome {
    case .connection(let code):
      #expect(harness.goAway == code.rawValue)
      #expect(harness.failure != nil)
      #expect(harness.session.isFinished)
    case .stream(let code):
      #expect(harness.resets == [1: code.rawValue])
      #expect(harness.goAway == nil)
    case .ignored:
      #expect(harness.resets.isEmpty)
      #expect(harness.goAway == nil)
    }
    guard harness.failure == nil else { return }
    // The connection goes on, with the tables of both sides in step.
    try harness.feed(RawPeer.headers(7, [0x83, 0x86, 0x84, 0x41] + RawPeer.string("after"), endStream: true))
    try harness.feed(RawPeer.headers(9, [0x83, 0x86, 0x84, 0xbe], endStream: true))
    #expect(harness.events.suffix(2) == ["request 7 POST / after end", "request 9 POST / after end"])
  }

  @Test func `§3.4 the first frame must be SETTINGS`() throws {
    let harness = try SessionHarness(.server, greet: false)
    try harness.feed(RawPeer.preface + RawPeer.frame(T.ping, 0, 0, Array(1...8)))
    #expect(harness.goAway == ResetCode.protocolError.rawValue)
  }

  @Test func `§3.4 a wrong preface is an error`() throws {
    let harness = try SessionHarness(.server, greet: false)
    try harness.feed(RawPeer.preface.dropLast() + [0], pieces: 5)
    #expect(harness.goAway == ResetCode.protocolError.rawValue)
  }

  @Test func `§6.8 what comes after the last GOAWAY is ignored, and keeps the tables in step`() throws {
    let harness = try SessionHarness(.server)
    try harness.feed(Self.whole)
    harness.session.refuseNewStreams()
    try harness.feed(RawPeer.headers(3, [0x83, 0x86, 0x84, 0x41] + RawPeer.string("late"), endStream: true))
    #expect(harness.events == ["request 1 POST /a/b x end"])
    #expect(harness.goAway == 0)
    #expect(harness.resets.isEmpty)
    let stream = try #require(harness.streams[1])
    harness.session.respond(stream, status: 200, headers: HeaderList(), endStream: true)
    try harness.takeOutput()
    #expect(harness.events.last == "closed 1 0")
    #expect(harness.session.isFinished)
  }
}
