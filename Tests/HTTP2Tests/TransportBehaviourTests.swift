import Base
import HTTP2
import ProtobufRuntime
import RPC
import Synchronization
import Testing

/// What every transport owes to the core: the same calls over a socket, under TLS, on a session engine that is no HTTP,
/// and within the process.
@Suite struct TransportBehaviourTests {
  enum Carrier: CaseIterable, Sendable {
    case inProcess
    case cleartext
    case tls
    case memoryEngine
  }

  private enum Methods {
    static let unary = MethodDescriptor(service: "test.Service", name: "Unary", kind: .unary)
    static let download = MethodDescriptor(service: "test.Service", name: "Download", kind: .serverStreaming)
    static let upload = MethodDescriptor(service: "test.Service", name: "Upload", kind: .clientStreaming)
    static let chat = MethodDescriptor(service: "test.Service", name: "Chat", kind: .bidirectional)
    static let unknown = MethodDescriptor(service: "test.Service", name: "Unknown", kind: .unary)
  }

  /// Runs `body` with a channel to a server with these methods.
  private func over(
    _ carrier: Carrier, limits: RPCLimits = RPCLimits(), _ register: (inout ServiceRegistry) -> Void,
    _ body: (RPCChannel, RPCServer, any ClientTransport) async throws -> Void
  ) async throws {
    var registry = ServiceRegistry()
    register(&registry)
    let server = RPCServer(registry: registry, limits: limits)
    switch carrier {
    case .inProcess:
      let transport = InProcessTransport(acceptor: server)
      try await body(RPCChannel(transport: transport, authority: "localhost"), server, transport)
    case .cleartext, .tls:
      let certificate = carrier == .tls ? try TestCertificate() : nil
      try await Fixture.run(server, certificate: certificate) { fixture in
        try await body(RPCChannel(transport: fixture.transport, authority: "localhost"), server, fixture.transport)
      }
    case .memoryEngine:
      let wires = MemorySession.Pair()
      try await Fixture.run(server, engine: wires.engine) { fixture in
        try await body(RPCChannel(transport: fixture.transport, authority: "localhost"), server, fixture.transport)
      }
      #expect(wires.isUsed)
    }
  }

  private func echo(_ registry: inout ServiceRegistry) {
    registry.unary(Methods.unary) { (request: RawMessage, _) in request }
    registry.bidirectional(Methods.chat) {
      (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _) in
      while let message = try await requests.next() { try await responses.write(message) }
    }
  }

  private func error(_ body: () async throws -> Void) async -> RPCError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? RPCError
    }
  }

  private typealias Chat = BidirectionalCall<RawMessage, RawMessage>

  @Test(arguments: Carrier.allCases) func `messages of every size come back whole`(_ carrier: Carrier) async throws {
    try await over(carrier, echo) { channel, _, _ in
      for count in [0, 1, 16_379, 16_384, 65_536, 1 << 20] {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let reply: RawMessage = try await channel.unary(Methods.unary, RawMessage(bytes))
        #expect(reply.bytes == bytes)
      }
    }
  }

  @Test(arguments: Carrier.allCases) func `streams keep their order both ways`(_ carrier: Carrier) async throws {
    try await over(carrier, echo) { channel, _, _ in
      let call: Chat = channel.bidirectional(Methods.chat)
      for number in 0..<200 {
        try await call.requests.write(RawMessage([UInt8(number)]))
        if number % 3 == 0 { _ = try await call.responses.next() }
      }
      call.requests.finish()
      var last: UInt8 = 0
      while let message = try await call.responses.next() {
        #expect(message.bytes.first.map { $0 > last } == true)
        last = message.bytes.first ?? 0
      }
      #expect(last == 199)
    }
  }

  @Test(arguments: Carrier.allCases) func `a stream of requests ends with one answer`(_ carrier: Carrier) async throws {
    try await over(
      carrier,
      {
        $0.clientStreaming(Methods.upload) { (requests: RequestReader<RawMessage>, _) in
          var total = 0
          while let message = try await requests.next() { total += message.bytes.count }
          return RawMessage(Array("\(total)".utf8))
        }
      },
      { channel, _, _ in
        let call: ClientStreamingCall<RawMessage, RawMessage> = channel.clientStreaming(Methods.upload)
        for _ in 0..<50 { try await call.requests.write(RawMessage([UInt8](repeating: 1, count: 10_000))) }
        call.requests.finish()
        #expect(String(decoding: try await call.response().bytes, as: UTF8.self) == "500000")
      })
  }

  @Test(arguments: Carrier.allCases) func `metadata goes both ways, before and after`(_ carrier: Carrier) async throws {
    try await over(
      carrier,
      {
        $0.serverStreaming(Methods.download) {
          (_: RawMessage, responses: ResponseWriter<RawMessage>, context: ServerContext) in
          let word = context.metadata["word"] ?? "none"
          try context.initialMetadata.add("first", word)
          try context.trailingMetadata.add("last-bin", binary: Array(word.utf8))
          try await responses.write(RawMessage())
        }
      },
      { channel, _, _ in
        var metadata = Metadata()
        try metadata.add("word", "tree")
        let call = channel.serverStreaming(
          Methods.download, RawMessage(), as: RawMessage.self, options: CallOptions(metadata: metadata))
        #expect(try await call.initialMetadata["first"] == "tree")
        while try await call.responses.next() != nil {}
        #expect(try await call.trailingMetadata.binary("last-bin") == [Array("tree".utf8)])
      })
  }

  @Test(arguments: Carrier.allCases) func `errors keep code, text and details`(_ carrier: Carrier) async throws {
    try await over(
      carrier,
      {
        $0.unary(Methods.unary) { (_: RawMessage, _) -> RawMessage in
          throw RPCError(.failedPrecondition, reason: "TOO_LATE", message: "zu spät: 50% €").retryAfter(.seconds(7))
        }
      },
      { channel, _, _ in
        let failure = await error { let _: RawMessage = try await channel.unary(Methods.unary, RawMessage()) }
        #expect(failure?.code == .failedPrecondition && failure?.message == "zu spät: 50% €")
        #expect(failure?.reason == "TOO_LATE" && failure?.retryDelay == .seconds(7))
        let unknown = await error { let _: RawMessage = try await channel.unary(Methods.unknown, RawMessage()) }
        #expect(unknown?.code == .unimplemented)
      })
  }

  @Test(arguments: Carrier.allCases) func `a message over the limit is refused, either way`(_ carrier: Carrier)
    async throws
  {
    try await over(carrier, limits: RPCLimits(messageBytes: 1000), echo) { channel, _, _ in
      let request = await error {
        let _: RawMessage = try await channel.unary(Methods.unary, RawMessage([UInt8](repeating: 0, count: 1001)))
      }
      #expect(request?.code == .resourceExhausted)
      let reply = await error {
        let _: RawMessage = try await channel.unary(
          Methods.unary, RawMessage([UInt8](repeating: 0, count: 500)), options: CallOptions(messageBytes: 400))
      }
      #expect(reply?.code == .resourceExhausted)
    }
  }

  @Test(arguments: Carrier.allCases) func `a reader who does not read stops the writer`(_ carrier: Carrier) async throws
  {
    let counter = Counter()
    try await over(
      carrier,
      {
        $0.serverStreaming(Methods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
          for _ in 0..<2000 {
            try await responses.write(RawMessage([UInt8](repeating: 0, count: 10_000)))
            counter.increment()
          }
        }
      },
      { channel, _, _ in
        let call = channel.serverStreaming(Methods.download, RawMessage(), as: RawMessage.self)
        _ = try await call.responses.next()
        var last = -1
        // It stops when no message was written for a while.
        while counter.value != last {
          last = counter.value
          try await Task.sleep(for: .milliseconds(100))
        }
        #expect(counter.value < 1000)
        var count = 1
        while try await call.responses.next() != nil { count += 1 }
        #expect(count == 2000)
      })
  }

  private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func increment() { count.add(1, ordering: .relaxed) }
  }

  @Test(arguments: Carrier.allCases) func `the deadline ends a call on both sides`(_ carrier: Carrier) async throws {
    let (ended, endings) = AsyncStream.makeStream(of: Bool.self)
    let hasBegun = Locked(false)
    try await over(
      carrier,
      {
        $0.bidirectional(Methods.chat) { (_: RequestReader<RawMessage>, _: ResponseWriter<RawMessage>, context) in
          hasBegun.withLock { $0 = true }
          await context.waitUntilCancelled()
          endings.yield(context.deadline != nil)
          throw CancellationError()
        }
      },
      { channel, _, _ in
        // On a busy machine the first deadlines pass while the connection is made, and the server hears nothing of them.
        var timeout = Duration.milliseconds(50)
        repeat {
          let call: Chat = channel.bidirectional(Methods.chat, options: CallOptions(timeout: timeout))
          #expect(await error { _ = try await call.responses.next() }?.code == .deadlineExceeded)
          timeout *= 2
        } while !hasBegun.withLock { $0 }
        #expect(await ended.first { _ in true } == true)
      })
  }

  @Test(arguments: Carrier.allCases) func `a cancelled call cancels its handler`(_ carrier: Carrier) async throws {
    let (ended, endings) = AsyncStream.makeStream(of: Bool.self)
    try await over(
      carrier,
      {
        $0.bidirectional(Methods.chat) {
          (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _) in
          do {
            while let message = try await requests.next() { try await responses.write(message) }
          } catch {
            endings.yield(Task.isCancelled)
            throw error
          }
        }
      },
      { channel, _, _ in
        let call: Chat = channel.bidirectional(Methods.chat)
        try await call.requests.write(RawMessage([1]))
        _ = try await call.responses.next()
        call.cancel()
        #expect(await ended.first { _ in true } == true)
        #expect(await error { _ = try await call.responses.next() }?.code == .cancelled)
      })
  }

  @Test(arguments: Carrier.allCases) func `a server may answer before it has read everything`(_ carrier: Carrier)
    async throws
  {
    try await over(
      carrier,
      {
        $0.clientStreaming(Methods.upload) { (requests: RequestReader<RawMessage>, _) in
          _ = try await requests.next()
          return RawMessage([9])
        }
      },
      { channel, _, _ in
        let call: ClientStreamingCall<RawMessage, RawMessage> = channel.clientStreaming(Methods.upload)
        try await call.requests.write(RawMessage([1]))
        #expect(try await call.response().bytes == [9])
        // It may have gone out before the answer came, but never for ever.
        let refused = await error {
          while true { try await call.requests.write(RawMessage([UInt8](repeating: 0, count: 100_000))) }
        }
        #expect(refused != nil)
      })
  }

  @Test(arguments: Carrier.allCases) func `draining refuses new calls and lets the others end`(_ carrier: Carrier)
    async throws
  {
    try await over(carrier, echo) { channel, server, _ in
      let call: Chat = channel.bidirectional(Methods.chat)
      try await call.requests.write(RawMessage([1]))
      _ = try await call.responses.next()
      server.beginDraining()
      let refusal = await error { let _: RawMessage = try await channel.unary(Methods.unary, RawMessage()) }
      #expect(refusal?.code == .unavailable && refusal?.retryDelay == RPCLimits.retryDelay)
      try await call.requests.write(RawMessage([2]))
      #expect(try await call.responses.next()?.bytes == [2])
      call.requests.finish()
      #expect(try await call.responses.next() == nil)
    }
  }

  @Test(arguments: Carrier.allCases) func `after the shutdown a transport refuses calls`(_ carrier: Carrier)
    async throws
  {
    try await over(carrier, echo) { channel, _, transport in
      let _: RawMessage = try await channel.unary(Methods.unary, RawMessage())
      await transport.shutdown()
      let refusal = await error { let _: RawMessage = try await channel.unary(Methods.unary, RawMessage()) }
      #expect(refusal?.code == .unavailable)
    }
  }
}
