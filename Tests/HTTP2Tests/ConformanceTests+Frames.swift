import RPC

@testable import HTTP2

/// What both sides must keep to.
extension ConformanceTests {
  private static func setting(_ id: UInt8, _ value: UInt32) -> [UInt8] {
    RawPeer.frame(T.settings, 0, 0, [0, id] + (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) })
  }

  private static let cancel: [UInt8] = [0, 0, 0, 8]
  private static let oneMore: [UInt8] = [0, 0, 0, 1]
  private static let most: [UInt8] = [0x7f, 0xff, 0xff, 0xff]

  /// What cannot be a peer's first frame.
  static func starts(_ role: HTTP2Session.Role) -> [Case] {
    [
      Case(role, "PING", RawPeer.frame(T.ping, 0, 0, Array(1...8)), .connection(.protocolError)),
      Case(role, "an acknowledgement", RawPeer.frame(T.settings, 1, 0, []), .connection(.protocolError)),
      Case(role, "HEADERS", open(role), .connection(.protocolError)),
    ]
  }

  /// Sections 4 and 5.
  static func framing(_ role: HTTP2Session.Role) -> [Case] {
    let open = Self.open(role)
    let whole = Self.open(role, endStream: true)
    return [
      Case(role, "§4.1 the reserved bit is ignored", RawPeer.frame(T.ping, 0, 0x8000_0000, Array(1...8)), .ignored),
      Case(role, "§4.1 unknown flags are ignored", RawPeer.frame(T.ping, 0xfe, 0, Array(1...8)), .ignored),
      Case(role, "§4.1 unknown types are ignored", RawPeer.frame(0xfa, 0xff, 7, [1, 2]), .ignored),
      Case(
        role, "§4.2 HEADERS are too long", RawPeer.frame(T.headers, 4, 1, [UInt8](repeating: 0, count: 16_385)),
        .connection(.frameSizeError)),
      Case(
        role, "§4.2 an unknown frame is too long", RawPeer.frame(0xfa, 0, 0, [UInt8](repeating: 0, count: 16_385)),
        .connection(.frameSizeError)),
      Case(role, "§4.3 index 0", RawPeer.headers(1, [0x80]), .connection(.compressionError)),
      Case(role, "§4.3 an index beyond the tables", RawPeer.headers(1, [0xff, 0x30]), .connection(.compressionError)),
      Case(role, "§4.3 a cut-off literal", RawPeer.headers(1, [0, 5, 65]), .connection(.compressionError)),
      Case(
        role, "§4.3 a table larger than was allowed", RawPeer.headers(1, [0x3f, 0xe2, 0x7f]),
        .connection(.compressionError)),
      Case(
        role, "§4.3 (RFC 7541 §4.2) another size of the table behind a field",
        RawPeer.headers(1, RawPeer.literal("a", "b") + [0x20]), .connection(.compressionError)),
      Case(role, "§5.1 idle: DATA", RawPeer.frame(T.data, 0, 3, [1]), .connection(.protocolError)),
      Case(role, "§5.1 idle: RST_STREAM", RawPeer.frame(T.reset, 0, 3, cancel), .connection(.protocolError)),
      Case(role, "§5.1 idle: WINDOW_UPDATE", RawPeer.frame(T.windowUpdate, 0, 3, oneMore), .connection(.protocolError)),
      Case(role, "§5.1 idle: PRIORITY is allowed", RawPeer.frame(T.priority, 0, 3, [0, 0, 0, 0, 0]), .ignored),
      Case(role, "§5.1 half-closed: DATA", whole + RawPeer.frame(T.data, 0, 1, [1]), .stream(.streamClosed)),
      Case(role, "§5.1 half-closed: HEADERS", whole + RawPeer.headers(1), .stream(.streamClosed)),
      Case(
        role, "§5.1 half-closed: WINDOW_UPDATE is allowed", whole + RawPeer.frame(T.windowUpdate, 0, 1, oneMore),
        .ignored),
      Case(
        role, "§5.1 closed by the peer: DATA",
        open + RawPeer.frame(T.reset, 0, 1, cancel) + RawPeer.frame(T.data, 0, 1, [1]), .stream(.streamClosed)),
      Case(
        role, "§5.1 closed by the peer: HEADERS", open + RawPeer.frame(T.reset, 0, 1, cancel) + RawPeer.headers(1),
        .stream(.streamClosed)),
      Case(
        role, "§5.1 closed: WINDOW_UPDATE and RST_STREAM are ignored",
        open + RawPeer.frame(T.reset, 0, 1, cancel) + RawPeer.frame(T.windowUpdate, 0, 1, oneMore)
          + RawPeer.frame(T.reset, 0, 1, cancel), .ignored),
      Case(role, "§5.1.1 an even id", RawPeer.headers(2), .connection(.protocolError)),
      Case(
        role, "§5.2.1 DATA beyond the stream's window",
        open + (0..<4).flatMap { _ in RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 0, count: 16_384)) }
          + RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 0, count: 1000)), .stream(.flowControlError)),
      Case(
        role, "§5.2.1 DATA beyond the connection's window",
        open + (0..<5).flatMap { _ in RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 0, count: 16_384)) },
        .connection(.flowControlError)),
    ]
  }

  /// Section 6.
  static func frames(_ role: HTTP2Session.Role) -> [Case] {
    let open = Self.open(role)
    return [
      Case(role, "§6.1 DATA without a stream", RawPeer.frame(T.data, 0, 0, [1]), .connection(.protocolError)),
      Case(role, "§6.1 only padding", open + RawPeer.frame(T.data, 8, 1, [3, 0, 0, 0]), .ignored),
      Case(
        role, "§6.1 too much padding", open + RawPeer.frame(T.data, 8, 1, [4, 0, 0, 0]), .connection(.protocolError)),
      Case(role, "§6.1 no pad length", open + RawPeer.frame(T.data, 8, 1, []), .connection(.frameSizeError)),
      Case(role, "§6.2 HEADERS without a stream", RawPeer.headers(0), .connection(.protocolError)),
      Case(role, "§6.2 no pad length", RawPeer.frame(T.headers, 12, 1, []), .connection(.frameSizeError)),
      Case(role, "§6.2 too much padding", RawPeer.frame(T.headers, 12, 1, [9, 0x82]), .connection(.protocolError)),
      Case(
        role, "§6.2 a cut-off priority", RawPeer.frame(T.headers, 0x24, 1, [0, 0, 0]), .connection(.frameSizeError)),
      Case(
        role, "§6.3 PRIORITY without a stream", RawPeer.frame(T.priority, 0, 0, [0, 0, 0, 0, 0]),
        .connection(.protocolError)),
      Case(
        role, "§6.3 PRIORITY of a wrong size", open + RawPeer.frame(T.priority, 0, 1, [0]), .stream(.frameSizeError)),
      Case(role, "§6.4 RST_STREAM without a stream", RawPeer.frame(T.reset, 0, 0, cancel), .connection(.protocolError)),
      Case(
        role, "§6.4 RST_STREAM of a wrong size", open + RawPeer.frame(T.reset, 0, 1, [1]), .connection(.frameSizeError)),
      Case(role, "§6.5 SETTINGS on a stream", RawPeer.frame(T.settings, 0, 1, []), .connection(.protocolError)),
      Case(role, "§6.5 SETTINGS of a wrong size", RawPeer.frame(T.settings, 0, 0, [1]), .connection(.frameSizeError)),
      Case(
        role, "§6.5 an acknowledgement with content", RawPeer.frame(T.settings, 1, 0, [0, 1, 0, 0, 0, 0]),
        .connection(.frameSizeError)),
      Case(role, "§6.5.2 ENABLE_PUSH 2", setting(2, 2), .connection(.protocolError)),
      Case(role, "§6.5.2 INITIAL_WINDOW_SIZE 2^31", setting(4, 1 << 31), .connection(.flowControlError)),
      Case(role, "§6.5.2 MAX_FRAME_SIZE too small", setting(5, 16_383), .connection(.protocolError)),
      Case(role, "§6.5.2 MAX_FRAME_SIZE too large", setting(5, 1 << 24), .connection(.protocolError)),
      Case(role, "§6.5.2 an unknown parameter", setting(99, 7), .ignored),
      Case(
        role, "§6.6 PUSH_PROMISE", open + RawPeer.frame(T.pushPromise, 4, 1, [0, 0, 0, 2]), .connection(.protocolError)),
      Case(role, "§6.7 PING on a stream", RawPeer.frame(T.ping, 0, 1, Array(1...8)), .connection(.protocolError)),
      Case(role, "§6.7 PING of a wrong size", RawPeer.frame(T.ping, 0, 0, [1]), .connection(.frameSizeError)),
      Case(
        role, "§6.8 GOAWAY on a stream", RawPeer.frame(T.goAway, 0, 1, [0, 0, 0, 0, 0, 0, 0, 0]),
        .connection(.protocolError)),
      Case(
        role, "§6.8 GOAWAY of a wrong size", RawPeer.frame(T.goAway, 0, 0, [0, 0, 0, 0]), .connection(.frameSizeError)),
      Case(role, "§6.9 no increment", RawPeer.frame(T.windowUpdate, 0, 0, [0, 0, 0, 0]), .connection(.protocolError)),
      Case(
        role, "§6.9 no increment of a stream", open + RawPeer.frame(T.windowUpdate, 0, 1, [0, 0, 0, 0]),
        .stream(.protocolError)),
      Case(
        role, "§6.9 WINDOW_UPDATE of a wrong size", RawPeer.frame(T.windowUpdate, 0, 0, [1]),
        .connection(.frameSizeError)),
      Case(
        role, "§6.9.1 too large a window", RawPeer.frame(T.windowUpdate, 0, 0, most), .connection(.flowControlError)),
      Case(
        role, "§6.9.1 too large a window of a stream", open + RawPeer.frame(T.windowUpdate, 0, 1, most),
        .stream(.flowControlError)),
      Case(
        role, "§6.9.2 a setting that makes a window too large",
        open + RawPeer.frame(T.windowUpdate, 0, 1, [0x7f, 0xff, 0, 0]) + setting(4, 0x7fff_ffff),
        .connection(.flowControlError)),
      Case(
        role, "§6.10 CONTINUATION of nothing", RawPeer.frame(T.continuation, 4, 1, [0x82]), .connection(.protocolError)),
      Case(
        role, "§6.10 CONTINUATION after the end", open + RawPeer.frame(T.continuation, 4, 1, [0x82]),
        .connection(.protocolError)),
      Case(
        role, "§6.10 CONTINUATION of another stream",
        RawPeer.frame(T.headers, 0, 1, RawPeer.request()) + RawPeer.frame(T.continuation, 4, 3, [0x82]),
        .connection(.protocolError)),
      Case(
        role, "§6.10 something else within a header block",
        RawPeer.frame(T.headers, 0, 1, RawPeer.request()) + RawPeer.headers(3), .connection(.protocolError)),
    ]
  }
}
