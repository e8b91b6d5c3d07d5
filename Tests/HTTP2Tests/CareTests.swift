import Base
import RPC
import Testing

@testable import HTTP2

/// Keepalive and its enforcement, idle connections and old ones, with a clock that only the tests move.
@Suite(.ownThread) struct CareTests {
  typealias Frames = RawPeer.FrameType

  private static let lastStream: [UInt8] = [0x7f, 0xff, 0xff, 0xff]

  /// A server whose handlers hold requests to any path but `/quick`, which is echoed.
  private func run(
    limits: HTTP2Limits = HTTP2Limits(), random: any RandomSource = SystemRandomSource(),
    onClose: @escaping @Sendable (StreamClosure?) -> Void = { _ in },
    _ body: (UInt16, Fixture) async throws -> Void
  ) async throws {
    let acceptor = ScriptedAcceptor { head, stream in
      if head.path == "/quick" { return EchoHandler(stream) }
      return HoldingHandler(stream, onClose: onClose)
    }
    try await Fixture.run(acceptor, limits: limits, serverTime: ManualTime(), random: random) { fixture in
      try await body(try #require(fixture.server.boundAddresses[0].address.port), fixture)
    }
  }

  private func connected(_ port: UInt16) throws -> RawPeer {
    let peer = try RawPeer.greeted(port: port)
    try peer.synchronize()
    return peer
  }

  // MARK: Keepalive of a server

  @Test func `a silent client is asked for a sign of life, and given up without one`() async throws {
    var limits = HTTP2Limits()
    limits.maxConnectionIdle = nil
    try await run(limits: limits) { port, fixture in
      let peer = try connected(port)
      await fixture.serverGroup.advance(by: .seconds(7199))
      await fixture.serverGroup.advance(by: .seconds(1))
      #expect(try peer.next(Frames.ping)?.flags == 0)
      await fixture.serverGroup.advance(by: .seconds(19))
      #expect(fixture.server.connectionCount == 1)
      await fixture.serverGroup.advance(by: .seconds(1))
      #expect(try peer.next() == nil)
    }
  }

  @Test func `a sign of life is enough`() async throws {
    var limits = HTTP2Limits()
    limits.keepAliveTime = .seconds(30)
    try await run(limits: limits) { port, fixture in
      let peer = try connected(port)
      for _ in 0..<3 {
        await fixture.serverGroup.advance(by: .seconds(30))
        let question = try #require(try peer.next(Frames.ping))
        #expect(question.flags == 0)
        try peer.send(RawPeer.frame(Frames.ping, 1, 0, question.payload) + RawPeer.headers(1))
        // The acknowledgement of SETTINGS tells that the answer has been seen, and is no PING.
        try peer.send(RawPeer.frame(Frames.settings, 0, 0, []))
        while try #require(try peer.next(Frames.settings)).flags & 1 == 0 {}
        await fixture.serverGroup.advance(by: .seconds(20))
        #expect(fixture.server.connectionCount == 1)
      }
    }
  }

  // MARK: Enforcement

  private func expectTooManyPings(_ peer: RawPeer) throws {
    let goAway = try #require(try peer.next(Frames.goAway))
    #expect(goAway.errorCode == ResetCode.enhanceYourCalm.rawValue)
    #expect(goAway.payload.dropFirst(8).elementsEqual("too_many_pings".utf8))
    #expect(try peer.next(Frames.goAway) == nil)
  }

  private static let ping = RawPeer.frame(Frames.ping, 0, 0, Array(1...8))

  @Test func `a client that pings too often must go`() async throws {
    try await run { port, _ in
      let peer = try RawPeer.greeted(port: port)
      for _ in 0..<3 { try peer.synchronize() }
      try peer.send(Self.ping)
      try expectTooManyPings(peer)
    }
  }

  @Test func `with a stream a client may ping every five minutes, without only if that is permitted`() async throws {
    for (hasStream, isPermitted) in [(true, false), (false, true), (false, false)] {
      var limits = HTTP2Limits()
      limits.permitsPingsWithoutStreams = isPermitted
      limits.maxConnectionIdle = nil
      try await run(limits: limits) { port, fixture in
        let peer = try RawPeer.greeted(port: port)
        if hasStream { try peer.send(RawPeer.headers(1)) }
        var answers = 0
        for _ in 0..<6 {
          try peer.send(Self.ping)
          guard let frame = try peer.next(), frame.type != Frames.goAway else { break }
          // SETTINGS and their acknowledgement come first.
          let answer = frame.type == Frames.ping ? frame : try peer.next(Frames.ping)
          if answer != nil { answers += 1 }
          await fixture.serverGroup.advance(by: .seconds(300))
        }
        #expect((answers == 6) == (hasStream || isPermitted))
      }
    }
  }

  @Test func `pings that measure the window are forgiven while something is sent`() async throws {
    try await run { port, _ in
      let peer = try connected(port)
      for number in 1...20 {
        let block = [(":method", "POST"), (":scheme", "http"), (":path", "/quick"), (":authority", "x")]
          .flatMap { RawPeer.literal($0.0, $0.1) }
        try peer.send(RawPeer.headers(UInt32(2 * number + 1), block, endStream: true))
        while try #require(try peer.next(Frames.headers)).flags & 1 == 0 {}
        try peer.synchronize()
      }
      #expect(throws: (any Error).self) { for _ in 0..<4 { try peer.synchronize() } }
    }
  }

  // MARK: Keepalive of a client

  private func expectLost(_ exchange: Exchange, _ reason: String) async {
    #expect(await exchange.response().closure == .connectionLost(reason))
  }

  @Test func `a client gives a silent server up`() async throws {
    let time = ManualTime()
    let group = try EventLoopGroup(loops: 1, time: time)
    let listener = try RawListener()
    var limits = HTTP2Limits()
    limits.clientKeepAliveTime = .seconds(1)
    let target = try #require(ClientTarget("127.0.0.1:\(listener.port)"))
    let transport = HTTP2ClientTransport(target: target, limits: limits, group: group)
    let exchange = Exchange.start(transport)
    let peer = try listener.accept()
    _ = try peer.next(Frames.headers)
    await group.advance(by: .seconds(9))
    // No client asks more often than every ten seconds.
    await group.advance(by: .seconds(1))
    #expect(try peer.next(Frames.ping)?.flags == 0)
    await group.advance(by: .seconds(20))
    await expectLost(exchange, "no sign of life from the peer")
    await transport.shutdown()
    await group.shutdown()
  }

  @Test func `a server's complaint of pings doubles a client's patience`() async throws {
    var limits = HTTP2Limits()
    limits.clientKeepAliveTime = .seconds(30)
    let shared = SharedLimits(Fixture.patient(limits), random: SeededRandomSource(seed: 1))
    let group = try EventLoopGroup(loops: 1)
    let listener = try RawListener()
    let target = try #require(ClientTarget("127.0.0.1:\(listener.port)"))
    let transport = HTTP2ClientTransport(target: target, tls: nil, serviceConfig: nil, shared: shared, group: group)
    let exchange = Exchange.start(transport)
    let peer = try listener.accept()
    _ = try peer.next(Frames.headers)
    try peer.send(RawPeer.frame(Frames.goAway, 0, 0, [0, 0, 0, 0, 0, 0, 0, 11]))
    _ = await exchange.response()
    #expect(shared.clientCareRules.keepAliveTime == 60_000_000_000)
    await transport.shutdown()
    await group.shutdown()
  }

  // MARK: Idle and old connections

  @Test func `an idle connection is drained with two GOAWAYs`() async throws {
    try await run { port, fixture in
      let peer = try connected(port)
      await fixture.serverGroup.advance(by: .seconds(3599))
      #expect(fixture.server.connectionCount == 1)
      await fixture.serverGroup.advance(by: .seconds(1))
      var first: [UInt8: RawPeer.Frame] = [:]
      while first[Frames.goAway] == nil || first[Frames.ping] == nil {
        let frame = try #require(try peer.next())
        first[frame.type] = frame
      }
      #expect(first[Frames.goAway]?.payload.prefix(4) == Self.lastStream[...])
      let question = try #require(first[Frames.ping])
      // A request on its way is still served.
      try peer.send(RawPeer.headers(1) + RawPeer.frame(Frames.ping, 1, 0, question.payload))
      #expect(try peer.next(Frames.goAway)?.payload.prefix(4) == [0, 0, 0, 1])
      try peer.send(RawPeer.frame(Frames.reset, 0, 1, [0, 0, 0, 8]))
      #expect(try peer.next() == nil)
    }
  }

  @Test func `a request that crosses the first GOAWAY of a server's drain is served`() async throws {
    try await run { port, fixture in
      var peer: RawPeer? = try connected(port)
      async let drained: Void = fixture.server.drain(within: .seconds(60))
      // The listener goes last, so this tells that the connection knows.
      while (try? RawPeer(port: port)) != nil { await Task.yield() }
      #expect(try peer?.next(Frames.goAway)?.payload.prefix(4) == Self.lastStream[...])
      let question = try #require(try peer?.next(Frames.ping))
      try peer?.send(RawPeer.headers(1))
      try peer?.synchronize()
      try peer?.send(RawPeer.frame(Frames.ping, 1, 0, question.payload))
      #expect(try peer?.next(Frames.goAway)?.payload.prefix(4) == [0, 0, 0, 1])
      // Whoever comes later than the second has come too late.
      try peer?.send(RawPeer.headers(3) + RawPeer.frame(Frames.reset, 0, 1, [0, 0, 0, 8]))
      #expect(try peer?.next() == nil)
      peer = nil
      await drained
    }
  }

  @Test func `streams keep a connection from idling`() async throws {
    try await run { port, fixture in
      let peer = try connected(port)
      await fixture.serverGroup.advance(by: .seconds(3500))
      try peer.send(RawPeer.headers(1))
      try peer.synchronize()
      await fixture.serverGroup.advance(by: .seconds(3500))
      try peer.send(RawPeer.frame(Frames.reset, 0, 1, [0, 0, 0, 8]))
      try peer.synchronize()
      await fixture.serverGroup.advance(by: .seconds(3599))
      #expect(fixture.server.connectionCount == 1)
      await fixture.serverGroup.advance(by: .seconds(1))
      #expect(try peer.next(Frames.goAway) != nil)
    }
  }

  @Test func `an old connection is drained, and ended after its grace`() async throws {
    let (closures, continuation) = AsyncStream<StreamClosure?>.makeStream()
    var limits = HTTP2Limits()
    limits.maxConnectionAge = .seconds(1000)
    limits.maxConnectionAgeGrace = .seconds(30)
    let onClose: @Sendable (StreamClosure?) -> Void = { continuation.yield($0) }
    try await run(limits: limits, onClose: onClose) { port, fixture in
      let peer = try connected(port)
      try peer.send(RawPeer.headers(1))
      try peer.synchronize()
      await fixture.serverGroup.advance(by: .seconds(899))
      #expect(fixture.server.connectionCount == 1)
      await fixture.serverGroup.advance(by: .seconds(202))
      #expect(try peer.next(Frames.goAway)?.payload.prefix(4) == Self.lastStream[...])
      await fixture.serverGroup.advance(by: .seconds(1))
      #expect(try peer.next(Frames.goAway)?.payload.prefix(4) == [0, 0, 0, 1])
      await fixture.serverGroup.advance(by: .seconds(28))
      #expect(fixture.server.connectionCount == 1)
      await fixture.serverGroup.advance(by: .seconds(1))
      #expect(try peer.next() == nil)
      var iterator = closures.makeAsyncIterator()
      #expect(await iterator.next() == .shutdown)
    }
  }

  @Test func `the age of connections varies by a tenth either way`() {
    var limits = HTTP2Limits()
    limits.maxConnectionAge = .seconds(1000)
    limits.maxConnectionIdle = nil
    limits.keepAliveTime = nil
    limits.stallTimeout = nil
    limits.messagePeriod = nil
    let rules = ConnectionCare.Rules.server(limits)
    let random = SeededRandomSource(seed: 7)
    let ages = (0..<1000).map { _ in
      ConnectionCare(now: 0, rules, random: random).nextTime(0, rules, hasStreams: true) ?? 0
    }
    #expect(ages.allSatisfy { (900_000_000_000...1_100_000_000_000).contains($0) })
    #expect((ages.min() ?? 0) < 905_000_000_000 && (ages.max() ?? 0) > 1_095_000_000_000)
  }

  @Test func `nothing is due where no rule is set`() {
    var limits = HTTP2Limits()
    limits.maxConnectionIdle = nil
    limits.keepAliveTime = nil
    limits.stallTimeout = nil
    limits.messagePeriod = nil
    #expect(ConnectionCare.Rules.server(limits).isEmpty)
    #expect(ConnectionCare.Rules.client(HTTP2Limits()).isEmpty)
  }
}
