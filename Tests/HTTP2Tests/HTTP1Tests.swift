import Base
import HTTP2
import RPC
import Testing

/// Requests of HTTP/1 clients and their answers, octet by octet over a real socket.
@Suite(.ownThread) struct HTTP1Tests {
  static let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

  /// Answers at once with `status`, `headers` and `body`.
  private static func answering(
    _ status: Int = 200, _ headers: HeaderList = HeaderList(), _ body: String? = "hello", trailers: HeaderList? = nil
  ) -> ScriptedAcceptor {
    ScriptedAcceptor { _, stream in
      stream.respond(status: status, headers: headers, endStream: body == nil)
      if let body {
        stream.write(Array(body.utf8))
        stream.finish(trailers: trailers)
      }
      return HoldingHandler(stream)
    }
  }

  private func ask(_ acceptor: any RequestAcceptor, _ octets: String, isHead: Bool = false) async throws -> HTTP1Answer?
  {
    let result = Locked<HTTP1Answer?>(nil)
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(octets)
      let answer = try peer.answer(toHead: isHead)
      result.withLock { $0 = answer }
    }
    return result.withLock { $0 }
  }

  /// The heads of the requests in `octets`, as handlers see them.
  private func heads(_ octets: String, answers: Int = 1) async throws -> [RequestHead] {
    let seen = Locked<[RequestHead]>([])
    let acceptor = ScriptedAcceptor { head, stream in
      seen.withLock { $0.append(head) }
      return EchoHandler(stream)
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(octets)
      for _ in 0..<answers { #expect(try peer.answer()?.status == 200) }
    }
    return seen.withLock { $0 }
  }

  // MARK: Requests

  @Test func `the head of a request arrives whole, without what concerns the connection`() async throws {
    let head = try #require(
      try await heads(
        "PUT /a/b?c=d HTTP/1.1\r\nHost: example.org:80\r\nConnection: keep-alive, x\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
          + "Upgrade: h2c\r\nX-Empty:\r\nX-Many: \t one two \t \r\nx-many: \u{e9}\r\nContent-Length: 0\r\n\r\n"
      ).first)
    #expect(head.method == "PUT")
    #expect(head.path == "/a/b?c=d")
    #expect(head.scheme == "http")
    #expect(head.authority == "example.org:80")
    #expect(head.headers.map { head.headers.name(of: $0) } == ["x-empty", "x-many", "x-many", "content-length"])
    #expect(head.headers.map { head.headers.value(of: $0) } == ["", "one two", "\u{e9}", "0"])
  }

  @Test func `an absolute target stands before Host`() async throws {
    let end = " HTTP/1.1\r\nHost: other\r\n\r\n"
    let heads = try await heads(
      "GET HTTP://a:1/b?c\(end)GET https://a\(end)OPTIONS http://a\(end)GET http://a?b\(end)OPTIONS *\(end)", answers: 5
    )
    #expect(heads.map(\.authority) == ["a:1", "a", "a", "a", "other"])
    #expect(heads.map(\.path) == ["/b?c", "/", "*", "/?b", "*"])
    #expect(heads.map(\.scheme) == ["http", "https", "http", "http", "http"])
  }

  @Test func `a body comes by length or in chunks`() async throws {
    let chunked =
      "POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: Chunked\r\n\r\n"
      + "5\r\nhello\r\n00A ; a=\"b c\" ;d\r\n, chunks: \r\n1\r\n!\r\n000\r\nTrailer: dropped\r\n\r\n"
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let peer = try RawPeer(fixture)
      for _ in 0..<2 {
        try peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        #expect(try peer.answer()?.body == "hello")
        try peer.send(chunked)
        #expect(try peer.answer()?.body == "hello, chunks: !")
      }
    }
  }

  @Test func `octets that come one by one make the same requests`() async throws {
    let requests =
      "\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
      + "PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n1\r\nd\r\n0\r\nt: v\r\n\r\n\r\n"
      + "PRIMARY /c HTTP/1.1\r\nHost: x\r\n\r\n"
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let peer = try RawPeer(fixture)
      for octet in requests.utf8 { try peer.send([octet]) }
      #expect(try peer.answer()?.body == "hello")
      #expect(try peer.answer()?.body == "abcd")
      #expect(try peer.answer()?.body == "")
    }
  }

  @Test(arguments: ["P", "PU", "PR", "PRO"])
  func `a method is told from HTTP 2's preface, however it comes`(start: String) async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(start)
      // The server has read the start when it has answered somebody who asked later, on the same loop.
      _ = await Exchange.start(fixture.transport).response()
      try peer.send("X / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try peer.answer()?.status == 200)
    }
  }

  @Test func `HTTP 2's preface may come in pieces`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      for cut in 1..<RawPeer.preface.count {
        let peer = try RawPeer(fixture)
        try peer.send(Array(RawPeer.preface[..<cut]))
        _ = await Exchange.start(fixture.transport).response()
        try peer.send(Array(RawPeer.preface[cut...]) + RawPeer.frame(RawPeer.FrameType.settings, 0, 0, []))
        #expect(try peer.next()?.type == RawPeer.FrameType.settings)
      }
    }
  }

  @Test func `requests are served one at a time and answered in order`() async throws {
    let streams = Locked<[HoldingHandler]>([])
    let acceptor = ScriptedAcceptor { _, stream in
      let handler = HoldingHandler(stream)
      streams.withLock { $0.append(handler) }
      // The first is answered later; the second is not to be seen until then.
      stream.executor.execute {
        handler.stream.executor.execute {
          let count = streams.withLock { $0.count }
          handler.stream.respond(status: 200, headers: ["seen": "\(count)"], endStream: true)
        }
      }
      return handler
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(String(repeating: Self.get, count: 100))
      for index in 1...100 { #expect(try peer.answer()?.headers["seen"] == "\(index)") }
    }
  }

  @Test func `pipelined requests are not read without end`() async throws {
    let acceptor = ScriptedAcceptor { head, stream in
      if head.path == "/wait" { return HoldingHandler(stream) }
      return EchoHandler(stream)
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      peer.setSendLimit(milliseconds: 300)
      try peer.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
      // Socket buffers take some megabytes; then the peer has to wait.
      #expect(throws: RawPeer.Failure.self) {
        try peer.send(String(repeating: Self.get, count: 2_000_000))
      }
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
    }
  }

  // MARK: Answers

  @Test func `a whole answer has a length, one under way comes in chunks`() async throws {
    let whole = try #require(try await ask(Self.answering(), Self.get))
    #expect(whole.headers["content-length"] == "5")
    #expect(whole.body == "hello")
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel")
      #expect(try peer.takeLine() == Array("HTTP/1.1 200 OK\r\n".utf8))
      try peer.send("lo")
      var lines: [String] = []
      while lines.last != "0\r\n" { lines.append(String(decoding: try peer.takeLine(), as: UTF8.self)) }
      #expect(
        lines == [
          "content-type: application/grpc\r\n", "transfer-encoding: chunked\r\n", "\r\n", "3\r\n", "hel\r\n", "2\r\n",
          "lo\r\n", "0\r\n",
        ])
    }
  }

  @Test func `trailers are for clients who ask for them`() async throws {
    let acceptor = Self.answering(trailers: ["x-sum": "1"])
    let asked = try await ask(acceptor, "GET / HTTP/1.1\r\nHost: x\r\nTE: gzip;q=0.5, Trailers\r\n\r\n")
    #expect(asked?.trailers == ["x-sum": "1"])
    #expect(asked?.body == "hello")
    let unasked = try await ask(acceptor, Self.get)
    #expect(unasked?.trailers == [:])
    #expect(unasked?.body == "hello")
  }

  @Test func `HEAD gets the head alone, and the connection goes on`() async throws {
    try await Fixture.run(Self.answering(200, ["content-length": "5", "a": "b"])) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + Self.get)
      let head = try #require(try peer.answer(toHead: true))
      #expect(head.headers == ["content-length": "5", "a": "b"])
      #expect(try peer.answer()?.body == "hello")
    }
  }

  @Test(arguments: [204, 304])
  func `an answer that has no body has none`(status: Int) async throws {
    try await Fixture.run(Self.answering(status)) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.get + Self.get)
      #expect(try peer.answer() == HTTP1Answer(status: status))
      #expect(try peer.answer() == HTTP1Answer(status: status))
    }
  }

  @Test func `an answer without a body says so`() async throws {
    #expect(try await ask(Self.answering(404, HeaderList(), nil), Self.get)?.headers == ["content-length": "0"])
  }

  @Test func `a handler cannot split an answer or change its framing`() async throws {
    let headers: HeaderList = [
      "a": "b\r\nset-cookie: c\0", "x y": "z", "": "z", "connection": "upgrade", "transfer-encoding": "gzip",
      "content-length": "nonsense",
    ]
    let answer = try await ask(Self.answering(200, headers), Self.get)
    #expect(answer?.headers == ["a": "b  set-cookie: c ", "content-length": "5"])
    #expect(answer?.body == "hello")
  }

  @Test(arguments: ["3", "7"])
  func `a body of another length than declared ends the connection`(length: String) async throws {
    try await Fixture.run(Self.answering(200, ["content-length": length])) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.get + Self.get)
      #expect(try peer.answer()?.isCut == true)
      #expect(try peer.readAll() == [])
    }
  }

  @Test func `HTTP 1_0 gets a body without chunks and the end of the connection`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in EchoHandler(stream) }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send("POST / HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhel")
      // The answer has begun before it can have a length.
      #expect(try peer.takeLine() == Array("HTTP/1.1 200 OK\r\n".utf8))
      try peer.send("lo")
      let rest = String(decoding: try peer.readAll(), as: UTF8.self)
      #expect(rest == "content-type: application/grpc\r\nconnection: close\r\n\r\nhello")
    }
  }

  @Test func `a handler's reset is an answer if there is none yet`() async throws {
    for (code, status) in [(ResetCode.refusedStream, 503), (.enhanceYourCalm, 429), (.internalError, 500)] {
      let acceptor = ScriptedAcceptor { _, stream in
        stream.reset(code)
        return HoldingHandler(stream)
      }
      let answer = try #require(try await ask(acceptor, Self.get))
      #expect(answer.status == status)
      #expect(answer.headers["connection"] == "close")
    }
  }

  @Test func `a handler's reset cuts an answer that has begun`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in
      stream.respond(status: 200, headers: HeaderList(), endStream: false)
      return HoldingHandler(stream, onChange: { $0.stream.reset(.internalError) })
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
      #expect(try peer.takeLine() == Array("HTTP/1.1 200 OK\r\n".utf8))
      try peer.send("hello" + Self.get)
      #expect(String(decoding: try peer.readAll(), as: UTF8.self) == "transfer-encoding: chunked\r\n\r\n")
    }
  }

  @Test func `a client that closes ends what it has asked for`() async throws {
    let closures = AsyncStream.makeStream(of: StreamClosure?.self)
    let acceptor = ScriptedAcceptor { _, stream in
      HoldingHandler(stream, onClose: { closures.continuation.yield($0) })
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.get)
      peer.finishSending()
      guard case .connectionLost = try #require(await closures.stream.first { _ in true }) else {
        Issue.record("the handler does not know")
        return
      }
    }
  }
}
