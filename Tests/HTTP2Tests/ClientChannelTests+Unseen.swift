import RPC
import Testing

@testable import HTTP2

/// Requests that no server has seen, and connections that are used up.
extension ClientChannelTests {
  private static let ok = RawPeer.literal(":status", "200") + RawPeer.literal("content-type", "application/grpc")

  /// The frames of a whole answer.
  private static func answer(_ stream: UInt32, _ number: UInt8) -> [UInt8] {
    RawPeer.frame(Frames.headers, 4, stream, ok) + RawPeer.frame(Frames.data, 0, stream, [0, 0, 0, 0, 1, number])
      + RawPeer.frame(Frames.headers, 5, stream, RawPeer.literal("grpc-status", "0"))
  }

  /// A call that needs no thread of the pool, for which it might wait behind all other tests.
  private func begin(_ channel: RPCChannel, _ group: EventLoopGroup) -> Task<Int, any Error> {
    Task(executorPreference: group.loops[0]) { try await call(channel) }
  }

  @Test func `a request that a GOAWAY leaves out is sent over another connection`() async throws {
    let listener = try RawListener()
    try await withTransport(try #require(ClientTarget("127.0.0.1:\(listener.port)"))) { _, channel, group in
      let answer = begin(channel, group)
      let first = try listener.accept()
      _ = try first.next(Frames.data)
      try first.send(RawPeer.frame(Frames.goAway, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))
      let second = try listener.accept()
      let request = try #require(try second.next(Frames.data))
      #expect(request.payload == [0, 0, 0, 0, 1, 1])
      try second.send(Self.answer(request.stream, 9))
      expect(try await answer.value, 9)
    }
  }

  @Test func `a refused stream is sent once more over the same connection`() async throws {
    let listener = try RawListener()
    try await withTransport(try #require(ClientTarget("127.0.0.1:\(listener.port)"))) { _, channel, group in
      let answer = begin(channel, group)
      let peer = try listener.accept()
      let first = try #require(try peer.next(Frames.data))
      try peer.send(RawPeer.frame(Frames.reset, 0, first.stream, [0, 0, 0, 7]))
      let second = try #require(try peer.next(Frames.data))
      #expect(second.stream > first.stream)
      try peer.send(Self.answer(second.stream, 8))
      expect(try await answer.value, 8)
    }
  }

  @Test func `a request that the server may have seen is not sent again`() async throws {
    let listener = try RawListener()
    try await withTransport(try #require(ClientTarget("127.0.0.1:\(listener.port)"))) { _, channel, group in
      let answer = begin(channel, group)
      do {
        let peer = try listener.accept()
        _ = try peer.next(Frames.data)
      }
      await #expect { try await answer.value } throws: { ($0 as? RPCError)?.code == .unavailable }
    }
  }

  @Test func `a connection that is used up is replaced, with requests under way`() async throws {
    let acceptor = ScriptedAcceptor { head, stream in
      if head.path == "/hold" { return HoldingHandler(stream) }
      return EchoHandler(stream)
    }
    var limits = HTTP2Limits()
    limits.maxRequestsPerConnection = 3
    try await Fixture.run(acceptor, clientLimits: limits) { fixture in
      let held = Exchange.start(fixture.transport, path: "/hold", finish: false)
      for number in 1...9 {
        let exchange = Exchange.start(fixture.transport, body: [[UInt8(number)]])
        #expect(await exchange.response().body == [UInt8(number)])
      }
      // 3 + 3 + 3 + 1, the first of them held open.
      #expect(fixture.server.connectionCounts.accepted == 4)
      let burst = (1...20).map { Exchange.start(fixture.transport, body: [[UInt8($0)]]) }
      for (index, exchange) in burst.enumerated() { #expect(await exchange.response().body == [UInt8(index + 1)]) }
      held.reset(.cancel)
      #expect(await held.response().closure == .reset(.cancel))
      while fixture.server.connectionCount > 1 { await Task.yield() }
    }
  }
}
