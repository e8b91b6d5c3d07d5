import Base
import HTTP2
import RPC
import Testing

/// Requests and answers between our server and our client, in the clear and under TLS.
@Suite struct ExchangeTests {
  static let echo = ScriptedAcceptor { _, stream in EchoHandler(stream) }

  private func run(
    encrypted: Bool, _ acceptor: any RequestAcceptor = echo, limits: HTTP2Limits = HTTP2Limits(),
    _ body: (Fixture) async throws -> Void
  ) async throws {
    let certificate = encrypted ? try TestCertificate() : nil
    try await Fixture.run(acceptor, limits: limits, certificate: certificate, body)
  }

  @Test(arguments: [false, true])
  func `an answer has head, body and trailers`(encrypted: Bool) async throws {
    try await run(encrypted: encrypted) { fixture in
      let response = await Exchange.start(fixture.transport, body: [Array("hello".utf8)]).response()
      #expect(response.status == 200)
      #expect(response.headers.first("content-type") == "application/grpc")
      #expect(response.body == Array("hello".utf8))
      #expect(response.trailers?.first("grpc-status") == "0")
      #expect(response.closure == nil)
      #expect(response.closeCalls == 1)
    }
  }

  @Test(arguments: [false, true])
  func `the request's head arrives whole`(encrypted: Bool) async throws {
    let seen = Locked<RequestHead?>(nil)
    let peer = Locked<PeerInfo?>(nil)
    let acceptor = ScriptedAcceptor { head, stream in
      seen.withLock { $0 = head }
      let info = stream.peer
      peer.withLock { $0 = info }
      return EchoHandler(stream)
    }
    try await run(encrypted: encrypted, acceptor) { fixture in
      let headers: HeaderList = ["te": "trailers", "x-empty": "", "x-many": "one", "x-many": "two"]
      _ = await Exchange.start(fixture.transport, path: "/a.B/C", headers: headers).response()
    }
    let head = try #require(seen.withLock { $0 })
    #expect(head.method == "POST")
    #expect(head.path == "/a.B/C")
    #expect(head.authority == "localhost")
    #expect(head.headers.map { head.headers.name(of: $0) } == ["te", "x-empty", "x-many", "x-many"])
    #expect(head.headers.map { head.headers.value(of: $0) } == ["trailers", "", "one", "two"])
    #expect(peer.withLock { $0 }?.isEncrypted == encrypted)
    #expect(peer.withLock { $0 }?.address.hasPrefix("ipv4:127.0.0.1:") == true)
  }

  @Test func `a trailers-only answer ends with its head`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in
      stream.respond(status: 200, headers: ["grpc-status": "12"], endStream: true)
      return HoldingHandler(stream)
    }
    try await run(encrypted: false, acceptor) { fixture in
      let response = await Exchange.start(fixture.transport).response()
      #expect(response.headers.first("grpc-status") == "12")
      #expect(response.trailers == nil)
      #expect(response.hasEnded)
      #expect(response.closure == nil)
    }
  }

  @Test func `trailers without a body come without an empty DATA frame before them`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in
      stream.respond(status: 200, headers: ["a": "b"], endStream: false)
      stream.finish(trailers: ["grpc-status": "5"])
      return HoldingHandler(stream)
    }
    try await run(encrypted: false, acceptor) { fixture in
      let response = await Exchange.start(fixture.transport).response()
      #expect(response.body.isEmpty)
      #expect(response.trailers?.first("grpc-status") == "5")
      #expect(response.closure == nil)
    }
  }

  @Test func `an early answer ends the request, and both sides count it as regular`() async throws {
    let closures = Locked<[StreamClosure?]>([])
    let acceptor = ScriptedAcceptor { _, stream in
      stream.respond(status: 200, headers: HeaderList(), endStream: false)
      stream.finish(trailers: ["grpc-status": "3"])
      return HoldingHandler(stream, onClose: { reason in closures.withLock { $0.append(reason) } })
    }
    try await run(encrypted: false, acceptor) { fixture in
      let response = await Exchange.start(fixture.transport, body: [[1, 2, 3]], finish: false).response()
      #expect(response.trailers?.first("grpc-status") == "3")
      #expect(response.closure == nil)
    }
    #expect(closures.withLock { $0 } == [nil])
  }

  @Test(arguments: [false, true])
  func `a thousand streams are open at once on one connection`(encrypted: Bool) async throws {
    let count = 1000
    let handlers = Locked<[HoldingHandler]>([])
    let acceptor = ScriptedAcceptor { _, stream in
      let handler = HoldingHandler(stream)
      let all: [HoldingHandler]? = handlers.withLock { handlers in
        handlers.append(handler)
        return handlers.count == count ? handlers : nil
      }
      for handler in all ?? [] {
        handler.stream.respond(status: 200, headers: HeaderList(), endStream: false)
        handler.stream.write([1])
        handler.stream.finish(trailers: HeaderList())
      }
      return handler
    }
    try await run(encrypted: encrypted, acceptor) { fixture in
      let exchanges = (0..<count).map { _ in Exchange.start(fixture.transport) }
      for exchange in exchanges {
        let response = await exchange.response()
        #expect(response.body == [1])
        #expect(response.closure == nil)
      }
      #expect(fixture.server.connectionCount == 1)
    }
  }

  @Test func `requests beyond the server's limit wait for a free stream`() async throws {
    var limits = HTTP2Limits()
    limits.maxConcurrentStreams = 3
    let open = Locked((now: 0, most: 0))
    let acceptor = ScriptedAcceptor { _, stream in
      open.withLock {
        $0.now += 1
        $0.most = max($0.most, $0.now)
      }
      return EchoHandler(stream) { _ in open.withLock { $0.now -= 1 } }
    }
    try await run(encrypted: false, acceptor, limits: limits) { fixture in
      let exchanges = (0..<50).map { Exchange.start(fixture.transport, body: [[UInt8($0)]]) }
      for (index, exchange) in exchanges.enumerated() {
        #expect(await exchange.response().body == [UInt8(index)])
      }
    }
    #expect(open.withLock { $0.most } <= 3)
    #expect(open.withLock { $0.now } == 0)
  }

  @Test func `a Unix socket carries requests`() async throws {
    let path = "/tmp/octet-test-\(UInt64.random(in: 0...UInt64.max)).sock"
    try await Fixture.run(Self.echo, listen: .cleartext("unix:\(path)")!) { fixture in
      #expect(await Exchange.start(fixture.transport, body: [[7]]).response().body == [7])
    }
  }

  @Test func `several loops share the connections`() async throws {
    try await Fixture.run(Self.echo, loops: 2) { fixture in
      let exchanges = (0..<20).map { _ in Exchange.start(fixture.transport, body: [[9]]) }
      for exchange in exchanges { #expect(await exchange.response().body == [9]) }
      #expect(fixture.server.connectionCount == 2)
    }
  }
}
