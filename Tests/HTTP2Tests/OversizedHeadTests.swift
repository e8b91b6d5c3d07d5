import Base
import RPC
import Testing

@testable import HTTP2

/// What is answered to header lists over the limit, each client in its own protocol.
@Suite(.ownThread) struct OversizedHeadTests {
  private typealias Frames = RawPeer.FrameType

  private static let grpc = ("content-type", "application/grpc")
  private static let large = (0..<40).map { ("x-\($0)", String(repeating: "v", count: 500)) }
  private static let many = (0..<300).map { ("x-\($0)", "") }

  private func run(limits: HTTP2Limits = HTTP2Limits(), _ body: (RawPeer) async throws -> Void) async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in EchoHandler(stream) }, limits: limits) { fixture in
      try await body(RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port)))
    }
  }

  /// What a client gets that has sent these fields.
  private func answer(_ fields: [(String, String)]) async throws -> Exchange.Response {
    var headers = HeaderList()
    for (name, value) in fields { headers.append(name, value) }
    let response = Locked(Exchange.Response())
    try await Fixture.run(ScriptedAcceptor { _, stream in EchoHandler(stream) }) { fixture in
      let got = await Exchange.start(fixture.transport, headers: headers).response()
      response.withLock { $0 = got }
    }
    return response.withLock { $0 }
  }

  @Test(arguments: [[grpc] + large, large + [grpc], many + [grpc]])
  func `gRPC gets a status, wherever its content-type stands`(_ fields: [(String, String)]) async throws {
    let response = try await answer(fields)
    #expect(response.status == 431 && response.closure == nil && response.body.isEmpty)
    #expect(response.headers.first("content-type") == "application/grpc")
    #expect(response.headers.first("grpc-status") == "8")
    #expect(response.headers.first("grpc-message") == "the metadata is larger than the limit")
  }

  @Test(arguments: [[], [("content-type", "application/json")], [("content-type", String(repeating: "a", count: 100))]])
  func `what is not gRPC gets a text`(_ fields: [(String, String)]) async throws {
    for rest in [Self.large, Self.many] {
      let response = try await answer(rest + fields)
      #expect(response.status == 431 && response.closure == nil)
      #expect(response.headers.first("content-type") == "text/plain; charset=utf-8")
      #expect(response.headers.first("grpc-status") == nil)
      #expect(String(decoding: response.body, as: UTF8.self) == "the header fields are larger than the limit\n")
    }
  }

  @Test func `a request that goes on is stopped after the answer`() async throws {
    let block = RawPeer.request([Self.grpc] + Self.large)
    try await run { peer in
      try peer.send(
        RawPeer.frame(Frames.headers, 0, 1, Array(block.prefix(16_000)))
          + RawPeer.frame(Frames.continuation, 4, 1, Array(block.dropFirst(16_000))))
      let head = try #require(try peer.next(Frames.headers))
      #expect(head.flags & 1 == 1, "it is the whole answer")
      #expect(try peer.next(Frames.reset)?.errorCode == 0, "the request is not wanted any more")
      try peer.synchronize()
    }
  }

  @Test func `the answer to HEAD has no body`() async throws {
    let pseudo = [(":method", "HEAD"), (":scheme", "http"), (":path", "/a/b"), (":authority", "x")]
    let block = (pseudo + Self.many).flatMap { RawPeer.literal($0.0, $0.1) }
    try await run { peer in
      try peer.send(RawPeer.headers(1, block, endStream: true))
      #expect(try peer.next(Frames.headers)?.flags == 5)
    }
  }

  @Test(arguments: [[], [grpc]])
  func `a flood of them ends the connection`(_ fields: [(String, String)]) async throws {
    let block = RawPeer.request(fields + (0..<200).map { _ in ("x", "") })
    // A busy machine takes so long for them that the rate would admit all.
    var limits = HTTP2Limits()
    limits.resetsPerSecond = 1
    // The last words wait for a peer that says all before it reads, however long that takes.
    limits.lingerTimeout = .seconds(3600)
    try await run(limits: limits) { peer in
      peer.sendUntilRefused((0..<3000).flatMap { RawPeer.headers(UInt32(2 * $0 + 1), block, endStream: true) })
      let goAway = try peer.next(Frames.goAway)
      #expect(goAway?.errorCode == ResetCode.enhanceYourCalm.rawValue)
    }
  }
}
