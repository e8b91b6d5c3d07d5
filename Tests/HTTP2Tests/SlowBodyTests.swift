import Base
import RPC
import Testing

@testable import HTTP2

/// Messages of requests that come octet by octet, and others that may take their time.
@Suite(.ownThread) struct SlowBodyTests {
  private typealias T = RawPeer.FrameType

  /// A server with calls that wait for what the client sends, and how those ended.
  private final class House: ServerInterceptor, Sendable {
    let statuses = Locked([StatusCode]())
    private let gate = AsyncStream<Void>.makeStream()

    func ended(_ context: ServerContext, _ status: StatusCode) { statuses.withLock { $0.append(status) } }

    var ends: [StatusCode] { statuses.withLock { $0 } }

    /// Lets the handler of `hold` read.
    func open() { gate.continuation.finish() }

    func server() -> RPCServer {
      var registry = ServiceRegistry()
      func method(_ name: String, _ kind: MethodKind) -> MethodDescriptor {
        MethodDescriptor(service: "a", name: name, kind: kind)
      }
      registry.unary(method("b", .unary)) { (request: RawMessage, _) -> RawMessage in request }
      let gate = gate.stream
      for (name, waits) in [("up", false), ("hold", true)] {
        registry.clientStreaming(method(name, .clientStreaming)) { (requests: RequestReader<RawMessage>, _) in
          if waits { for await _ in gate {} }
          var count = 0
          while try await requests.next() != nil { count += 1 }
          return RawMessage([UInt8](repeating: 1, count: count))
        }
      }
      return RPCServer(registry: registry, interceptors: [self])
    }

    /// - Parameter body: gets a client made of bare frames.
    func run(
      _ limits: HTTP2Limits = HTTP2Limits(), _ body: (RawPeer, EventLoopGroup) async throws -> Void
    ) async throws {
      var limits = limits
      // The tests ask with a PING whether all has arrived.
      limits.minPingInterval = .zero
      try await Fixture.run(server(), limits: limits, serverTime: ManualTime()) { fixture in
        let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
        try await body(peer, fixture.serverGroup)
      }
    }
  }

  private static func head(_ path: String, _ stream: UInt32 = 1) -> [UInt8] {
    let fields = [
      (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
      ("content-type", "application/grpc"), ("te", "trailers"),
    ]
    return RawPeer.headers(stream, fields.flatMap { RawPeer.literal($0.0, $0.1) })
  }

  private static func data(_ octets: [UInt8], _ stream: UInt32 = 1, end: Bool = false) -> [UInt8] {
    RawPeer.frame(T.data, end ? 1 : 0, stream, octets)
  }

  /// A message of `count` octets with its prefix.
  private static func message(_ count: Int) -> [UInt8] {
    [0] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + [UInt8](repeating: 7, count: count)
  }

  /// Sends, and waits until the server has taken it.
  private func send(_ octets: [UInt8], _ peer: RawPeer) throws {
    try peer.send(octets)
    try peer.synchronize()
  }

  private static let period = HTTP2Limits().messagePeriod!  // The default is not nil.
  private static let minimum = HTTP2Limits().minReceived(in: period)

  // MARK: Too slow

  @Test(arguments: [("/a/b", 0), ("/a/b", 1), ("/a/b", 6), ("/a/b", 100), ("/a/up", 1), ("/a/up", 6)])
  func `a message that does not go on ends its call, and its stream alone`(path: String, count: Int) async throws {
    let house = House()
    try await house.run { peer, group in
      try send(Self.head(path) + Self.head("/a/up", 3), peer)
      if count > 0 { try send(Self.data(Array(Self.message(100_000).prefix(count))), peer) }
      await group.advance(by: Self.period)
      #expect(house.ends == [])
      // One octet now and then is no progress.
      try send(Self.data([7]), peer)
      await group.advance(by: Self.period - .nanoseconds(1))
      #expect(house.ends == [])
      await group.advance(by: .nanoseconds(1))
      #expect(house.ends == [.deadlineExceeded])
      let reset = try #require(try peer.next(T.reset))
      #expect(reset.stream == 1 && reset.errorCode == ResetCode.noError.rawValue)
      try send(Self.data(Self.message(3), 3, end: true), peer)
      #expect(house.ends == [.deadlineExceeded, .ok])
    }
  }

  @Test(arguments: [(0, 16), (-1, 2)])
  func `minReceiveRate keeps a message alive, up to messageTimeout`(difference: Int, periods: Int) async throws {
    let limits = HTTP2Limits()
    #expect(limits.messageTimeout == Self.period * 15)
    #expect(Self.minimum == 60 * limits.minReceiveRate)
    let house = House()
    try await house.run { peer, group in
      try send(Self.head("/a/b") + Self.data(Array(Self.message(4 << 20).prefix(5))), peer)
      for period in 1...periods {
        #expect(house.ends == [], "before period \(period)")
        await group.advance(by: Self.period)
        if period < periods {
          let octets = [UInt8](repeating: 7, count: Self.minimum + difference)
          try send(Self.data(Array(octets.prefix(15_000))) + Self.data(Array(octets[15_000..<30_000])), peer)
          try send(Self.data(Array(octets[30_000...])), peer)
        }
      }
      #expect(house.ends == [.deadlineExceeded])
    }
  }

  @Test func `without a messagePeriod nobody is judged`() async throws {
    let house = House()
    var limits = HTTP2Limits()
    limits.messagePeriod = nil
    try await house.run(limits) { peer, group in
      try send(Self.head("/a/b") + Self.data([0]), peer)
      for _ in 0..<5 { await group.advance(by: .seconds(1000)) }
      #expect(house.ends == [])
    }
  }

  // MARK: Honest

  @Test func `a stream may rest between its messages for as long as it likes`() async throws {
    let house = House()
    try await house.run { peer, group in
      try send(Self.head("/a/up"), peer)
      for _ in 0..<3 {
        try send(Self.data(Self.message(10)), peer)
        await group.advance(by: .seconds(3500))
        await group.advance(by: .seconds(3500))
      }
      #expect(house.ends == [])
      try send(Self.data([], end: true), peer)
      #expect(house.ends == [.ok])
    }
  }

  @Test func `a stream whose messages are long on their way is not judged by one of another`() async throws {
    let house = House()
    try await house.run { peer, group in
      let message = Self.message(10)
      try send(Self.head("/a/up") + Self.data(Array(message.prefix(7))), peer)
      for _ in 0..<5 {
        await group.advance(by: Self.period)
        // The rest of one message, and the beginning of the next.
        try send(Self.data(Array(message.dropFirst(7) + message.prefix(7))), peer)
      }
      #expect(house.ends == [])
      await group.advance(by: Self.period)
      await group.advance(by: Self.period)
      #expect(house.ends == [.deadlineExceeded])
    }
  }

  @Test func `who waits for a handler that does not read is not slow`() async throws {
    let house = House()
    try await house.run { peer, group in
      try send(Self.head("/a/hold") + Self.data(Self.message(10_000) + Self.message(10).prefix(7)), peer)
      for _ in 0..<5 { await group.advance(by: Self.period) }
      #expect(house.ends == [])
      house.open()
      // It has read the first message when the window is back, or else the call is judged a period later.
      for _ in 0..<100 where house.ends == [] {
        await group.advance(by: Self.period)
      }
      #expect(house.ends == [.deadlineExceeded])
    }
  }

  @Test func `who waits for window that other streams hold is not slow`() async throws {
    let house = House()
    var limits = HTTP2Limits()
    (limits.streamWindow, limits.connectionWindow, limits.maxConnectionWindow) = (32 << 10, 64 << 10, 64 << 10)
    try await house.run(limits) { peer, group in
      try send(Self.head("/a/up") + Self.data(Array(Self.message(100).prefix(5))), peer)
      // Whole messages, as what is not whole holds no window; a frame each.
      for (stream, last): (UInt32, Int) in [(3, 16 << 10), (5, (16 << 10) - 5)] {
        try send(Self.head("/a/hold", stream) + Self.data(Self.message((16 << 10) - 5), stream), peer)
        try send(Self.data(Self.message(last - 5), stream), peer)
      }
      for _ in 0..<5 { await group.advance(by: Self.period) }
      #expect(house.ends == [])
      house.open()
      for _ in 0..<100 where house.ends == [] { await group.advance(by: Self.period) }
      #expect(house.ends == [.deadlineExceeded])
    }
  }

  // MARK: HTTP/1

  /// A call with one message, which says what comes and how it fails.
  private final class OneMessage: ServerStreamHandler {
    private let stream: any ServerStream
    private let heard: @Sendable (String) -> Void

    init(_ stream: any ServerStream, _ heard: @escaping @Sendable (String) -> Void) {
      self.stream = stream
      self.heard = heard
    }

    var isMidMessage: Bool { true }
    func receive(_ bytes: Span<UInt8>) {
      stream.consumed(bytes.count)
      heard("\(bytes.count)")
    }
    func receiveEnd() { heard("end") }
    func drained() {}
    func closed(_ reason: StreamClosure?) {}
    func fail(_ error: RPCError) {
      heard(error.code.description)
      stream.respond(status: 504, headers: ["content-length": "0"], endStream: true)
    }
  }

  @Test func `a body of HTTP/1 is judged too`() async throws {
    let (heard, said) = AsyncStream.makeStream(of: String.self)
    let acceptor = ScriptedAcceptor { _, stream in OneMessage(stream) { said.yield($0) } }
    try await Fixture.run(acceptor, serverTime: ManualTime()) { fixture in
      let peer = try RawPeer(fixture)
      var next = heard.makeAsyncIterator()
      try peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nh")
      #expect(await next.next() == "1")
      // Always sooner than `bodyTimeout` after the octet before.
      for (time, sends) in [(50, true), (10, false), (40, true), (20, false)] {
        await fixture.serverGroup.advance(by: .seconds(time))
        if sends {
          try peer.send("e")
          #expect(await next.next() == "1")
        }
      }
      #expect(await next.next() == StatusCode.deadlineExceeded.description)
      #expect(try peer.answer()?.status == 504)
    }
  }

  // MARK: The judgement itself

  @Test func `a message is judged by what came since the last time, and by its age`() {
    var pace = MessagePace()
    func isTooSlow(at now: Int64, _ messages: Int, _ bytes: Int) -> Bool {
      pace.isTooSlow(MessagePace.Rule(minimum: 10, timeout: 100, now: now), messages: messages, bytes: bytes)
    }
    #expect(!isTooSlow(at: 20, 0, 0), "it is seen for the first time")
    #expect(!isTooSlow(at: 40, 0, 10))
    #expect(!isTooSlow(at: 60, 0, 20))
    #expect(isTooSlow(at: 80, 0, 29))
    #expect(!isTooSlow(at: 100, 1, 29), "another message")
    for now in stride(from: 120 as Int64, to: 200, by: 20) { #expect(!isTooSlow(at: now, 1, Int(now))) }
    #expect(isTooSlow(at: 200, 1, 1000), "it has come for too long")
  }
}
