import Base
import RPC
import Testing

@testable import HTTP2

/// What clients may not do, and what it costs them. Bare frames over a real socket.
@Suite(.ownThread) struct HostilePeerTests {
  typealias Frames = RawPeer.FrameType

  static let protocolError: UInt32 = 1
  static let flowControlError: UInt32 = 3
  static let frameSizeError: UInt32 = 6
  static let refusedStream: UInt32 = 7
  static let enhanceYourCalm: UInt32 = 11

  private func run(
    limits: HTTP2Limits = HTTP2Limits(), serverTime: ManualTime? = nil,
    onClose: @escaping @Sendable (StreamClosure?) -> Void = { _ in }, _ body: (UInt16, Fixture) async throws -> Void
  ) async throws {
    let acceptor = ScriptedAcceptor { _, stream in HoldingHandler(stream, onClose: onClose) }
    try await Fixture.run(acceptor, limits: limits, serverTime: serverTime) { fixture in
      try await body(try #require(fixture.server.boundAddresses[0].address.port), fixture)
      // Whatever happened: others are served.
      let other = Exchange.start(fixture.transport)
      other.reset(.cancel)
      #expect(await other.response().closure == .reset(.cancel))
    }
  }

  /// Sends `octets` on a fresh connection and expects the connection to end with `code`.
  private func expectGoAway(_ code: UInt32, _ octets: [UInt8]) async throws {
    var limits = HTTP2Limits()
    // The machine's pace must not decide what is a flood.
    (limits.resetsPerSecond, limits.idleFramesPerSecond) = (0, 0)
    try await run(limits: limits) { port, _ in
      let peer = try RawPeer.greeted(port: port)
      peer.sendUntilRefused(octets)
      #expect(try peer.next(Frames.goAway)?.errorCode == code)
      #expect(try peer.next(Frames.goAway) == nil)
    }
  }

  /// Sends `octets` on a fresh connection and expects stream 1 to be reset with `code`, and nothing worse.
  private func expectReset(_ code: UInt32, _ octets: [UInt8], limits: HTTP2Limits = HTTP2Limits()) async throws {
    try await run(limits: limits) { port, _ in
      let peer = try RawPeer.greeted(port: port)
      try peer.send(octets)
      let reset = try #require(try peer.next(Frames.reset))
      #expect(reset.errorCode == code)
      try peer.send(RawPeer.frame(Frames.ping, 0, 0, Array(1...8)))
      #expect(try peer.next(Frames.ping)?.payload == Array(1...8))
    }
  }

  @Test func `HEADERS on a lower stream that was never opened end the connection`() async throws {
    try await expectGoAway(Self.protocolError, RawPeer.headers(5) + RawPeer.headers(3))
  }

  @Test func `HEADERS on an even stream end the connection`() async throws {
    try await expectGoAway(Self.protocolError, RawPeer.headers(2))
  }

  @Test func `DATA on a stream that was never opened end the connection`() async throws {
    try await expectGoAway(Self.protocolError, RawPeer.frame(Frames.data, 0, 1, [1]))
  }

  @Test func `RST_STREAM on a stream that was never opened ends the connection`() async throws {
    try await expectGoAway(Self.protocolError, RawPeer.frame(Frames.reset, 0, 9, [0, 0, 0, 8]))
  }

  @Test func `a frame of a wrong size ends the connection`() async throws {
    try await expectGoAway(Self.frameSizeError, RawPeer.frame(Frames.settings, 0, 0, [0, 1, 2, 3, 4]))
    try await expectGoAway(Self.frameSizeError, RawPeer.frame(Frames.ping, 0, 0, [1, 2, 3]))
    try await expectGoAway(
      Self.frameSizeError, RawPeer.headers(1) + RawPeer.frame(Frames.data, 0, 1, [UInt8](repeating: 0, count: 16_385)))
  }

  @Test func `too long a frame is refused by its header, which may come in pieces`() async throws {
    let header: [UInt8] = [0xff, 0xff, 0xff, Frames.headers, 4, 0, 0, 0, 1]
    try await run { port, fixture in
      for cut in 1..<header.count {
        let peer = try RawPeer.greeted(port: port)
        try peer.send(Array(header[..<cut]))
        // Gives the server time to read the first piece on its own.
        let other = Exchange.start(fixture.transport)
        other.reset(.cancel)
        _ = await other.response()
        try peer.send(Array(header[cut...]))
        #expect(try peer.next(Frames.goAway)?.errorCode == Self.frameSizeError)
      }
    }
  }

  @Test func `a frame between HEADERS and CONTINUATION ends the connection`() async throws {
    let open = RawPeer.frame(Frames.headers, 0, 1, RawPeer.request())
    try await expectGoAway(Self.protocolError, open + RawPeer.frame(Frames.ping, 0, 0, Array(1...8)))
  }

  @Test func `a window beyond 2^31-1 ends the connection`() async throws {
    try await expectGoAway(
      Self.flowControlError, RawPeer.frame(Frames.windowUpdate, 0, 0, [0x7f, 0xff, 0xff, 0xff]))
  }

  @Test(arguments: [0, 8] as [UInt8])
  func `rapid reset ends the connection, whatever its code`(code: UInt8) async throws {
    let calls = (0..<3000).flatMap { index in
      let id = UInt32(2 * index + 1)
      return RawPeer.headers(id) + RawPeer.frame(Frames.reset, 0, id, [0, 0, 0, code])
    }
    try await expectGoAway(Self.enhanceYourCalm, calls)
  }

  @Test func `making the server reset its streams ends the connection`() async throws {
    // More DATA than declared is an error of the stream.
    let block = RawPeer.request([("content-length", "1")])
    let calls = (0..<3000).flatMap { index in
      let id = UInt32(2 * index + 1)
      return RawPeer.headers(id, block) + RawPeer.frame(Frames.data, 0, id, [1, 2])
    }
    try await expectGoAway(Self.enhanceYourCalm, calls)
  }

  @Test(arguments: [
    RawPeer.frame(RawPeer.FrameType.ping, 0, 0, Array(1...8)), RawPeer.frame(RawPeer.FrameType.settings, 0, 0, []),
    RawPeer.frame(RawPeer.FrameType.priority, 0, 1, [0, 0, 0, 0, 0]),
  ])
  func `a flood of frames that carry nothing ends the connection`(frame: [UInt8]) async throws {
    try await expectGoAway(Self.enhanceYourCalm, (0..<6000).flatMap { _ in frame })
  }

  @Test func `unknown frames are ignored, within bounds`() async throws {
    let unknown = RawPeer.frame(0x77, 0, 0, [1, 2, 3])
    try await run { port, _ in
      let peer = try RawPeer.greeted(port: port)
      try peer.send((0..<1000).flatMap { _ in unknown })
      try peer.send(RawPeer.frame(Frames.ping, 0, 0, Array(1...8)))
      #expect(try peer.next(Frames.ping)?.payload == Array(1...8))
    }
    try await expectGoAway(Self.enhanceYourCalm, (0..<6000).flatMap { _ in unknown })
  }

  @Test func `a flood of empty DATA ends the connection`() async throws {
    let empty = RawPeer.frame(Frames.data, 0, 1, [])
    try await expectGoAway(Self.enhanceYourCalm, RawPeer.headers(1) + (0..<6000).flatMap { _ in empty })
  }

  @Test func `a flood of CONTINUATION ends the connection`() async throws {
    let more = RawPeer.frame(Frames.continuation, 0, 1, RawPeer.literal("x", "y"))
    try await run { port, _ in
      let peer = try RawPeer.greeted(port: port)
      peer.sendUntilRefused(
        RawPeer.frame(Frames.headers, 0, 1, RawPeer.request()) + (0..<1000).flatMap { _ in more })
      #expect(try peer.next(Frames.goAway) != nil)
    }
  }

  @Test func `a header bomb ends the connection`() async throws {
    // One field of 4,000 octets goes into the dynamic table (index 62); each further octet repeats it.
    let value = String(repeating: "b", count: 4000)
    var block = RawPeer.request()
    block += [0x40] + RawPeer.literal("bomb", value).dropFirst()
    block += [UInt8](repeating: 0x80 | 62, count: 2000)
    try await expectGoAway(Self.enhanceYourCalm, RawPeer.headers(1, block))
  }

  @Test func `streams beyond those that were offered are refused`() async throws {
    var limits = HTTP2Limits()
    limits.maxConcurrentStreams = 2
    try await run(limits: limits) { port, _ in
      let peer = try RawPeer.greeted(port: port)
      try peer.send(RawPeer.headers(1) + RawPeer.headers(3) + RawPeer.headers(5))
      let reset = try #require(try peer.next(Frames.reset))
      #expect(reset.stream == 5)
      #expect(reset.errorCode == Self.refusedStream)
    }
  }

  @Test(arguments: [
    [(":method", "POST"), (":scheme", "http"), (":authority", "x")],
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":path", "/"), (":authority", "x")],
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), ("a", "b"), (":authority", "x")],
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":unknown", "x")],
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), ("Upper", "x")],
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), ("connection", "close")],
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), ("te", "gzip")],
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), ("x", "a\nb")],
  ])
  func `a malformed head is an error of its stream`(fields: [(String, String)]) async throws {
    try await expectReset(Self.protocolError, RawPeer.headers(1, fields.flatMap { RawPeer.literal($0.0, $0.1) }))
  }

  @Test func `DATA beyond the declared length are an error of the stream`() async throws {
    let block = RawPeer.request([("content-length", "2")])
    try await expectReset(Self.protocolError, RawPeer.headers(1, block) + RawPeer.frame(Frames.data, 0, 1, [1, 2, 3]))
  }

  @Test func `DATA after the end of the stream are refused`() async throws {
    try await run { port, _ in
      let peer = try RawPeer.greeted(port: port)
      peer.sendUntilRefused(RawPeer.headers(1, endStream: true) + RawPeer.frame(Frames.data, 0, 1, [1]))
      let answer = try #require(
        try {
          while let f = try peer.next() { if f.errorCode != nil { return f } }
          return nil
        }())
      #expect(answer.errorCode == 5, "STREAM_CLOSED")
    }
  }

  @Test func `DATA beyond the window end the connection or the stream`() async throws {
    var limits = HTTP2Limits()
    limits.streamWindow = 70_000
    let chunk = RawPeer.frame(Frames.data, 0, 1, [UInt8](repeating: 0, count: 16_384))
    try await run(limits: limits) { port, _ in
      let peer = try RawPeer.greeted(port: port)
      _ = try peer.next(Frames.settings)
      try peer.send(RawPeer.frame(Frames.settings, 1, 0, []))
      peer.sendUntilRefused(RawPeer.headers(1) + (0..<5).flatMap { _ in chunk })
      let answer = try #require(
        try {
          while let f = try peer.next() { if f.errorCode != nil { return f } }
          return nil
        }())
      #expect(answer.errorCode == Self.flowControlError)
    }
  }

  @Test func `octets that are no HTTP at all are met with silence`() async throws {
    try await run { port, _ in
      let peer = try RawPeer(port: port)
      try peer.send([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0])
      #expect(try peer.readAll() == [])
    }
  }

  @Test func `a wrong preface after a right beginning ends the connection`() async throws {
    try await run { port, _ in
      let peer = try RawPeer(port: port)
      try peer.send(Array("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".utf8))
      _ = try peer.readAll()
    }
  }

  @Test func `a slow preface is not waited for`() async throws {
    var limits = HTTP2Limits()
    limits.handshakeTimeout = .milliseconds(50)
    try await run(limits: limits, serverTime: ManualTime()) { port, fixture in
      let peer = try RawPeer(port: port)
      try peer.send(Array(RawPeer.preface.prefix(10)))
      while fixture.server.connectionCount == 0 { await Task.yield() }
      // Its time runs when the loop has got to this.
      await fixture.serverGroup.loops[0].value {}
      await fixture.serverGroup.advance(by: .milliseconds(50))
      _ = try peer.readAll()
      #expect(fixture.server.connectionCount == 0)
    }
  }

  @Test func `a header block that never ends is not waited for`() async throws {
    var limits = HTTP2Limits()
    limits.headerTimeout = .milliseconds(50)
    try await run(limits: limits) { port, _ in
      let peer = try RawPeer.greeted(port: port)
      try peer.send(RawPeer.frame(Frames.headers, 0, 1, RawPeer.request()))
      _ = try peer.readAll()
    }
  }

  @Test func `a connection that breaks in the middle of a request reaches the handler`() async throws {
    let (closures, continuation) = AsyncStream<StreamClosure?>.makeStream()
    let report: @Sendable (StreamClosure?) -> Void = { continuation.yield($0) }
    try await run(onClose: report) { port, _ in
      var peer: RawPeer? = try RawPeer.greeted(port: port)
      try peer?.send(RawPeer.headers(1) + RawPeer.frame(Frames.data, 0, 1, [1, 2, 3]))
      // The answer to a PING tells that the request has been seen.
      try peer?.send(RawPeer.frame(Frames.ping, 0, 0, Array(1...8)))
      _ = try peer?.next(Frames.ping)
      peer = nil
      var iterator = closures.makeAsyncIterator()
      let closure = try #require(await iterator.next())
      guard case .connectionLost = closure else {
        Issue.record("not lost but \(String(describing: closure))")
        return
      }
    }
  }

  @Test func `a peer that reads nothing cannot make answers pile up`() async throws {
    var limits = HTTP2Limits()
    limits.maxQueuedAcknowledgements = 100
    limits.idleFrameBurst = 10_000_000
    limits.maxPingStrikes = 10_000_000
    let pings = (0..<2000).flatMap { _ in RawPeer.frame(Frames.ping, 0, 0, Array(1...8)) }
    try await run(limits: limits) { port, fixture in
      let peer = try RawPeer.greeted(port: port)
      _ = try peer.next(Frames.settings)
      while true {
        do { try peer.send(pings) } catch { break }
      }
      #expect(fixture.server.connectionCount <= 1)
    }
  }
}
