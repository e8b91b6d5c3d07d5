import Base
import HTTP2
import RPC
import Testing

/// How streams and connections end before their time, and how a server is drained.
@Suite(.ownThread) struct EndingTests {
  /// Hands the test what happens on the server.
  private final class Observer: Sendable {
    let streams: AsyncStream<HoldingHandler>
    let closures: AsyncStream<StreamClosure?>
    private let streamContinuation: AsyncStream<HoldingHandler>.Continuation
    private let closureContinuation: AsyncStream<StreamClosure?>.Continuation

    init() {
      (streams, streamContinuation) = AsyncStream.makeStream()
      (closures, closureContinuation) = AsyncStream.makeStream()
    }

    var acceptor: ScriptedAcceptor {
      ScriptedAcceptor { [streamContinuation, closureContinuation] head, stream in
        if head.path == "/quick" { return EchoHandler(stream) }
        let handler = HoldingHandler(stream, onClose: { closureContinuation.yield($0) })
        streamContinuation.yield(handler)
        return handler
      }
    }

    func nextStream() async throws -> HoldingHandler { try #require(await streams.first { _ in true }) }
    func nextClosure() async throws -> StreamClosure? { try #require(await closures.first { _ in true }) }
  }

  private func answer(_ handler: HoldingHandler) {
    handler.stream.executor.execute {
      handler.stream.respond(status: 200, headers: ["grpc-status": "0"], endStream: true)
    }
  }

  @Test func `a client's reset reaches the handler`() async throws {
    let observer = Observer()
    try await Fixture.run(observer.acceptor) { fixture in
      let exchange = Exchange.start(fixture.transport, finish: false)
      _ = try await observer.nextStream()
      exchange.reset(.cancel)
      #expect(try await observer.nextClosure() == .reset(.cancel))
      let response = await exchange.response()
      #expect(response.closure == .reset(.cancel))
      #expect(response.closeCalls == 1)
    }
  }

  @Test func `a handler's reset reaches the client`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in
      stream.reset(.enhanceYourCalm)
      return HoldingHandler(stream)
    }
    try await Fixture.run(acceptor) { fixture in
      #expect(await Exchange.start(fixture.transport).response().closure == .reset(.enhanceYourCalm))
    }
  }

  @Test func `a refused stream is told from a failed one`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in
      stream.reset(.refusedStream)
      return HoldingHandler(stream)
    }
    try await Fixture.run(acceptor) { fixture in
      #expect(await Exchange.start(fixture.transport).response().closure == .refused)
    }
  }

  @Test func `a call that is cancelled frees its place at once, whatever its handler does`() async throws {
    let stays = Locked<CheckedContinuation<Void, Never>?>(nil)
    let (begun, begin) = AsyncStream<Void>.makeStream()
    var registry = ServiceRegistry()
    registry.unary(MethodDescriptor(service: "a", name: "b", kind: .unary)) { (request: RawMessage, _) in
      guard !request.bytes.isEmpty else { return request }
      // Deaf to the cancellation of its task.
      await withCheckedContinuation { stay in
        stays.withLock { $0 = stay }
        begin.yield()
      }
      return request
    }
    var limits = HTTP2Limits()
    limits.maxConcurrentStreams = 1
    try await Fixture.run(RPCServer(registry: registry), limits: limits) { fixture in
      typealias T = RawPeer.FrameType
      let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      let head = RawPeer.request([("content-type", "application/grpc"), ("te", "trailers")])
      func call(_ stream: UInt32, _ message: [UInt8]) -> [UInt8] {
        RawPeer.headers(stream, head) + RawPeer.frame(T.data, 1, stream, EncodedMessage(RawMessage(message)).bytes)
      }
      try peer.send(call(1, [1]))
      _ = await begun.first { _ in true }
      try peer.send(call(3, []))
      let refusal = try #require(try peer.next(T.reset))
      #expect(refusal.stream == 3 && refusal.errorCode == ResetCode.refusedStream.rawValue)
      try peer.send(RawPeer.frame(T.reset, 0, 1, [0, 0, 0, 8]) + call(5, []))
      #expect(try peer.next(T.data)?.stream == 5)
      let stay = try #require(stays.withLock { $0 })
      stay.resume()
    }
  }

  @Test func `everything after the end of a stream is harmless`() async throws {
    let observer = Observer()
    try await Fixture.run(observer.acceptor) { fixture in
      let exchange = Exchange.start(fixture.transport, finish: false)
      let handler = try await observer.nextStream()
      exchange.reset(.cancel)
      _ = try await observer.nextClosure()
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        handler.stream.executor.execute {
          handler.stream.write([1])
          handler.stream.finish(trailers: nil)
          handler.stream.consumed(0)
          handler.stream.reset(.cancel)
          #expect(handler.stream.queuedBytes == 0)
          done.resume()
        }
      }
      _ = await exchange.response()
      exchange.write([1])
      exchange.finish()
      exchange.reset(.cancel)
    }
  }

  @Test func `an idle connection is closed as soon as its client knows that the server drains`() async throws {
    var limits = HTTP2Limits()
    // So that it is the client's answer that ends the connection.
    limits.drainNoticeTimeout = .seconds(600)
    try await Fixture.run(ExchangeTests.echo, limits: limits) { fixture in
      _ = await Exchange.start(fixture.transport).response()
      let start = ContinuousClock.now
      await fixture.server.drain(within: .seconds(600))
      #expect(ContinuousClock.now - start < .seconds(300))
      #expect(fixture.server.connectionCount == 0)
    }
  }

  @Test func `a drain waits for the requests under way`() async throws {
    let observer = Observer()
    try await Fixture.run(observer.acceptor) { fixture in
      let exchange = Exchange.start(fixture.transport)
      let handler = try await observer.nextStream()
      async let drained: Void = fixture.server.drain(within: .seconds(600))
      // The listener goes first, so this tells that the drain has begun.
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      while (try? RawPeer(port: port)) != nil { await Task.yield() }
      answer(handler)
      let response = await exchange.response()
      #expect(response.headers.first("grpc-status") == "0")
      #expect(response.closure == nil)
      await drained
      #expect(try await observer.nextClosure() == nil)
    }
  }

  @Test func `after the limit of a drain the handlers hear of the shutdown`() async throws {
    let observer = Observer()
    try await Fixture.run(observer.acceptor) { fixture in
      let exchange = Exchange.start(fixture.transport)
      _ = try await observer.nextStream()
      await fixture.server.drain(within: .milliseconds(20))
      #expect(try await observer.nextClosure() == .shutdown)
      guard case .connectionLost = await exchange.response().closure else {
        Issue.record("the client does not know")
        return
      }
    }
  }

  @Test func `after the limit of a drain clients have what is ready, and know what was seen`() async throws {
    let observer = Observer()
    try await Fixture.run(observer.acceptor) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      let peer = try RawPeer.greeted(port: port)
      try peer.send(RawPeer.headers(1, endStream: true) + RawPeer.headers(3, endStream: true))
      _ = try await observer.nextStream()
      let second = try await observer.nextStream()
      // Answered in the very tick in which the limit is over.
      second.stream.executor.execute { [server = fixture.server] in
        Task.immediate { await server.drain(within: .zero) }
        second.stream.respond(status: 200, headers: ["grpc-status": "0"], endStream: true)
      }
      let frames = RawPeer.frames(try peer.readAll())
      let ends = frames.filter { $0.type == RawPeer.FrameType.goAway }.map { Array($0.payload[..<4]) }
      #expect(ends == [[0x7f, 0xff, 0xff, 0xff], [0, 0, 0, 3]])
      #expect(frames.contains { $0.type == RawPeer.FrameType.headers && $0.stream == 3 })
    }
  }

  @Test func `a transport that is shut down waits for its requests and takes no more`() async throws {
    let observer = Observer()
    try await Fixture.run(observer.acceptor) { fixture in
      let transport = fixture.anotherTransport()
      let exchange = Exchange.start(transport)
      let handler = try await observer.nextStream()
      async let ended: Void = transport.shutdown()
      while await Exchange.start(transport, path: "/quick").response().closure != .shutdown {}
      answer(handler)
      #expect(await exchange.response().closure == nil)
      await ended
    }
  }
}
