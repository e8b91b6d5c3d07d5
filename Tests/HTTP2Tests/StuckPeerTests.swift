import HTTP2
import RPC
import Testing

/// Peers that take nothing of what is sent to them, not even a GOAWAY.
@Suite struct StuckPeerTests {
  typealias Frames = RawPeer.FrameType

  @Test(arguments: [[], RawPeer.headers(2)] as [[UInt8]])
  func `a peer that does not read is given up, whatever it sends`(more: [UInt8]) async throws {
    let (closures, continuation) = AsyncStream<StreamClosure?>.makeStream()
    let acceptor = ScriptedAcceptor { _, stream in
      DownloadHandler(stream, total: 64 << 20) { continuation.yield($0) }
    }
    var limits = HTTP2Limits()
    limits.sendTimeout = .milliseconds(50)
    try await Fixture.run(acceptor, limits: limits) { fixture in
      let peer = try RawPeer(port: try #require(fixture.server.boundAddresses[0].address.port))
      let window: [UInt8] = [0x7f, 0xff, 0, 0]
      try peer.send(
        RawPeer.preface + RawPeer.frame(Frames.settings, 0, 0, [0, 4] + window)
          + RawPeer.frame(Frames.windowUpdate, 0, 0, window) + RawPeer.headers(1) + more)
      var iterator = closures.makeAsyncIterator()
      guard case .connectionLost = try #require(await iterator.next()) else {
        Issue.record("the connection is still there")
        return
      }
      withExtendedLifetime(peer) {}
    }
  }
}
