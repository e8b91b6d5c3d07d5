import RPC
import Testing

@testable import HTTP2

/// What a peer could make a session hold, work for or get wrong by frames that are each in order.
@Suite struct SessionHardeningTests {
  private typealias T = RawPeer.FrameType

  private static func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) } }

  private static func settings(_ values: (id: UInt8, value: Int)...) -> [UInt8] {
    RawPeer.frame(T.settings, 0, 0, values.flatMap { [0, $0.id] + number($0.value) })
  }

  private static func reset(_ stream: UInt32) -> [UInt8] { RawPeer.frame(T.reset, 0, stream, number(8)) }

  /// A server that answers each request with `size` octets.
  private static func answering(_ size: Int, limits: HTTP2Limits = HTTP2Limits()) throws -> SessionHarness {
    let harness = try SessionHarness(.server, limits: limits)
    harness.onRequest = { harness, stream in
      harness.session.respond(stream, status: 200, headers: HeaderList(), endStream: false)
      stream.write([UInt8](repeating: 7, count: size))
      stream.finish(trailers: nil)
      harness.session.resume(stream)
    }
    return harness
  }

  @Test func `streams that end while the connection's window is shut do not pile up`() throws {
    var limits = HTTP2Limits()
    limits.resetBurst = 100_000
    let harness = try Self.answering(70_000, limits: limits)
    try harness.feed(Self.settings((4, 1 << 20)) + RawPeer.headers(1, endStream: true))
    #expect(harness.sent(on: 1) == 65_535, "the window is shut")
    for id in stride(from: UInt32(3), to: 4001, by: 2) {
      try harness.feed(RawPeer.headers(id, endStream: true))
      try harness.feed(Self.reset(id))
    }
    #expect(harness.goAway == nil)
    #expect(harness.session.starved.count < 200)
    // The one that is left goes on.
    try harness.feed(RawPeer.frame(T.windowUpdate, 0, 0, Self.number(100_000)))
    #expect(harness.sent(on: 1) == 70_000)
    #expect(harness.session.starved.count == 0)
  }

  @Test func `a window for the connection moves only as many streams as it has room for`() throws {
    let harness = try Self.answering(200_000)
    let requests = stride(from: UInt32(1), to: 201, by: 2).flatMap { RawPeer.headers($0, endStream: true) }
    try harness.feed(Self.settings((4, 1 << 20)) + requests)
    let waiting = harness.session.starved.count
    #expect(waiting >= 96)
    let update = RawPeer.frame(T.windowUpdate, 0, 0, Self.number(1))
    try update.withUnsafeBytes { try harness.session.receive($0) }
    #expect(harness.session.ready.isEmpty, "they wait where they are")
    try harness.takeOutput()
    #expect(harness.session.starved.count == waiting)
    // Each gets its turn.
    let before = stride(from: UInt32(1), to: 201, by: 2).map { harness.sent(on: $0) }
    try harness.feed(RawPeer.frame(T.windowUpdate, 0, 0, Self.number(16_384 * 100)))
    for (index, sent) in before.enumerated() { #expect(harness.sent(on: UInt32(2 * index + 1)) > sent) }
  }

  @Test func `DATA under way when their stream is reset do no harm, however small the frames`() throws {
    var limits = HTTP2Limits()
    // The machine's pace must not decide what is a flood.
    limits.idleFramesPerSecond = 0
    let harness = try SessionHarness(.server, limits: limits)
    harness.onRequest = { harness, stream in
      harness.session.respond(stream, status: 200, headers: HeaderList(), endStream: true)
    }
    try harness.feed(RawPeer.headers(1))
    #expect(harness.resets == [1: 0])
    let window = harness.session.receiveWindow
    let data = RawPeer.frame(T.data, 0, 1, [1, 2, 3, 4, 5])
    for _ in 0..<10 { try harness.feed((0..<1000).flatMap { _ in data }) }
    #expect(harness.goAway == nil)
    #expect(window - harness.session.receiveWindow <= 50_000)
    // Without content they bring nothing.
    let empty = RawPeer.frame(T.data, 0, 1, [])
    for _ in 0..<3 { try harness.feed((0..<1000).flatMap { _ in empty }) }
    #expect(harness.goAway == ResetCode.enhanceYourCalm.rawValue)
  }

  @Test func `the stream with the last id of all is like the others`() throws {
    let harness = try SessionHarness(.client)
    harness.session.nextStreamID = HTTP2Protocol.largestStreamID
    let id = UInt32(try harness.open().id)
    try harness.feed(
      RawPeer.frame(T.windowUpdate, 0, id, Self.number(10))
        + RawPeer.headers(id, RawPeer.literal(":status", "200"), endStream: true) + Self.reset(id))
    #expect(harness.failure == nil)
    #expect(harness.events == ["headers \(id) 200 end", "closed \(id) 8"])
  }

  @Test func `the values of one SETTINGS frame count in turn`() throws {
    let harness = try Self.answering(20)
    try harness.feed(Self.settings((4, 10)) + RawPeer.headers(1, endStream: true))
    try harness.feed(Self.settings((4, 1000), (4, 0), (4, 15)))
    #expect(harness.sent(on: 1) == 15)
    try harness.feed(RawPeer.frame(T.windowUpdate, 0, 1, Self.number(1)))
    #expect(harness.sent(on: 1) == 16)
    // A value that is too much for a window is so even if a smaller one follows.
    let other = try Self.answering(70_000)
    try other.feed(RawPeer.headers(1, endStream: true) + RawPeer.frame(T.windowUpdate, 0, 1, Self.number(70_000)))
    try other.feed(Self.settings((4, HTTP2Protocol.maxWindow), (4, 65_535)))
    #expect(other.goAway == ResetCode.flowControlError.rawValue)
  }

  /// RFC 7541 §4.2: the least size and the last.
  @Test(arguments: [([0, 4096], [0x20, 0x3f, 0xe1, 0x1f]), ([100], [0x3f, 0x45]), ([200, 100], [0x3f, 0x45])])
  func `a header table that was small for a while is named in the first block`(
    sizes: [Int], prefix: [UInt8]
  ) throws {
    let harness = try Self.answering(1)
    for size in sizes { try harness.feed(Self.settings((1, size))) }
    try harness.feed(RawPeer.headers(1, endStream: true))
    let head = try #require(harness.frames.first { $0.type == T.headers })
    #expect(Array(head.payload.prefix(prefix.count)) == prefix)
  }

  @Test func `a request for two hosts is malformed`() throws {
    let harness = try SessionHarness(.server)
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")]
    let block = { (hosts: [String]) in
      (fields + hosts.map { ("host", $0) }).flatMap { RawPeer.literal($0.0, $0.1) }
    }
    try harness.feed(RawPeer.headers(1, block(["a", "b"]), endStream: true))
    #expect(harness.resets == [1: ResetCode.protocolError.rawValue])
    try harness.feed(RawPeer.headers(3, block(["a"]), endStream: true))
    #expect(harness.events.last == "request 3 POST /a/b a end")
    // Nor does it stand in for the authority of a tunnel.
    let tunnel = RawPeer.literal(":method", "CONNECT") + RawPeer.literal("host", "a")
    try harness.feed(RawPeer.headers(5, tunnel, endStream: true))
    #expect(harness.resets[5] == ResetCode.protocolError.rawValue)
  }

  @Test func `a field's name is never longer than a list can hold`() throws {
    var limits = HTTP2Limits()
    limits.maxHeaderListSize = 1 << 20
    let harness = try SessionHarness(.server, limits: limits)
    let block = RawPeer.request([(String(repeating: "x", count: 65_536), "")])
    var rest = block[...]
    var octets = RawPeer.frame(T.headers, 1, 1, Array(rest.prefix(16_384)))
    rest = rest.dropFirst(16_384)
    while !rest.isEmpty {
      octets += RawPeer.frame(T.continuation, rest.count <= 16_384 ? 4 : 0, 1, Array(rest.prefix(16_384)))
      rest = rest.dropFirst(16_384)
    }
    try harness.feed(octets)
    #expect(harness.resets == [1: ResetCode.protocolError.rawValue])
  }

  @Test func `nothing needs to be remembered of streams that were reset`() throws {
    var limits = HTTP2Limits()
    limits.maxRememberedResets = 0
    let harness = try SessionHarness(.server, limits: limits)
    harness.onRequest = { harness, stream in harness.session.reset(stream, .cancel) }
    try harness.feed(RawPeer.headers(1) + RawPeer.headers(3) + RawPeer.headers(1))
    #expect(harness.goAway == nil)
    #expect(harness.frames.filter { $0.type == T.reset }.map(\.stream) == [1, 3, 1])
  }
}
