import Base
import RPC
import Testing

@testable import HTTP2

/// What a server holds for peers that take nothing, or bring what nobody reads: all of them together have a bound.
@Suite(.ownThread) struct HeldBytesTests {
  private typealias T = RawPeer.FrameType

  private static let calm = ResetCode.enhanceYourCalm.rawValue
  /// A preface with windows through which nothing can be sent.
  private static let shut = RawPeer.preface + RawPeer.frame(T.settings, 0, 0, [0, 4, 0, 0, 0, 0])
  /// What a `DownloadHandler` queues on a stream that can send nothing.
  private static let perStream = 2 * StreamWaterMarks.high

  private static func limits(_ bytes: Int) -> HTTP2Limits {
    var limits = HTTP2Limits()
    limits.heldBytes = bytes
    // Nothing else is to end anything.
    limits.stallTimeout = nil
    return limits
  }

  private static let downloads = ScriptedAcceptor { head, stream in
    if head.path == "/quick" { return EchoHandler(stream) }
    return DownloadHandler(stream, total: 64 << 20)
  }

  private func port(_ fixture: Fixture) throws -> UInt16 { try #require(fixture.server.boundAddresses[0].address.port) }

  /// A peer that asks for so many answers and takes none of them.
  private func stalled(_ fixture: Fixture, streams: Int) throws -> RawPeer {
    let peer = try RawPeer(port: try port(fixture))
    try peer.send(Self.shut + (0..<UInt32(streams)).flatMap { RawPeer.headers(2 * $0 + 1, endStream: true) })
    try peer.synchronize()
    return peer
  }

  /// What the server holds, and says so by the end of each tick; one in which a socket takes more has to end first.
  private func held(_ fixture: Fixture) async -> Int {
    let (loop, server) = (fixture.serverGroup.loops[0], fixture.server)
    var (said, real) = (-1, 0)
    for _ in 0..<100 where said != real {
      (said, real) = await loop.value { (server.held[loop.number]?.count ?? -1, Self.holdings(server)) }
    }
    #expect(said == real)
    return real
  }

  /// On the loop.
  private static func holdings(_ server: HTTP2Server) -> Int {
    let connections = server.state.withLock { Array($0.connections.values) }
    return connections.reduce(0) { sum, connection in
      connection.streams.reduce(sum + (connection.pending.isEmpty ? 0 : connection.pending.count)) {
        $0 + $1.heldBytes
      }
    }
  }

  @Test func `answers that nobody takes stay within heldBytes, and others are served`() async throws {
    let limit = 8 << 20
    try await Fixture.run(Self.downloads, limits: Self.limits(limit)) { fixture in
      var peers: [RawPeer] = []
      for count in 1...20 {
        peers.append(try stalled(fixture, streams: 40))
        let held = await held(fixture)
        #expect(held <= limit / 4 * 3 && held >= min(count * 40 * Self.perStream, limit / 2 - Self.perStream))
        let answer = await Exchange.start(fixture.transport, path: "/quick", body: [[1, 2, 3]]).response()
        #expect(answer.body == [1, 2, 3] && answer.closure == nil)
      }
      #expect(try peers[0].next(T.reset)?.errorCode == Self.calm)
      #expect(fixture.server.connectionCount == 21, "those whose sockets take what they may have lose streams only")
      peers = []
      while fixture.server.connectionCount > 1 { await Task.yield() }
      #expect(await held(fixture) == 0)
    }
  }

  @Test func `what comes before its time over HTTP/1 stays within heldBytes, too`() async throws {
    let (limit, count, begun) = (1 << 20, 60, Locked(0))
    let acceptor = ScriptedAcceptor { head, stream in
      if head.path == "/quick" { return EchoHandler(stream) }
      begun.withLock { $0 += 1 }
      return HoldingHandler(stream)
    }
    try await Fixture.run(acceptor, limits: Self.limits(limit)) { fixture in
      _ = await Exchange.start(fixture.transport, path: "/quick", body: [[1]]).response()
      var peers: [RawPeer] = []
      for _ in 0..<count {
        let peer = try RawPeer(port: try port(fixture))
        try peer.send(Array("GET /held HTTP/1.1\r\nhost: a\r\n\r\n".utf8) + [UInt8](repeating: 65, count: 100_000))
        peers.append(peer)
      }
      // All of them were let in, and brought so much that some were sent away again.
      while begun.withLock({ $0 }) < count || fixture.server.connectionCount > count { await Task.yield() }
      let loop = fixture.serverGroup.loops[0]
      let held = await loop.value { fixture.server.held[loop.number]?.count ?? -1 }
      #expect(held > 0 && held <= limit / 4 * 3)
      let answer = await Exchange.start(fixture.transport, path: "/quick", body: [[1, 2, 3]]).response()
      #expect(answer.body == [1, 2, 3] && answer.closure == nil)
      withExtendedLifetime(peers) {}
    }
  }

  @Test func `a burst of requests for large answers is refused where heldBytes are reached`() async throws {
    let answer = 1 << 20
    let limit = 8 * answer
    let (most, server) = (Locked(0), Locked<HTTP2Server?>(nil))
    let acceptor = ScriptedAcceptor { _, stream in
      let holdings = server.withLock { $0 }.map { Self.holdings($0) } ?? 0
      most.withLock { $0 = max($0, holdings) }
      return DownloadHandler(stream, total: answer, chunk: answer)
    }
    try await Fixture.run(acceptor, limits: Self.limits(limit)) { fixture in
      server.withLock { $0 = fixture.server }
      defer { server.withLock { $0 = nil } }
      let peer = try RawPeer(port: try port(fixture))
      try peer.send(Self.shut + (0..<100 as Range<UInt32>).flatMap { RawPeer.headers(2 * $0 + 1, endStream: true) })
      while try #require(try peer.next(T.reset)).errorCode != ResetCode.refusedStream.rawValue {}
      #expect(most.withLock { $0 } >= limit - answer)
      #expect(most.withLock { $0 } <= limit + HTTP2Limits.unsettledBytes)
      // After that there is room again.
      let other = await Exchange.start(fixture.transport).response()
      #expect(other.bodySize == answer && other.closure == nil)
    }
  }

  @Test func `who holds most loses it first, and no more than there is too much`() async throws {
    // A little more than 32 streams, for the heads of the answers.
    let limit = 32 * Self.perStream + 8192
    try await Fixture.run(Self.downloads, limits: Self.limits(limit), serverTime: ManualTime()) { fixture in
      let peers = try [1, 20, 10].map { try stalled(fixture, streams: $0) }
      #expect(await held(fixture) == 16 * Self.perStream)
      let loop = fixture.serverGroup.loops[0]
      let connections = fixture.server.state.withLock { Array($0.connections.values) }
        .sorted { $0.inspectionID < $1.inspectionID }
      #expect(await loop.value { connections.map(\.streams.count) } == [1, 5, 10])
      withExtendedLifetime(peers) {}
    }
  }

  @Test func `a peer that takes nothing from its socket loses its connection`() async throws {
    try await Fixture.run(Self.downloads, limits: Self.limits(2 << 20)) { fixture in
      let window: [UInt8] = [0x7f, 0xff, 0, 0]
      let open =
        RawPeer.preface + RawPeer.frame(T.settings, 0, 0, [0, 4] + window)
        + RawPeer.frame(T.windowUpdate, 0, 0, window) + RawPeer.headers(1, endStream: true)
      let (server, loop) = (fixture.server, fixture.serverGroup.loops[0])
      var peers: [RawPeer] = []
      // One after the other, each until its socket is full: before that it would lose its stream alone.
      while server.connectionCount == peers.count, peers.count < 64 {
        let peer = try RawPeer(port: try port(fixture), receiveBuffer: 4096)
        try peer.send(open)
        peers.append(peer)
        while server.connectionCounts.accepted < peers.count { await Task.yield() }
        while server.connectionCount == peers.count, await loop.value({ Self.isFilling(server) }) { await Task.yield() }
        #expect(await held(fixture) <= 2 << 20)
      }
      #expect(server.connectionCount < peers.count)
    }
  }

  /// Whether a download has not begun or goes on into a socket that takes more. On the loop.
  private static func isFilling(_ server: HTTP2Server) -> Bool {
    server.state.withLock {
      $0.connections.values.contains {
        $0.traffic.streamsStarted == 0 || $0.pending.isEmpty && !$0.streams.isEmpty
      }
    }
  }

  @Test func `bodies that no handler reads count as well`() async throws {
    let limit = 1 << 20
    let acceptor = ScriptedAcceptor { _, stream in HoldingHandler(stream) }
    try await Fixture.run(acceptor, limits: Self.limits(limit)) { fixture in
      let peer = try RawPeer.greeted(port: try port(fixture))
      let part = [UInt8](repeating: 0, count: 15_000)
      for stream in 0..<16 as Range<UInt32> {
        let body = (0..<4).flatMap { _ in RawPeer.frame(T.data, 0, 2 * stream + 1, part) }
        try peer.send(RawPeer.headers(2 * stream + 1) + body)
      }
      #expect(try peer.next(T.reset)?.errorCode == Self.calm)
      try peer.synchronize()
      #expect(await held(fixture) <= limit / 4 * 3)
      #expect(fixture.server.connectionCount == 1)
    }
  }

  @Test func `heads longer than uncountedHead count as well`() async throws {
    let limit = 1 << 20
    let acceptor = ScriptedAcceptor { _, stream in HoldingHandler(stream) }
    try await Fixture.run(acceptor, limits: Self.limits(limit)) { fixture in
      let peer = try RawPeer.greeted(port: try port(fixture))
      let size = [":method", "POST", ":scheme", "http", ":path", "/a/b", ":authority", "x", "x"]
        .reduce(5 * 32) { $0 + $1.utf8.count }
      for (stream, excess) in [(1, 0), (3, 1)] as [(UInt32, Int)] {
        let value = String(repeating: "v", count: HTTP2Limits.uncountedHead - size + excess)
        try peer.send(RawPeer.headers(stream, RawPeer.request([("x", value)])))
        try peer.synchronize()
        #expect(await held(fixture) == (excess == 0 ? 0 : HTTP2Limits.uncountedHead + 1))
      }
      let block = RawPeer.request([("x", String(repeating: "v", count: 12_000))])
      for number in 0..<70 as Range<UInt32> { try peer.send(RawPeer.headers(2 * number + 5, block)) }
      #expect(try peer.next(T.reset)?.errorCode == Self.calm)
      try peer.synchronize()
      #expect(await held(fixture) <= limit / 4 * 3)
    }
  }

  @Test func `what is held weighs by the time that nothing of it has moved`() {
    var holding = Holding()
    holding.queued = 100
    #expect(holding.settle(20, consumed: 0, isStuck: false, at: 0) == 120)
    #expect(holding.weight(at: 10) == 1200)
    // A part has moved, and as much has come anew.
    (holding.queued, holding.gone) = (180, 80)
    #expect(holding.settle(20, consumed: 30, isStuck: false, at: 20) == 0)
    #expect(holding.weight(at: 20) == 2400)
    // All that was there at first: but it may still be waiting for the socket.
    (holding.queued, holding.gone) = (190, 90)
    #expect(holding.settle(20, consumed: 30, isStuck: true, at: 30) == 0)
    #expect(holding.weight(at: 31) == 31 * 120)
    #expect(holding.settle(20, consumed: 30, isStuck: false, at: 40) == 0)
    #expect(holding.weight(at: 41) == 120)
    holding.gone = 190
    #expect(holding.settle(0, consumed: 50, isStuck: false, at: 50) == -120)
    #expect(holding.held == 0)
  }
}
