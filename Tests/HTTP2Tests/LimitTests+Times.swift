import Base
import Testing

@testable import HTTP2

/// Limits of time and of windows, where they are judged: at the last moment that they allow, and one later.
extension LimitTests {
  private static let second: Int64 = 1_000_000_000

  @Test func `a peer that was asked for a sign of life has keepAliveTimeout to give one`() {
    var limits = HTTP2Limits()
    limits.keepAliveTime = .seconds(30)
    limits.keepAliveTimeout = .seconds(7)
    let rules = ConnectionCare.Rules.server(limits)
    var care = ConnectionCare(now: 0, rules, random: SeededRandomSource(seed: 1))
    func due(_ now: Int64) -> ConnectionCare.Action { care.due(now, rules, hasStreams: true) }
    #expect(due(30 * Self.second - 1) == .none)
    #expect(due(30 * Self.second) == .ping)
    #expect(due(37 * Self.second - 1) == .none)
    #expect(due(37 * Self.second) == .giveUp)
  }

  @Test func `no wait is longer than farthestTimer, however long it was meant to be`() async throws {
    let farthest = HTTP2Limits.farthestTimer
    let group = try EventLoopGroup(loops: 1, time: ManualTime())
    let loop = group.loops[0]
    let hasGoneOff = Locked([false, false])
    _ = loop.schedule(after: .seconds(Int64.max)) { hasGoneOff.withLock { $0[0] = true } }
    await loop.value { _ = loop.schedule(after: .nanoseconds(farthest + 1)) { hasGoneOff.withLock { $0[1] = true } } }
    await group.advance(by: .nanoseconds(farthest - 1))
    #expect(hasGoneOff.withLock { $0 } == [false, false])
    await group.advance(by: .nanoseconds(1))
    #expect(hasGoneOff.withLock { $0 } == [true, true])
    await group.shutdown()

    var limits = HTTP2Limits()
    limits.keepAliveTime = .seconds(Int64.max)
    limits.keepAliveTimeout = .seconds(Int64.max)
    limits.messagePeriod = nil
    let rules = ConnectionCare.Rules.server(limits)
    var care = ConnectionCare(now: 0, rules, random: SeededRandomSource(seed: 1))
    // The streams are judged first.
    _ = care.due(farthest - 1, rules, hasStreams: true)
    #expect(care.due(farthest - 1, rules, hasStreams: true) == .none)
    #expect(care.due(farthest, rules, hasStreams: true) == .ping)
    #expect(care.due(2 * farthest - 1, rules, hasStreams: true) != .giveUp)

    limits.clientKeepAliveTime = .nanoseconds(farthest / 3)
    let shared = SharedLimits(limits, random: SeededRandomSource(seed: 1))
    let times = (0..<3).map { _ in
      shared.slowKeepAliveDown()
      return shared.clientCareRules.keepAliveTime
    }
    #expect(times == [farthest / 3 * 2, farthest, farthest])
  }

  @Test func `a client asks no sooner than shortestKeepAliveTime, and without streams only if it may`() {
    for (isAllowed, action) in [(false, ConnectionCare.Action.none), (true, .ping)] {
      var limits = HTTP2Limits()
      limits.clientKeepAliveTime = .milliseconds(1)
      limits.clientKeepAliveWithoutStreams = isAllowed
      let rules = ConnectionCare.Rules.client(limits)
      let shortest = HTTP2Limits.shortestKeepAliveTime.inNanoseconds
      var care = ConnectionCare(now: 0, rules, random: SeededRandomSource(seed: 1))
      func due(_ now: Int64, _ hasStreams: Bool) -> ConnectionCare.Action {
        care.due(now, rules, hasStreams: hasStreams)
      }
      #expect(due(shortest - 1, true) == .none)
      #expect(due(shortest, false) == action)
    }
  }

  @Test func `PINGs may come at minPingInterval, without streams and permission at idlePingInterval`() {
    for (hasStreams, isPermitted) in [(true, false), (false, true), (false, false)] {
      var limits = HTTP2Limits()
      limits.minPingInterval = .seconds(5)
      limits.permitsPingsWithoutStreams = isPermitted
      limits.maxPingStrikes = 2
      let interval = hasStreams || isPermitted ? 5 * Self.second : HTTP2Limits.idlePingInterval.inNanoseconds
      /// How many PINGs are taken at this distance, of ten.
      func admitted(_ distance: Int64) -> Int {
        var policy = PingPolicy()
        return (0..<10 as Range<Int64>).prefix {
          policy.admits($0 * distance, isForgiven: false, hasStreams: hasStreams, limits)
        }.count
      }
      #expect(admitted(interval) == 10)
      #expect(admitted(interval - 1) == 3, "the first is no strike")
    }
  }

  @Test func `a connection's window has room for windowsPerConnection streams, up to maxConnectionWindow`() {
    var limits = HTTP2Limits()
    limits.connectionWindow = 1000
    limits.maxConnectionWindow = 100 * HTTP2Limits.windowsPerConnection
    #expect(limits.connectionWindow(besideStreamsOf: 1) == 1000)
    #expect(limits.connectionWindow(besideStreamsOf: 99) == 99 * HTTP2Limits.windowsPerConnection)
    #expect(limits.connectionWindow(besideStreamsOf: 101) == limits.maxConnectionWindow)
    limits.maxConnectionWindow = 10
    #expect(limits.connectionWindow(besideStreamsOf: 101) == 1000, "it does not shrink")
  }

  @Test func `a request is served until drainNoticeTimeout after the first GOAWAY`() async throws {
    typealias T = RawPeer.FrameType
    var limits = HTTP2Limits()
    limits.maxConnectionIdle = .seconds(60)
    limits.drainNoticeTimeout = .seconds(3)
    let acceptor = ScriptedAcceptor { _, stream in HoldingHandler(stream) }
    try await Fixture.run(acceptor, limits: limits, serverTime: ManualTime()) { fixture in
      let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      try peer.synchronize()
      await fixture.serverGroup.advance(by: .seconds(60))
      #expect(try peer.next(T.goAway) != nil)
      await fixture.serverGroup.advance(by: .milliseconds(2999))
      try peer.send(RawPeer.headers(1))
      try peer.synchronize()
      await fixture.serverGroup.advance(by: .milliseconds(1))
      #expect(try peer.next(T.goAway)?.payload.prefix(4) == [0, 0, 0, 1])
    }
  }
}
