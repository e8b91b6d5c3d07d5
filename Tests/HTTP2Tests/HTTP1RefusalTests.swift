import Base
import HTTP2
import RPC
import Testing

/// What an HTTP/1 client may not send: everything that two readers could take for different requests. Bare octets over
/// a real socket.
@Suite(.ownThread) struct HTTP1RefusalTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var status: Int
    var octets: String

    init(_ description: String, _ status: Int, _ octets: String) {
      testDescription = description
      self.status = status
      self.octets = octets
    }
  }

  static let end = "\r\nHost: x\r\n\r\n"
  static let post = "POST /a HTTP/1.1\r\nHost: x\r\n"

  static let heads = [
    Case("a blank before the colon", 400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
    Case("a folded field", 400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
    Case("a first field that begins with a blank", 400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    Case("a field without a name", 400, "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n"),
    Case("a field without a colon", 400, "GET / HTTP/1.1\r\nHost: x\r\nabc\r\n\r\n"),
    Case("a name that is no token", 400, "GET / HTTP/1.1\r\nHost: x\r\na(b: c\r\n\r\n"),
    Case("a line feed alone", 400, "GET / HTTP/1.1\nHost: x\r\n\r\n"),
    Case("a line feed alone after a field", 400, "GET / HTTP/1.1\r\nHost: x\n\r\n"),
    Case("a line feed alone at the end of the head", 400, "GET / HTTP/1.1\r\nHost: x\r\n\n"),
    Case("a carriage return alone in a value", 400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"),
    Case("a carriage return alone in the request line", 400, "GET /\r HTTP/1.1\r\nHost: x\r\n\r\n"),
    Case("a NUL in a value", 400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"),
    Case("an escape in a value", 400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\u{1b}c\r\n\r\n"),
    Case("no Host", 400, "GET / HTTP/1.1\r\n\r\n"),
    Case("two Hosts", 400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    Case("a Host with a path", 400, "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    Case("a Host with a user", 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    Case("two blanks in the request line", 400, "GET  / HTTP/1.1" + end),
    Case("a tab in the request line", 400, "GET\t/ HTTP/1.1" + end),
    Case("a blank after the version", 400, "GET / HTTP/1.1 " + end),
    Case("no version", 400, "GET /\r\n\r\n"),
    Case("a malformed version", 400, "GET / HTTP/11" + end),
    Case("a version in lower case", 400, "GET / http/1.1" + end),
    Case("a method that is no token", 400, "G(T / HTTP/1.1" + end),
    Case("a target without a slash", 400, "GET a HTTP/1.1" + end),
    Case("a target with a fragment", 400, "GET /#a HTTP/1.1" + end),
    Case("a target with an octet beyond ASCII", 400, "GET /é HTTP/1.1" + end),
    Case("a target of another scheme", 400, "GET ftp://x/ HTTP/1.1" + end),
    Case("a target with a user", 400, "GET http://a@b/ HTTP/1.1" + end),
    Case("an asterisk with GET", 400, "GET * HTTP/1.1" + end),
    Case("two empty lines before a request", 400, "\r\n\r\nGET / HTTP/1.1" + end),
    Case("HTTP/2 without its preface", 505, "GET / HTTP/2.0" + end),
    Case("HTTP/0.9", 505, "GET / HTTP/0.9" + end),
    Case("a request to a proxy", 501, "CONNECT x:80 HTTP/1.1" + end),
    Case("another expectation", 417, "GET / HTTP/1.1\r\nHost: x\r\nExpect: the-worst\r\n\r\n"),
    Case("too long a target", 414, "GET /" + String(repeating: "a", count: 17_000) + " HTTP/1.1" + end),
    Case("too long a target that does not end", 414, "GET /" + String(repeating: "a", count: 17_000)),
    Case(
      "too large a head", 431,
      "GET / HTTP/1.1\r\nHost: x\r\n" + (0..<40).map { "x-\($0): \(String(repeating: "v", count: 500))\r\n" }.joined()
        + "\r\n"),
    Case(
      "too many fields", 431,
      "GET / HTTP/1.1\r\nHost: x\r\n" + (0..<300).map { "x-\($0): v\r\n" }.joined() + "\r\n"),
    Case(
      "gRPC", 505, post + "Content-Type: application/grpc+proto\r\nTE: trailers\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0"),
  ]

  static let framings = [
    Case("two lengths", 400, post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    Case("the same length twice", 400, post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    Case("a list of lengths", 400, post + "Content-Length: 1, 1\r\n\r\na"),
    Case("a length with a sign", 400, post + "Content-Length: +1\r\n\r\na"),
    Case("a negative length", 400, post + "Content-Length: -1\r\n\r\na"),
    Case("a hexadecimal length", 400, post + "Content-Length: 0x1\r\n\r\na"),
    Case("an empty length", 400, post + "Content-Length:\r\n\r\na"),
    Case("a length beyond 64 bits", 400, post + "Content-Length: 18446744073709551617\r\n\r\na"),
    Case("length and chunks", 400, post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Case("chunks and length", 400, post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
    Case("chunks twice", 400, post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Case("chunks twice in one field", 501, post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    Case("another transfer encoding", 501, post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    Case("no transfer encoding", 501, post + "Transfer-Encoding: identity\r\n\r\n"),
    Case("a transfer encoding with a strange blank", 400, post + "Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n"),
    Case("chunks in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  ]

  static let chunks = [
    Case("an empty chunk size", 400, "\r\n"),
    Case("a chunk size that is no number", 400, "g\r\n"),
    Case("a chunk size with a prefix", 400, "0x1\r\na\r\n0\r\n\r\n"),
    Case("a chunk size with a sign", 400, "+1\r\na\r\n0\r\n\r\n"),
    Case("a chunk size with a blank before it", 400, " 1\r\na\r\n0\r\n\r\n"),
    Case("a chunk size with a blank after it", 400, "1 \r\na\r\n0\r\n\r\n"),
    Case("a chunk size of 64 bits", 400, "1000000000000000\r\n"),
    Case("a chunk size that ends in a line feed alone", 400, "1\na\r\n0\r\n\r\n"),
    Case("a chunk size with a carriage return alone", 400, "1;a\rb\r\na\r\n0\r\n\r\n"),
    Case("a chunk longer than its size", 400, "1\r\nab\r\n0\r\n\r\n"),
    Case("a chunk that ends in a line feed alone", 400, "1\r\na\n0\r\n\r\n"),
    Case("a folded trailer", 400, "0\r\na: b\r\n c\r\n\r\n"),
    Case("a malformed trailer", 400, "0\r\na b: c\r\n\r\n"),
    Case("too long an extension", 400, "1;\(String(repeating: "e", count: 2000))\r\na\r\n0\r\n\r\n"),
    Case("too many extensions", 400, String(repeating: "1;\(String(repeating: "e", count: 100))\r\na\r\n", count: 20)),
    Case("too large trailers", 431, "0\r\na: \(String(repeating: "v", count: 17_000))\r\n\r\n"),
  ]

  /// Sends `octets` and a request after them, and expects the one answer and the end.
  private func expectRefusal(_ status: Int, _ octets: String, requests: Int = 0) async throws {
    let seen = Locked(0)
    let acceptor = ScriptedAcceptor { _, stream in
      seen.withLock { $0 += 1 }
      return HoldingHandler(stream)
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      peer.sendUntilRefused(Array((octets + "GET /smuggled HTTP/1.1" + Self.end).utf8))
      let answer = try #require(try peer.answer())
      #expect(answer.status == status)
      #expect(answer.headers["connection"] == "close")
      #expect(answer.body.hasPrefix("\(status) "))
      #expect(!answer.isCut)
      #expect(try peer.readAll() == [])
    }
    #expect(seen.withLock { $0 } == requests)
  }

  @Test(arguments: heads)
  func `a head is refused for`(_ refused: Case) async throws {
    try await expectRefusal(refused.status, refused.octets)
  }

  @Test(arguments: framings)
  func `a framing is refused for`(_ refused: Case) async throws {
    try await expectRefusal(refused.status, refused.octets)
  }

  @Test(arguments: chunks)
  func `a body is refused for`(_ refused: Case) async throws {
    try await expectRefusal(
      refused.status, Self.post + "Transfer-Encoding: chunked\r\n\r\n" + refused.octets, requests: 1)
  }

  @Test func `chunk extensions may come to maxChunkExtensions in a body`() async throws {
    var limits = HTTP2Limits()
    limits.maxChunkExtensions = 10
    try await Fixture.run(ExchangeTests.echo, limits: limits) { fixture in
      for (extensions, isTaken) in [
        ([10], true), ([11], false), ([4, 0, 4, 2], true), ([4, 4, 3], false), ([10, 0, 1], false), ([5000], false),
      ] {
        let peer = try RawPeer(fixture)
        let chunks = extensions.map { "1" + String(repeating: ";", count: $0) + "\r\na\r\n" }.joined()
        peer.sendUntilRefused(
          Array((Self.post + "Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n").utf8))
        let answer = try #require(try peer.answer())
        // The answer may have begun.
        #expect((answer.status == 200 && !answer.isCut) == isTaken, "\(extensions)")
        if isTaken { #expect(answer.body.count == extensions.count) }
      }
    }
  }

  @Test func `a malformed body cuts an answer that has begun, and its handler hears of it`() async throws {
    let closures = Locked<[StreamClosure?]>([])
    let acceptor = ScriptedAcceptor { _, stream in
      EchoHandler(stream) { reason in closures.withLock { $0.append(reason) } }
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
      #expect(try peer.takeLine() == Array("HTTP/1.1 200 OK\r\n".utf8))
      while try peer.takeLine() != Array("abc\r\n".utf8) {}
      try peer.send("nonsense\r\n")
      #expect(try peer.readAll() == [])
    }
    #expect(closures.withLock { $0 } == [.reset(.protocolError)])
  }
}
