import Base
import RPC
import Testing

@testable import HTTP2

/// Limits to the last that they allow, and one more.
@Suite(.ownThread) struct LimitTests {
  private typealias T = RawPeer.FrameType

  private static let calm = ResetCode.enhanceYourCalm.rawValue

  @Test func `a header block may have so many CONTINUATION`() throws {
    let most = HTTP2Limits().maxContinuations
    for (count, isTaken) in [(most, true), (most + 1, false)] {
      let harness = try SessionHarness(.server)
      try harness.feed(RawPeer.frame(T.headers, 1, 1, RawPeer.request()))
      for number in 1...count {
        try harness.feed(RawPeer.frame(T.continuation, number == count ? 4 : 0, 1, RawPeer.literal("a", "b")))
      }
      #expect(harness.goAway == (isTaken ? nil : Self.calm))
      #expect(harness.events.isEmpty != isTaken)
    }
  }

  @Test func `a header list may be so many times too large before it ends the connection`() throws {
    var limits = HTTP2Limits()
    limits.maxHeaderListSize = 400
    limits.headerBombFactor = 2
    // The four fields of the request count 170, and the fifth 33 and its value.
    for (length, isAnswered) in [(800 - 170 - 33, true), (800 - 170 - 32, false)] {
      let harness = try SessionHarness(.server, limits: limits)
      let block = RawPeer.request([("x", String(repeating: "v", count: length))])
      try harness.feed(RawPeer.headers(1, block, endStream: true))
      #expect(harness.goAway == (isAnswered ? nil : Self.calm))
      #expect(harness.events.isEmpty, "it is no request")
    }
  }

  @Test func `maxQueuedAcknowledgements may wait for a peer that does not read`() throws {
    var limits = HTTP2Limits()
    limits.maxQueuedAcknowledgements = 10
    for (count, isTaken) in [(10, true), (11, false)] {
      let harness = try SessionHarness(.server, limits: limits)
      // Twice, as what is sent does not wait any more.
      for _ in 0..<2 {
        try harness.feed(Array(repeating: RawPeer.frame(T.ping, 0, 0, Array(1...8)), count: count).flatMap { $0 })
      }
      #expect(harness.goAway == (isTaken ? nil : Self.calm))
    }
  }

  @Test func `SETTINGS may have so many parameters`() throws {
    let most = HTTP2Limits.parametersPerSettings
    for (count, isTaken) in [(most, true), (most + 1, false)] {
      let harness = try SessionHarness(.server)
      try harness.feed(RawPeer.frame(T.settings, 0, 0, (0..<count).flatMap { _ in [0, 99, 0, 0, 0, 1] as [UInt8] }))
      #expect(harness.goAway == (isTaken ? nil : Self.calm))
    }
  }

  @Test func `a DATA frame is as long as the peer takes, up to longestOutboundFrame`() throws {
    for size in [HTTP2Limits.longestOutboundFrame - 1, HTTP2Limits.longestOutboundFrame + 1] {
      let harness = try SessionHarness(.server)
      let octets = (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) }
      try harness.feed(RawPeer.frame(T.settings, 0, 0, [0, 5] + octets))
      #expect(harness.session.outboundFrameSize == min(size, HTTP2Limits.longestOutboundFrame))
    }
  }

  @Test func `a server that has said nothing is given no more than assumedConcurrentStreams`() throws {
    let harness = try SessionHarness(.client, greet: false)
    #expect(harness.session.peerMaxConcurrentStreams == HTTP2Limits.assumedConcurrentStreams)
    try harness.feed(RawPeer.frame(T.settings, 0, 0, [0, 3, 0, 0, 0, 7]))
    #expect(harness.session.peerMaxConcurrentStreams == 7)
  }

  @Test func `idle frames have a burst, and then so many a second`() {
    var limits = HTTP2Limits()
    limits.idleFrameBurst = 3
    limits.idleFramesPerSecond = 20
    var now: Int64 = 0
    var guardian = FloodGuard(limits: limits) { now }
    func admitted(_ count: Int) -> [Bool] { (0..<count).map { _ in guardian.admitsIdleFrame() } }
    #expect(admitted(4) == [true, true, true, false])
    let admitsReset = guardian.admitsReset()
    #expect(admitsReset, "these have a measure of their own")
    now += 100_000_000
    #expect(admitted(3) == [true, true, false])
    now += 3_600_000_000_000
    #expect(admitted(4) == [true, true, true, false])
  }

  @Test func `refusals do not pile up for a peer that does not read`() async throws {
    var limits = HTTP2Limits()
    limits.maxQueuedFrames = 100
    limits.maxConcurrentStreams = 0
    limits.resetBurst = 10_000_000
    // Its time stands still, so that nothing else ends the connection.
    try await Fixture.run(ExchangeTests.echo, limits: limits, serverTime: ManualTime()) { fixture in
      let peer = try RawPeer(
        port: try #require(fixture.server.boundAddresses[0].address.port), receiveBuffer: 4096)
      try peer.send(RawPeer.preface + RawPeer.frame(T.settings, 0, 0, []))
      #expect(throws: RawPeer.Failure.self) {
        for round in 0..<1000 as Range<UInt32> {
          try peer.send((0..<1000 as Range<UInt32>).flatMap { RawPeer.headers(2 * (1000 * round + $0) + 1) })
        }
      }
    }
  }
}
