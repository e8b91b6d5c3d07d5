import Glibc
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

  /// Has a call begin just when the reset of the client's only connection has come, so that the first that the client
  /// learns of it is that it cannot send. Its socket has what the peer said before. On the loop, which it holds.
  /// - Parameter reset: causes the reset, given the number of the client's socket.
  private func call(
    _ channel: RPCChannel, over client: ClientChannel, after reset: (_ socket: Int32) throws -> Void
  ) throws -> Task<Int, any Error> {
    guard case .ready(let connection)? = client.ready.first?.state else {
      throw RawPeer.Failure(call: "ready", code: 0)
    }
    var socket = pollfd(fd: connection.channel.descriptor.number, events: 0, revents: 0)
    try reset(socket.fd)
    guard poll(&socket, 1, 600_000) == 1 else { throw RawPeer.Failure(call: "poll", code: errno) }
    return Task.immediate(executorPreference: client.loop) { try await call(channel) }
  }

  /// The same, of a peer that hangs up after its last words.
  private func call(
    _ channel: RPCChannel, of transport: HTTP2ClientTransport, to peer: RawPeer, hangingUpAfter words: [UInt8] = []
  ) async throws -> Task<Int, any Error> {
    // Unsafe as the compiler cannot see that the caller waits until the loop has done with it.
    nonisolated(unsafe) let peer = peer
    let client = transport.channels[0]
    return try await Task(executorPreference: client.loop) {
      try call(channel, over: client) { _ in
        try peer.send(words)
        peer.abort()
      }
    }.value
  }

  private static let retrying = ServiceConfig(methods: [
    ServiceConfig.MethodConfig(
      names: [ServiceConfig.MethodName()],
      attempts: .retry(
        RetryPolicy(
          maxAttempts: 2, initialBackoff: .seconds(1), maxBackoff: .seconds(1), backoffMultiplier: 1,
          retryableStatusCodes: [.aborted])))
  ])

  @Test(arguments: [ServiceConfig(), retrying])
  func `what a server has said before it hung up counts`(_ config: ServiceConfig) async throws {
    let listener = try RawListener()
    try await withTransport(try #require(ClientTarget("127.0.0.1:\(listener.port)")), config) {
      transport, channel, group in
      let answered = begin(channel, group)
      let first = try listener.accept()
      let request = try #require(try first.next(Frames.data))
      let last = RawPeer.frame(Frames.goAway, 0, 0, [0, 0, 0, UInt8(request.stream), 0, 0, 0, 0])
      let words = Self.answer(request.stream, 4) + last
      let leftOut = try await call(channel, of: transport, to: first, hangingUpAfter: words)
      expect(try await answered.value, 4)
      let second = try listener.accept()
      // Nothing of it was sent, so that a server may refuse it once.
      try second.send(RawPeer.frame(Frames.reset, 0, try #require(try second.next(Frames.data)).stream, [0, 0, 0, 7]))
      try second.send(Self.answer(try #require(try second.next(Frames.data)).stream, 5))
      expect(try await leftOut.value, 5)
    }
  }

  @Test(arguments: [ServiceConfig(), retrying])
  func `a request of which nothing could be sent is sent over another connection, and counts for none`(
    _ config: ServiceConfig
  ) async throws {
    let listener = try RawListener()
    try await withTransport(try #require(ClientTarget("127.0.0.1:\(listener.port)")), config) {
      transport, channel, group in
      let before = begin(channel, group)
      var peer = try listener.accept()
      try peer.send(Self.answer(try #require(try peer.next(Frames.data)).stream, 1))
      expect(try await before.value, 1)
      let unsent = try await call(channel, of: transport, to: peer)
      // A server that refuses it, as each may once, is its first.
      peer = try listener.accept()
      let first = try #require(try peer.next(Frames.data))
      try peer.send(RawPeer.frame(Frames.reset, 0, first.stream, [0, 0, 0, 7]))
      let second = try #require(try peer.next(Frames.data))
      try peer.send(Self.answer(second.stream, 6))
      expect(try await unsent.value, 6)
    }
  }

  @Test(arguments: [false, true])
  func `an answer that came before the connection broke counts, also under TLS`(_ isEncrypted: Bool) async throws {
    let (handlers, begin) = AsyncStream<HoldingHandler>.makeStream()
    let acceptor = ScriptedAcceptor { _, stream in
      let handler = HoldingHandler(stream)
      begin.yield(handler)
      return handler
    }
    try await Fixture.run(acceptor, certificate: isEncrypted ? TestCertificate() : nil) { fixture in
      let answered = Exchange.start(fixture.transport)
      let held = try #require(await handlers.first { _ in true })
      let (client, server) = (fixture.transport.channels[0], fixture.server)
      let channel = RPCChannel(transport: fixture.transport, authority: "house")
      let late = try await Task(executorPreference: client.loop) {
        try call(channel, over: client) { socket in
          held.stream.executor.execute {
            held.stream.respond(status: 200, headers: ["grpc-status": "0"], endStream: true)
            Task.immediate { await server.drain(within: .zero) }
          }
          let end = ContinuousClock.now + .seconds(600)
          while server.connectionCount > 0, ContinuousClock.now < end { sched_yield() }
          // To what comes for a socket that is closed the kernel answers with a reset.
          _ = send(socket, [0], 1, Int32(MSG_NOSIGNAL))
        }
      }.value
      let response = await answered.response()
      #expect(response.status == 200 && response.closure == nil)
      late.cancel()
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
