import Base
import HTTP2
import RPC
import Testing

/// How HTTP/1 connections go on, wait and end.
@Suite(.ownThread) struct HTTP1CareTests {
  static let get = HTTP1Tests.get
  static let post = "POST / HTTP/1.1\r\nHost: x\r\n"

  /// Hands the test the handlers, which answer when it wants them to.
  private final class Waiting: Sendable {
    let handlers: AsyncStream<HoldingHandler>
    let closures: AsyncStream<StreamClosure?>
    let acceptor: ScriptedAcceptor

    init() {
      let (handlers, handed) = AsyncStream.makeStream(of: HoldingHandler.self)
      let (closures, closed) = AsyncStream.makeStream(of: StreamClosure?.self)
      (self.handlers, self.closures) = (handlers, closures)
      acceptor = ScriptedAcceptor { head, stream in
        if head.path == "/quick" { return EchoHandler(stream) }
        let handler = HoldingHandler(stream, onClose: { closed.yield($0) })
        handed.yield(handler)
        return handler
      }
    }

    func nextHandler() async throws -> HoldingHandler { try #require(await handlers.first { _ in true }) }
    func nextClosure() async throws -> StreamClosure? { try #require(await closures.first { _ in true }) }
  }

  /// Runs `body` on the handler's loop.
  private func on(_ handler: HoldingHandler, _ body: @escaping @Sendable (any ServerStream) -> Void) async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      handler.stream.executor.execute {
        body(handler.stream)
        done.resume()
      }
    }
  }

  // MARK: Expectations

  @Test func `a client that waits for a 100 gets it`() async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in LateEcho(stream) }) { fixture in
      let peer = try RawPeer(fixture)
      for _ in 0..<2 {
        try peer.send(Self.post + "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
        #expect(try peer.answer() == HTTP1Answer(status: 100))
        try peer.send("hello")
        #expect(try peer.answer()?.body == "hello")
      }
    }
  }

  @Test func `a client that does not wait for its 100 gets none`() async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in LateEcho(stream) }) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
      #expect(try peer.answer()?.body == "hello")
    }
  }

  @Test func `a refusal in place of the 100 ends the connection`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in
      stream.respond(status: 403, headers: HeaderList(), endStream: true)
      return HoldingHandler(stream)
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
      let answer = try #require(try peer.answer())
      #expect(answer.status == 403)
      #expect(answer.headers["connection"] == "close")
      #expect(try peer.readAll() == [])
    }
  }

  // MARK: Early answers

  private static let early = ScriptedAcceptor { _, stream in
    stream.respond(status: 415, headers: HeaderList(), endStream: true)
    return HoldingHandler(stream)
  }

  @Test func `the rest of a request that is answered is thrown away`() async throws {
    try await Fixture.run(Self.early) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.post + "Content-Length: 100000\r\n\r\n")
      #expect(try peer.answer()?.status == 415)
      try peer.send(String(repeating: "x", count: 100_000) + Self.get)
      #expect(try peer.answer()?.status == 415)
      try peer.send(Self.post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel")
      #expect(try peer.answer()?.status == 415)
      try peer.send("lo\r\n0\r\n\r\n" + Self.get)
      #expect(try peer.answer()?.status == 415)
    }
  }

  @Test func `a request that is answered gets no second answer, even if its rest is malformed`() async throws {
    try await Fixture.run(Self.early) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel")
      #expect(try peer.answer()?.status == 415)
      peer.sendUntilRefused(Array("lo!\r\n".utf8))
      #expect(try peer.readAll() == [])
    }
  }

  @Test func `many requests in one read are all answered`() async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in EchoHandler(stream) }) { fixture in
      let peer = try RawPeer(fixture)
      let body = String(repeating: "x", count: 100)
      let requests = Self.post + "Content-Length: 100\r\n\r\n" + body + Self.get
      try peer.send(String(repeating: requests, count: 1000))
      for _ in 0..<1000 {
        #expect(try peer.answer()?.body == body)
        #expect(try peer.answer()?.body == "")
      }
    }
  }

  @Test(arguments: [(1000, true), (1001, false)])
  func `a rest longer than maxDiscardedBody ends the connection`(length: Int, goesOn: Bool) async throws {
    var limits = HTTP2Limits()
    limits.maxDiscardedBody = 1000
    try await Fixture.run(Self.early, limits: limits) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.post + "Content-Length: \(length)\r\n\r\n")
      #expect(try peer.answer()?.status == 415)
      peer.sendUntilRefused(Array((String(repeating: "x", count: length) + Self.quick).utf8))
      #expect((try peer.answer() != nil) == goesOn)
    }
  }

  // MARK: Patience

  private func expectEnd(_ limits: HTTP2Limits, _ octets: String, answers: Int = 0) async throws {
    let waiting = Waiting()
    try await Fixture.run(waiting.acceptor, limits: limits) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(octets)
      for _ in 0..<answers { #expect(try peer.answer()?.status == 200) }
      #expect(try peer.readAll() == [])
    }
  }

  @Test func `a slow head is not waited for`() async throws {
    var limits = HTTP2Limits()
    limits.headerTimeout = .milliseconds(50)
    try await expectEnd(limits, "GET /quick HTTP/1.1\r\nHost: x\r\n")
    try await expectEnd(limits, Self.quick + "GE", answers: 1)
    try await expectEnd(limits, Self.quickPost + "Transfer-Encoding: chunked\r\n\r\n0\r\na: b\r\n", answers: 0)
  }

  @Test func `a client that says next to nothing is not waited for`() async throws {
    var limits = HTTP2Limits()
    limits.handshakeTimeout = .milliseconds(50)
    try await expectEnd(limits, "PR")
  }

  @Test func `a slow body is not waited for`() async throws {
    var limits = HTTP2Limits()
    limits.bodyTimeout = .milliseconds(50)
    try await expectEnd(limits, Self.post + "Content-Length: 5\r\n\r\nhel")
    try await expectEnd(limits, Self.post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
  }

  private static let quick = "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"
  private static let quickPost = "POST /quick2 HTTP/1.1\r\nHost: x\r\n"

  @Test func `an idle connection is closed in time, and one with a request is not`() async throws {
    var limits = HTTP2Limits()
    limits.requestIdleTimeout = .milliseconds(50)
    try await expectEnd(limits, Self.quick + Self.quick, answers: 2)
    let waiting = Waiting()
    try await Fixture.run(waiting.acceptor, limits: limits) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.get)
      let handler = try await waiting.nextHandler()
      // Somebody who comes later is closed first.
      let idle = try RawPeer(fixture)
      try idle.send(Self.quick)
      #expect(try idle.answer()?.status == 200)
      #expect(try idle.readAll() == [])
      await on(handler) { $0.respond(status: 200, headers: HeaderList(), endStream: true) }
      #expect(try peer.answer()?.status == 200)
    }
  }

  // MARK: Back-pressure

  @Test func `an upload that its handler does not take waits, and goes on when it does`() async throws {
    let window = HTTP2Limits().streamWindow
    let total = 16 << 20
    let progress = AsyncStream.makeStream(of: HoldingHandler.self)
    let acceptor = ScriptedAcceptor { _, stream in
      HoldingHandler(stream, onChange: { progress.continuation.yield($0) })
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      let thread = TestThread()
      defer { thread.stop() }
      let sender = Task(executorPreference: thread) {
        try peer.send(Self.post + "Content-Length: \(total)\r\n\r\n")
        try peer.send([UInt8](repeating: 0x5a, count: total))
        return try peer.answer()
      }
      let most = Locked(0)
      for await handler in progress.stream {
        let ended = Locked(false)
        await on(handler) { _ in
          if handler.hasEnded {
            ended.withLock { $0 = true }
          } else if handler.held >= window {
            let held = handler.held
            most.withLock { $0 = max($0, held) }
            handler.giveBack()
          } else if total - handler.received < window {
            handler.giveBack()
          }
        }
        if ended.withLock({ $0 }) {
          await on(handler) { $0.respond(status: 200, headers: ["n": "\(handler.received)"], endStream: true) }
          break
        }
      }
      #expect(try await sender.value?.headers["n"] == "\(total)")
      #expect(most.withLock { $0 } == window)
    }
  }

  @Test func `a download waits for its reader`() async throws {
    let total = 32 << 20
    let handlers = Locked<DownloadHandler?>(nil)
    let acceptor = ScriptedAcceptor { _, stream in
      let handler = DownloadHandler(stream, total: total)
      handlers.withLock { $0 = handler }
      return handler
    }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.get)
      #expect(try peer.answer()?.body.utf8.count == total)
    }
    let handler = try #require(handlers.withLock { $0 })
    #expect(handler.mostQueued.withLock { $0 } <= StreamWaterMarks.high + (64 << 10))
  }

  @Test func `a reader that does not read is not waited for`() async throws {
    var limits = HTTP2Limits()
    limits.sendTimeout = .milliseconds(50)
    let closures = AsyncStream.makeStream(of: StreamClosure?.self)
    let acceptor = ScriptedAcceptor { _, stream in
      DownloadHandler(stream, total: 64 << 20, onClose: { closures.continuation.yield($0) })
    }
    try await Fixture.run(acceptor, limits: limits) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.get)
      #expect(try #require(await closures.stream.first { _ in true }) == .connectionLost("the peer does not read"))
      _ = try peer.takeLine()
    }
  }

  // MARK: Drain

  @Test func `idle connections are closed at once when the server drains`() async throws {
    let waiting = Waiting()
    try await Fixture.run(waiting.acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.quick)
      #expect(try peer.answer()?.status == 200)
      let silent = try RawPeer(fixture)
      let start = ContinuousClock.now
      await fixture.server.drain(within: .seconds(600))
      #expect(ContinuousClock.now - start < .seconds(300))
      #expect(try peer.readAll() == [])
      #expect(try silent.readAll() == [])
    }
  }

  @Test func `a drain waits for the request under way, whose answer says that it is the last`() async throws {
    let waiting = Waiting()
    try await Fixture.run(waiting.acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.post + "Content-Length: 5\r\n\r\nhel")
      let handler = try await waiting.nextHandler()
      let drain = Task { await fixture.server.drain(within: .seconds(600)) }
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      while (try? RawPeer(port: port)) != nil { await Task.yield() }
      // The connection has heard of the drain when its loop gets to this.
      await on(handler) { _ in }
      try peer.send("lo" + Self.get)
      await on(handler) { stream in
        stream.respond(status: 200, headers: HeaderList(), endStream: false)
        stream.write(Array("done".utf8))
        stream.finish(trailers: nil)
      }
      let answer = try #require(try peer.answer())
      #expect(answer.body == "done")
      #expect(answer.headers["connection"] == "close")
      #expect(try peer.readAll() == [])
      #expect(try await waiting.nextClosure() == nil)
      await drain.value
    }
  }

  @Test func `after the limit of a drain the handlers hear of the shutdown`() async throws {
    let waiting = Waiting()
    try await Fixture.run(waiting.acceptor) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send(Self.get)
      _ = try await waiting.nextHandler()
      await fixture.server.drain(within: .milliseconds(20))
      #expect(try await waiting.nextClosure() == .shutdown)
      #expect(try peer.readAll() == [])
    }
  }

  @Test func `a client that wants the connection closed is told so, and it is`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let peer = try RawPeer(fixture)
      try peer.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n" + Self.get)
      #expect(try peer.answer()?.headers["connection"] == "close")
      #expect(try peer.readAll() == [])
    }
  }
}

/// Sends back what it has received when the request has ended.
private final class LateEcho: ServerStreamHandler {
  private let stream: any ServerStream
  private var body: [UInt8] = []

  init(_ stream: any ServerStream) {
    self.stream = stream
  }

  func receive(_ bytes: Span<UInt8>) {
    body += bytes.array
    stream.consumed(bytes.count)
  }

  func receiveEnd() {
    stream.respond(status: 200, headers: HeaderList(), endStream: false)
    stream.write(body)
    stream.finish(trailers: nil)
  }

  func drained() {}
  func closed(_ reason: StreamClosure?) {}
}
