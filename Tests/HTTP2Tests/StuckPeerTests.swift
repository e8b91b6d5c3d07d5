import Base
import Glibc
import RPC
import Testing

@testable import HTTP2

/// Peers that take nothing of what is sent to them, not even a GOAWAY.
@Suite(.ownThread) struct StuckPeerTests {
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
      try peer.send(Self.request + more)
      var iterator = closures.makeAsyncIterator()
      guard case .connectionLost = try #require(await iterator.next()) else {
        Issue.record("the connection is still there")
        return
      }
      withExtendedLifetime(peer) {}
    }
  }

  private static let window: [UInt8] = [0x7f, 0xff, 0, 0]
  /// The preface with windows as large as they may be, and a request.
  private static let request =
    RawPeer.preface + RawPeer.frame(Frames.settings, 0, 0, [0, 4] + window)
    + RawPeer.frame(Frames.windowUpdate, 0, 0, window) + RawPeer.headers(1)

  /// What waits in the connection of a stream, and how much of it is sent.
  private func pending(_ stream: HTTP2Stream, _ loop: EventLoop) async -> (count: Int, offset: Int) {
    let box = UncheckedBox(stream)
    return await withCheckedContinuation { done in
      loop.execute {
        let pending = box.value.connection?.pending ?? PendingOutput()
        done.resume(returning: (pending.isEmpty ? 0 : pending.count + pending.taken, pending.taken))
      }
    }
  }

  /// Carries what only the loop looks into.
  private struct UncheckedBox: @unchecked Sendable {
    let value: HTTP2Stream

    init(_ value: HTTP2Stream) { self.value = value }
  }

  @Test(arguments: [(1 << 20, true), (1, false)])
  func `a peer that reads too slowly is given up, one that reads is not`(rate: Int, ends: Bool) async throws {
    let (closures, continuation) = AsyncStream<StreamClosure?>.makeStream()
    let stream = Locked<UncheckedBox?>(nil)
    let acceptor = ScriptedAcceptor { _, new in
      let made = new as! HTTP2Stream
      stream.withLock { $0 = UncheckedBox(made) }
      // Small steps: the kernel says that a socket is writable when a third of its buffer is free.
      var size: Int32 = 8192
      setsockopt(
        made.connection!.channel.descriptor.number, SOL_SOCKET, SO_SNDBUF, &size,
        socklen_t(MemoryLayout<Int32>.size))
      return DownloadHandler(new, total: 256 << 20) { continuation.yield($0) }
    }
    var limits = HTTP2Limits()
    limits.minSendRate = rate
    try await Fixture.run(acceptor, limits: limits, serverTime: ManualTime()) { fixture in
      let loop = fixture.serverGroup.loops[0]
      let peer = try RawPeer(
        port: try #require(fixture.server.boundAddresses[0].address.port), receiveBuffer: 4096)
      try peer.send(Self.request)
      while stream.withLock({ $0 == nil }) { await Task.yield() }
      let box = try #require(stream.withLock { $0 })
      while await pending(box.value, loop).count == 0 {}
      await fixture.serverGroup.advance(by: .seconds(59))
      // Some progress, but not all that waits.
      let stuck = await pending(box.value, loop)
      var now = stuck
      while now.offset == stuck.offset {
        try peer.skip(1)
        now = await pending(box.value, loop)
      }
      try #require(now.count == stuck.count)
      await fixture.serverGroup.advance(by: .seconds(1))
      let after = await pending(box.value, loop)
      #expect((after.count == 0) == ends)
      if ends {
        var iterator = closures.makeAsyncIterator()
        #expect(await iterator.next() == .connectionLost("the peer does not read"))
      }
    }
  }

  @Test func `a stream whose window stays shut is reset, one that moves on is not`() async throws {
    let (closures, continuation) = AsyncStream<(String, StreamClosure?)>.makeStream()
    let acceptor = ScriptedAcceptor { head, stream in
      DownloadHandler(stream, total: 8 << 20) { continuation.yield((head.path, $0)) }
    }
    try await Fixture.run(acceptor, serverTime: ManualTime()) { fixture in
      let peer = try RawPeer(port: try #require(fixture.server.boundAddresses[0].address.port))
      let settings = RawPeer.frame(Frames.settings, 0, 0, [0, 4, 0, 0, 0, 0])
      try peer.send(RawPeer.preface + settings + RawPeer.headers(1) + RawPeer.headers(3))
      try peer.synchronize()
      await fixture.serverGroup.advance(by: .seconds(300))
      #expect(fixture.server.connectionCount == 1)
      try peer.send(RawPeer.frame(Frames.windowUpdate, 0, 3, [0, 4, 0, 0]))
      var moved = 0
      while moved < 65_535 { moved += try #require(try peer.next(Frames.data)).payload.count }
      #expect(moved == 65_535, "the window of the connection")
      try peer.send(RawPeer.frame(Frames.windowUpdate, 0, 0, [0, 4, 0, 0]))
      while moved < 4 << 16 { moved += try #require(try peer.next(Frames.data)).payload.count }
      await fixture.serverGroup.advance(by: .seconds(300))
      let reset = try #require(try peer.next(Frames.reset))
      #expect(reset.stream == 1)
      #expect(reset.errorCode == ResetCode.enhanceYourCalm.rawValue)
      var iterator = closures.makeAsyncIterator()
      #expect(try #require(await iterator.next()).1 == .reset(.enhanceYourCalm))
    }
  }

  @Test func `SETTINGS after the last word do not make the connection wait`() async throws {
    let (streams, continuation) = AsyncStream<Void>.makeStream()
    let acceptor = ScriptedAcceptor { _, stream in
      continuation.yield()
      return DownloadHandler(stream, total: 64 << 20)
    }
    var limits = HTTP2Limits()
    limits.lingerTimeout = .milliseconds(50)
    try await Fixture.run(acceptor, limits: limits) { fixture in
      let peer = try RawPeer(port: try #require(fixture.server.boundAddresses[0].address.port))
      try peer.send(Self.request)
      _ = await streams.first { _ in true }
      async let drained: Void = fixture.server.drain(within: .seconds(600))
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      while (try? RawPeer(port: port)) != nil { await Task.yield() }
      // The answer to the drain's PING and the end of the stream make the server say its last words.
      let pong: [UInt8] = [0x6f, 0x63, 0x74, 0x65, 0x74, 0x64, 0x72, 0x61]
      try peer.send(
        RawPeer.frame(Frames.ping, 1, 0, pong) + RawPeer.frame(Frames.reset, 0, 1, [0, 0, 0, 8])
          + RawPeer.frame(Frames.settings, 0, 0, []))
      let start = ContinuousClock.now
      await drained
      #expect(ContinuousClock.now - start < .seconds(300))
      withExtendedLifetime(peer) {}
    }
  }
}
