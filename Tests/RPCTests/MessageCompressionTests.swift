import Base
import Compression
import ProtobufRuntime
import Testing

@testable import RPC

/// gzip in both directions, and what a peer gets that compresses wrongly.
struct MessageCompressionTests {
  private static let large = [UInt8](repeating: 7, count: 10_000)
  private static let paths = [TestMethods.unary.path, TestMethods.chat.path]

  private static func headers(_ extra: (String, String)...) -> HeaderList {
    var headers = RawExchange.headers
    for (name, value) in extra { headers.append(name, value) }
    return headers
  }

  private static func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    let compressed = Gzip.compress(bytes.span)
    return try #require(compressed)
  }

  /// The messages of a body: whether each is compressed, and its wire form.
  private static func messages(_ body: [UInt8]) throws -> [(isCompressed: Bool, bytes: [UInt8])] {
    var deframer = MessageDeframer(limit: 1 << 20)
    deframer.append(body.span)
    var found: [(Bool, [UInt8])] = []
    while let frame = try deframer.next() {
      let payload = Array(deframer.buffer[frame.payload])
      let wireForm = frame.isCompressed ? try Gzip.decompress(payload.span, limit: 1 << 20) : payload
      found.append((frame.isCompressed, wireForm))
    }
    try deframer.finish()
    return found
  }

  /// A server that answers as `compression` says, with the request and then the same again uncompressed.
  private static func answering(_ compression: MessageEncoding?, limits: RPCLimits = RPCLimits()) -> Fixture {
    Fixture(limits: limits) {
      $0.unary(TestMethods.unary) { (request: RawMessage, context) in
        if let compression { context.responseCompression = compression }
        #expect(context.responseCompression == compression ?? limits.responseCompression)
        return request
      }
      $0.bidirectional(TestMethods.chat) {
        (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, context) in
        if let compression { context.responseCompression = compression }
        while let request = try await requests.next() {
          try await responses.write(request)
          try await responses.write(request, compress: false)
        }
      }
    }
  }

  // MARK: Requests

  @Test(arguments: paths) func aCompressedRequestIsRead(_ path: String) async throws {
    let fixture = Fixture { $0.echo() }
    let call = RawExchange(fixture.transport, path: path, headers: Self.headers(("grpc-encoding", "gzip")))
    call.send(try Self.gzip(Self.large), flag: 1)
    call.finish()
    await call.end()
    #expect(call.grpcStatus == "0")
    #expect(call.head.first("grpc-encoding") == nil)
    #expect(try Self.messages(call.body).map(\.bytes) == [Self.large])
  }

  @Test func aHandlerKnowsWhichMessagesCameCompressed() async throws {
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (_: RawMessage, context) in RawMessage([context.isRequestCompressed ? 1 : 0]) }
      $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, context) in
        var seen: [UInt8] = []
        while try await requests.next() != nil { seen.append(context.isRequestCompressed ? 1 : 0) }
        return RawMessage(seen)
      }
    }
    let channel = fixture.channel()
    let message = RawMessage(Self.large)
    let gzip = CallOptions(compression: .gzip)
    #expect(try await channel.unary(TestMethods.unary, message, as: RawMessage.self, options: gzip).bytes == [1])
    #expect(try await channel.unary(TestMethods.unary, message, as: RawMessage.self).bytes == [0])
    let call: ClientStreamingCall<RawMessage, RawMessage> = channel.clientStreaming(TestMethods.upload, options: gzip)
    try await call.requests.write(message)
    try await call.requests.write(message, compress: false)
    try await call.requests.write(message)
    call.requests.finish()
    #expect(try await call.response().bytes == [1, 0, 1])
  }

  @Test func messagesWrittenBeforeTheStreamIsOpenAreCompressedToo() async throws {
    struct Slow: ClientInterceptor {
      let go: Signal
      func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {
        options.compression = .gzip
        await go.wait()
      }
    }
    let go = Signal()
    let fixture = Fixture {
      $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, context) in
        var seen: [UInt8] = []
        while try await requests.next() != nil { seen.append(context.isRequestCompressed ? 1 : 0) }
        return RawMessage(seen)
      }
    }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel([Slow(go: go)])
      .clientStreaming(TestMethods.upload)
    try await call.requests.write(RawMessage(Self.large))
    try await call.requests.write(RawMessage(Self.large), compress: false)
    call.requests.finish()
    go.fire()
    #expect(try await call.response().bytes == [1, 0])
  }

  @Test(arguments: paths) func aBombIsResourceExhausted(_ path: String) async throws {
    let fixture = Fixture(limits: RPCLimits(messageBytes: 100_000)) { $0.echo() }
    for (size, status) in [(100_000, "0"), (100_001, "8"), (32 << 20, "8")] {
      let call = RawExchange(fixture.transport, path: path, headers: Self.headers(("grpc-encoding", "gzip")))
      call.send(try Self.gzip([UInt8](repeating: 0, count: size)), flag: 1)
      call.finish()
      #expect(await call.end().grpcStatus == status)
      #expect(call.closure == nil)
    }
  }

  @Test func nothingIsDecompressedForACallerWhomAnInterceptorRefuses() async {
    struct Refusing: ServerInterceptor {
      let waits: Bool
      func beforeSynchronously(_ context: ServerContext) throws -> Bool {
        if waits { return false }
        throw RPCError(.unauthenticated, "who are you?")
      }
      func before(_ context: ServerContext) async throws {
        await Task.yield()
        throw RPCError(.unauthenticated, "who are you?")
      }
    }
    for waits in [true, false] {
      let fixture = Fixture(interceptors: [Refusing(waits: waits)]) { $0.echo() }
      let call = RawExchange(
        fixture.transport, path: TestMethods.unary.path, headers: Self.headers(("grpc-encoding", "gzip")))
      // To decompress this would be INTERNAL.
      call.send([1, 2, 3], flag: 1)
      call.finish()
      #expect(await call.end().grpcStatus == "16")
    }
  }

  @Test func aHandlerThatWaitsGetsItsCompressedRequestToo() async throws {
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) in
        await Task.yield()
        return request
      }
    }
    let reply: RawMessage = try await fixture.channel().unary(
      TestMethods.unary, RawMessage(Self.large), options: CallOptions(compression: .gzip))
    #expect(reply.bytes == Self.large)
  }

  @Test(arguments: paths) func anUnknownEncodingIsRefusedAndTheKnownOnesAreNamed(_ path: String) async {
    let fixture = Fixture { $0.echo() }
    let call = RawExchange(fixture.transport, path: path, headers: Self.headers(("grpc-encoding", "br")))
    call.send([1], flag: 1)
    call.finish()
    await call.end()
    #expect(call.grpcStatus == "12")
    #expect(call.head.first("grpc-accept-encoding") == "identity,gzip")
  }

  @Test(arguments: paths) func aCompressedMessageUnderIdentityIsInternal(_ path: String) async throws {
    let fixture = Fixture { $0.echo() }
    for headers in [Self.headers(), Self.headers(("grpc-encoding", "identity"))] {
      let call = RawExchange(fixture.transport, path: path, headers: headers)
      call.send(try Self.gzip(Self.large), flag: 1)
      call.finish()
      #expect(await call.end().grpcStatus == "13")
    }
  }

  @Test(arguments: paths) func whatIsNoGzipIsInternal(_ path: String) async throws {
    let fixture = Fixture { $0.echo() }
    let whole = try Self.gzip(Self.large)
    for payload in [[], [1, 2, 3], Array(whole.dropLast()), whole + [0]] {
      let call = RawExchange(fixture.transport, path: path, headers: Self.headers(("grpc-encoding", "gzip")))
      call.send(payload, flag: 1)
      call.finish()
      #expect(await call.end().grpcStatus == "13")
    }
  }

  @Test func compressedRequestsCountAsGatheredWithWhatTheyGrowTo() async throws {
    let hold = Signal()
    let fixture = Fixture(limits: RPCLimits(gatheredBytes: 25_000)) {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) in
        await hold.wait()
        return request
      }
    }
    func begin() throws -> RawExchange {
      let call = RawExchange(
        fixture.transport, path: TestMethods.unary.path, headers: Self.headers(("grpc-encoding", "gzip")))
      call.send(try Self.gzip(Self.large), flag: 1)
      return call
    }
    // As long as they have not ended, they take what they are in their compressed form.
    let calls = try (0..<20).map { _ in try begin() }
    await fixture.executor.settle()
    calls[0].finish()
    calls[1].finish()
    await fixture.executor.settle()
    calls[2].finish()
    #expect(await calls[2].end().grpcStatus == "8")
    hold.fire()
    for call in calls[0...1] { #expect(await call.end().grpcStatus == "0") }
    for call in calls[3...] {
      call.finish()
      #expect(await call.end().grpcStatus == "0")
    }
  }

  // MARK: Answers

  @Test(arguments: ["gzip", "identity, deflate, gzip", "gzip,identity", " gzip "])
  func anAnswerIsCompressedIfTheClientCanReadIt(_ accepted: String) async throws {
    let fixture = Self.answering(.gzip)
    for path in Self.paths {
      let call = RawExchange(fixture.transport, path: path, headers: Self.headers(("grpc-accept-encoding", accepted)))
      call.send(Self.large)
      call.finish()
      await call.end()
      #expect(call.head.first("grpc-encoding") == "gzip")
      let messages = try Self.messages(call.body)
      #expect(messages.map(\.isCompressed) == (path == TestMethods.unary.path ? [true] : [true, false]))
      #expect(messages.allSatisfy { $0.bytes == Self.large })
    }
  }

  @Test(arguments: [nil, "identity", "deflate, br", "gzipx", ""])
  func anAnswerIsPlainIfTheClientCannotReadIt(_ accepted: String?) async throws {
    let fixture = Self.answering(.gzip)
    let headers = accepted.map { Self.headers(("grpc-accept-encoding", $0)) } ?? Self.headers()
    let call = RawExchange(fixture.transport, path: TestMethods.unary.path, headers: headers)
    call.send(Self.large)
    call.finish()
    await call.end()
    #expect(call.head.first("grpc-encoding") == nil)
    #expect(try Self.messages(call.body).map(\.isCompressed) == [false])
  }

  @Test func theServersChoiceHoldsUnlessTheHandlerHasAnother() async throws {
    for (choice, own, expected) in [
      (MessageEncoding.gzip, nil, true), (.gzip, MessageEncoding.identity, false), (.identity, nil, false),
    ] {
      let fixture = Self.answering(own, limits: RPCLimits(responseCompression: choice))
      let call = fixture.channel().serverStreaming(TestMethods.unary, RawMessage(Self.large), as: RawMessage.self)
      #expect(try await call.responses.next()?.bytes == Self.large)
      #expect(call.responses.wasCompressed == expected)
      #expect(try await call.initialMetadata["grpc-encoding"] == (expected ? "gzip" : nil))
    }
  }

  @Test func aShortOrIncompressibleMessageGoesOutAsItIs() async throws {
    let fixture = Self.answering(.gzip)
    for bytes in [[1, 2, 3], [UInt8](repeating: 1, count: 100), SeededRandomSource(seed: 2).bytes(1000)] {
      let call = fixture.channel().serverStreaming(TestMethods.unary, RawMessage(bytes), as: RawMessage.self)
      #expect(try await call.responses.next()?.bytes == bytes)
      #expect(!call.responses.wasCompressed)
    }
  }

  @Test func anErrorBeforeTheHeadIsTrailersOnly() async {
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (_: RawMessage, context) -> RawMessage in
        context.responseCompression = .gzip
        throw RPCError(.notFound, "nothing")
      }
    }
    let call = RawExchange(
      fixture.transport, path: TestMethods.unary.path, headers: Self.headers(("grpc-accept-encoding", "gzip")))
    call.send([])
    call.finish()
    await call.end()
    #expect(call.isTrailersOnly)
    #expect(call.grpcStatus == "5")
    #expect(call.head.first("grpc-encoding") == nil)
  }

  @Test func sharedMessagesStayShared() async throws {
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, context) in
        context.responseCompression = .gzip
        let event = EncodedMessage(RawMessage(Self.large))
        try await responses.write(encoded: event)
        #expect(responses.sink.offer(event) == .queued)
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    for _ in 0..<2 {
      #expect(try await call.responses.next()?.bytes == Self.large)
      #expect(!call.responses.wasCompressed)
    }
    #expect(try await call.responses.next() == nil)
  }
}
