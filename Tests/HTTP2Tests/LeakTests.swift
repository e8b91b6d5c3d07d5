import Base
import RPC
import Testing

@testable import HTTP2

/// What is gone must not stay in memory, however it went.
@Suite(.ownThread) struct LeakTests {
  private struct Weak: @unchecked Sendable {
    // Unchecked because it is only asked whether there is still something.
    weak var object: AnyObject?
  }

  @Test func `connections, streams and handlers go with their peers`() async throws {
    let objects = Locked([Weak]())
    let (closures, continuation) = AsyncStream<StreamClosure?>.makeStream()
    let acceptor = ScriptedAcceptor { _, stream in
      let handler = HoldingHandler(stream, onClose: { continuation.yield($0) })
      let parts: [AnyObject?] = [handler, stream, (stream as? HTTP2Stream)?.connection]
      objects.withLock { $0 += parts.map { Weak(object: $0) } }
      return handler
    }
    try await Fixture.run(acceptor) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      var ends = closures.makeAsyncIterator()
      for number in 0..<20 {
        var peer: RawPeer? = try RawPeer.greeted(port: port)
        try peer?.send(RawPeer.headers(1) + RawPeer.headers(3) + RawPeer.frame(RawPeer.FrameType.data, 0, 1, [1]))
        // The answer to a PING tells that the requests have been seen.
        try peer?.send(RawPeer.frame(RawPeer.FrameType.ping, 0, 0, Array(1...8)))
        _ = try peer?.next(RawPeer.FrameType.ping)
        // Some go in the middle of something, some are thrown out.
        if number.isMultiple(of: 2) { try peer?.send(RawPeer.headers(2)) } else { peer = nil }
        _ = await ends.next()
        _ = await ends.next()
        peer = nil
      }
      while fixture.server.connectionCount > 0 { await Task.yield() }
      for loop in fixture.serverGroup.loops {
        for _ in 0..<3 { await withCheckedContinuation { done in loop.execute { done.resume() } } }
      }
      #expect(objects.withLock { $0.count } == 120)
      #expect(objects.withLock { $0.count { $0.object != nil } } == 0)
    }
  }
}
