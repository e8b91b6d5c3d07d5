import RPC

@testable import HTTP2

/// What clients must keep to.
extension ConformanceTests {
  private static func request(_ fields: (String, String)...) -> [UInt8] {
    RawPeer.headers(1, fields.flatMap { RawPeer.literal($0.0, $0.1) }, endStream: true)
  }

  private static func with(_ fields: (String, String)..., endStream: Bool = true) -> [UInt8] {
    RawPeer.headers(1, RawPeer.request(fields), endStream: endStream)
  }

  /// Section 8, and what only a client can do wrong: what makes a request malformed, and what only looks like it.
  static let messages: [Case] = [
    Case(.server, "§5.1.1 a lower id", RawPeer.headers(5) + RawPeer.headers(3), .connection(.protocolError)),
    Case(
      .server, "§8.1 trailers that do not end the stream",
      open(.server) + RawPeer.headers(1, RawPeer.literal("a", "b")),
      .stream(.protocolError)),
    Case(
      .server, "§8.1 pseudo-headers in trailers",
      open(.server) + RawPeer.headers(1, RawPeer.literal(":path", "/"), endStream: true),
      .stream(.protocolError)),
    Case(.server, "§8.1.1 shorter than declared", with(("content-length", "1")), .stream(.protocolError)),
    Case(
      .server, "§8.1.1 DATA shorter than declared",
      with(("content-length", "3"), endStream: false) + RawPeer.frame(T.data, 1, 1, [1, 2]), .stream(.protocolError)),
    Case(
      .server, "§8.1.1 trailers before what was declared",
      with(("content-length", "3"), endStream: false) + RawPeer.headers(1, RawPeer.literal("a", "b"), endStream: true),
      .stream(.protocolError)),
    Case(
      .server, "§8.1.1 two lengths", with(("content-length", "0"), ("content-length", "1")), .stream(.protocolError)),
    Case(.server, "§8.1.1 a length that is no number", with(("content-length", "+0")), .stream(.protocolError)),
    Case(.server, "§8.2 a name in upper case", with(("A", "b")), .stream(.protocolError)),
    Case(.server, "§8.2.1 an empty name", with(("", "b")), .stream(.protocolError)),
    Case(.server, "§8.2.1 a colon in a name", with(("a:b", "c")), .stream(.protocolError)),
    Case(.server, "§8.2.1 white space in front of a value", with(("a", " b")), .stream(.protocolError)),
    Case(.server, "§8.2.1 white space behind a value", with(("a", "b\t")), .stream(.protocolError)),
    Case(.server, "§8.2.1 NUL in a value", with(("a", "b\0c")), .stream(.protocolError)),
    Case(.server, "§8.2.1 CR in a value", with(("a", "b\rc")), .stream(.protocolError)),
    Case(.server, "§8.2.1 LF in a value", with(("a", "b\nc")), .stream(.protocolError)),
    Case(.server, "§8.2.1 a space in a name", with(("a b", "c")), .stream(.protocolError)),
    Case(.server, "§8.2.1 DEL in a name", with(("a\u{7f}", "c")), .stream(.protocolError)),
    Case(.server, "§8.2.1 octets beyond ASCII in a name", with(("\u{e9}", "c")), .stream(.protocolError)),
    Case(.server, "§8.2.1 octets beyond ASCII in a value are allowed", with(("a", "\u{e9}")), .ignored),
    Case(.server, "§8.2.1 an empty value is allowed", with(("a", "")), .ignored),
    Case(.server, "§8.2.2 connection", with(("connection", "close")), .stream(.protocolError)),
    Case(.server, "§8.2.2 keep-alive", with(("keep-alive", "1")), .stream(.protocolError)),
    Case(.server, "§8.2.2 proxy-connection", with(("proxy-connection", "close")), .stream(.protocolError)),
    Case(.server, "§8.2.2 transfer-encoding", with(("transfer-encoding", "chunked")), .stream(.protocolError)),
    Case(.server, "§8.2.2 upgrade", with(("upgrade", "h2c")), .stream(.protocolError)),
    Case(.server, "§8.2.2 te other than trailers", with(("te", "gzip")), .stream(.protocolError)),
    Case(.server, "§8.2.2 te trailers is allowed", with(("te", "trailers")), .ignored),
    Case(.server, "§8.3 an unknown pseudo-header", with((":a", "b")), .stream(.protocolError)),
    Case(.server, "§8.3 a pseudo-header of responses", with((":status", "200")), .stream(.protocolError)),
    Case(
      .server, "§8.3 a pseudo-header behind a field",
      request((":method", "POST"), (":scheme", "http"), ("a", "b"), (":path", "/")), .stream(.protocolError)),
    Case(
      .server, "§8.3.1 a repeated pseudo-header",
      request((":method", "POST"), (":method", "POST"), (":scheme", "http"), (":path", "/")), .stream(.protocolError)),
    Case(.server, "§8.3.1 no method", request((":scheme", "http"), (":path", "/")), .stream(.protocolError)),
    Case(.server, "§8.3.1 no scheme", request((":method", "POST"), (":path", "/")), .stream(.protocolError)),
    Case(
      .server, "§8.3.1 a malformed scheme", request((":method", "POST"), (":scheme", "1:http"), (":path", "/")),
      .stream(.protocolError)),
    Case(
      .server, "§8.3.1 an empty scheme", request((":method", "POST"), (":scheme", ""), (":path", "/")),
      .stream(.protocolError)),
    Case(.server, "§8.3.1 no path", request((":method", "POST"), (":scheme", "http")), .stream(.protocolError)),
    Case(
      .server, "§8.3.1 an empty path", request((":method", "POST"), (":scheme", "http"), (":path", "")),
      .stream(.protocolError)),
    Case(
      .server, "§8.3.1 a path without slash", request((":method", "POST"), (":scheme", "http"), (":path", "a")),
      .stream(.protocolError)),
    Case(
      .server, "§8.3.1 a star for OPTIONS is allowed",
      request((":method", "OPTIONS"), (":scheme", "http"), (":path", "*")),
      .ignored),
    Case(
      .server, "§8.3.1 a star for POST", request((":method", "POST"), (":scheme", "http"), (":path", "*")),
      .stream(.protocolError)),
    Case(
      .server, "§8.3.1 user information",
      request((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "me@x")), .stream(.protocolError)
    ),
    Case(.server, "§8.3.1 a host that differs", with(("host", "y")), .stream(.protocolError)),
    Case(.server, "§8.3.1 a host that agrees is allowed", with(("host", "x")), .ignored),
    Case(
      .server, "§8.5 CONNECT with a path", request((":method", "CONNECT"), (":authority", "x"), (":path", "/")),
      .stream(.protocolError)),
    Case(
      .server, "§8.5 CONNECT with authority alone is allowed", request((":method", "CONNECT"), (":authority", "x:1")),
      .ignored),
  ]
}
