import Base
import RPC
import Testing

@testable import HTTP2

/// Waits for a peer: a moment before their end the connection lives, and then not. And what is remembered of a peer.
extension LimitTests {
  private typealias T = RawPeer.FrameType

  private static let greeting = RawPeer.preface + RawPeer.frame(T.settings, 0, 0, [])
  private static let wait: Duration = .seconds(7)

  /// Answers at once: `/large` with more than a socket holds, others with a head alone.
  private static let acceptor = ScriptedAcceptor { head, stream in
    let isLarge = head.path == "/large"
    stream.respond(status: 200, headers: HeaderList(), endStream: !isLarge)
    if isLarge { stream.write([UInt8](repeating: 7, count: 1 << 16)) }
    return HoldingHandler(stream)
  }
  private static let large = RawPeer.headers(
    1, [(":method", "GET"), (":scheme", "http"), (":path", "/large")].flatMap { RawPeer.literal($0.0, $0.1) })

  /// Expects that a connection which has come to wait for something does so for `Self.wait` and no longer.
  /// - Parameter more: what is sent when something waits for the peer; nil for nothing.
  private func expectEnd(
    _ limit: WritableKeyPath<HTTP2Limits, Duration>, _ octets: [UInt8], then more: [UInt8]? = nil,
    at location: SourceLocation = #_sourceLocation, _ isWaiting: @escaping @Sendable (ServerConnection) -> Bool
  ) async throws {
    var limits = HTTP2Limits()
    limits[keyPath: limit] = Self.wait
    let group = try EventLoopGroup(loops: 1, time: ManualTime())
    try await ServerEnd.run(Self.acceptor, on: group, limits: limits, sendBuffer: 4096) { end in
      try end.peer.send(octets)
      if let more {
        while await end.loop.value({ end.connection.pending.isEmpty }) { await Task.yield() }
        try end.peer.send(more)
      }
      while !(await end.loop.value { isWaiting(end.connection) }) { await Task.yield() }
      await group.advance(by: Self.wait - .nanoseconds(1))
      #expect(await end.loop.value { isWaiting(end.connection) }, "too soon", sourceLocation: location)
      await group.advance(by: .nanoseconds(1))
      #expect(await !end.loop.value { isWaiting(end.connection) }, "too late", sourceLocation: location)
    }
  }

  @Test func `a client has handshakeTimeout until its SETTINGS`() async throws {
    try await expectEnd(\.handshakeTimeout, Array(RawPeer.preface.prefix(10))) { $0.state == .open }
    var limits = HTTP2Limits()
    limits.handshakeTimeout = Self.wait
    try await Fixture.run(Self.acceptor, limits: limits, serverTime: ManualTime()) { fixture in
      let peer = try RawPeer(fixture)
      while fixture.server.connectionCount == 0 { await Task.yield() }
      await fixture.serverGroup.loops[0].value {}
      await fixture.serverGroup.advance(by: Self.wait - .nanoseconds(1))
      #expect(fixture.server.connectionCount == 1)
      await fixture.serverGroup.advance(by: .nanoseconds(1))
      #expect(fixture.server.connectionCount == 0)
      #expect(try peer.next() == nil)
    }
  }

  @Test func `a header block has headerTimeout`() async throws {
    try await expectEnd(\.headerTimeout, Self.greeting + RawPeer.frame(T.headers, 0, 1, RawPeer.request())) {
      $0.state == .open && $0.session.isInsideHeaderBlock
    }
    try await expectEnd(\.headerTimeout, Array("GET / HTTP/1.1\r\nHo".utf8)) {
      if case .head = $0.demand { $0.state == .open } else { false }
    }
  }

  @Test func `the body of a request has bodyTimeout`() async throws {
    try await expectEnd(\.bodyTimeout, Array("POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel".utf8)) {
      if case .body = $0.demand { $0.state == .open } else { false }
    }
  }

  @Test func `the next request has requestIdleTimeout`() async throws {
    try await expectEnd(\.requestIdleTimeout, Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)) {
      if case .request = $0.demand { $0.state == .open && $0.failure == nil } else { false }
    }
  }

  @Test func `a peer has sendTimeout to take something`() async throws {
    try await expectEnd(\.sendTimeout, Self.greeting + Self.large) { $0.state == .open && !$0.pending.isEmpty }
  }

  @Test func `minSendRate is what must be taken a second, and something always`() {
    var limits = HTTP2Limits()
    limits.minSendRate = 1000
    #expect(limits.minTaken(in: .seconds(7)) == 7000)
    #expect(limits.minTaken(in: .milliseconds(5)) == 5)
    #expect(limits.minTaken(in: .zero) == 1)
    limits.minSendRate = .max
    #expect(limits.minTaken(in: .seconds(7)) == .max)
    limits.minSendRate = -1
    #expect(limits.minTaken(in: .seconds(7)) == 1)
  }

  @Test func `the end of a peer is awaited for lingerTimeout, also if it does not take the last words`() async throws {
    try await expectEnd(\.lingerTimeout, Self.greeting + RawPeer.headers(2)) { $0.state == .lingering }
    try await expectEnd(\.lingerTimeout, Self.greeting + Self.large, then: RawPeer.headers(2)) {
      $0.state == .open && $0.failure != nil
    }
  }

  @Test func `an attempt to connect has connectTimeout`() async throws {
    let silent = try RawListener()
    var limits = HTTP2Limits()
    limits.connectTimeout = Self.wait
    let group = try EventLoopGroup(loops: 1, time: ManualTime())
    let transport = HTTP2ClientTransport(
      target: try #require(ClientTarget("127.0.0.1:\(silent.port)")), limits: limits, group: group)
    transport.connect()
    // The attempt is under way, and its time runs, when its preface is there.
    let peer = try silent.accept(answers: false)
    await group.advance(by: Self.wait - .nanoseconds(1))
    #expect(transport.state == .connecting)
    await group.advance(by: .nanoseconds(1))
    #expect(transport.state == .transientFailure)
    await transport.shutdown()
    await group.shutdown()
    withExtendedLifetime(peer) {}
  }

  // MARK: Remembered

  @Test func `HEADERS on a stream that was passed over end the connection, however many were`() throws {
    let most = HTTP2Limits().maxSkippedRanges
    // The first of the ranges, one in the midst, the last.
    for skipped in [1, UInt32(most / 2) * 4 + 1, UInt32(most) * 4 - 3] {
      let harness = try SessionHarness(.server)
      try harness.feed((0..<UInt32(most)).flatMap { RawPeer.headers(4 * $0 + 3) })
      #expect(harness.goAway == nil)
      try harness.feed(RawPeer.headers(skipped))
      #expect(harness.goAway == ResetCode.protocolError.rawValue, "\(skipped)")
    }
  }

  @Test func `a connection whose client skips more than maxSkippedRanges is drained in time, and ends`() throws {
    var limits = HTTP2Limits()
    limits.maxSkippedRanges = 4
    let harness = try SessionHarness(.server, limits: limits)
    for skipped in 1...5 as ClosedRange<UInt32> {
      try harness.feed(RawPeer.headers(4 * skipped - 1))
      #expect(harness.events.contains("retire") == (skipped > 2), "\(skipped)")
      #expect(harness.goAway == (skipped > 4 ? ResetCode.enhanceYourCalm.rawValue : nil), "\(skipped)")
    }
  }

  @Test func `a connection remembers the last maxRememberedResets, and answers frames on others`() throws {
    var limits = HTTP2Limits()
    limits.maxRememberedResets = 2
    let harness = try SessionHarness(.server, limits: limits)
    harness.onRequest = { harness, stream in harness.session.reset(stream, .cancel) }
    try harness.feed(RawPeer.headers(1) + RawPeer.headers(3) + RawPeer.headers(5))
    func resets() -> Int { harness.frames.count { $0.type == T.reset } }
    #expect(resets() == 3)
    for stream in [3, 5] as [UInt32] { try harness.feed(RawPeer.frame(T.data, 0, stream, [1])) }
    #expect(resets() == 3)
    try harness.feed(RawPeer.frame(T.data, 0, 1, [1]))
    #expect(resets() == 4)
  }
}
