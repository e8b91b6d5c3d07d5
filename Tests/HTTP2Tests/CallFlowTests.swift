import Base
import HTTP2
import RPC
import Testing

/// Calls over real connections: a side that does not read stops the other, at a bound that is measured.
@Suite struct CallFlowTests {
  private static let echo = MethodDescriptor(service: "test.Service", name: "Echo", kind: .unary)
  private static let download = MethodDescriptor(service: "test.Service", name: "Download", kind: .serverStreaming)
  private static let upload = MethodDescriptor(service: "test.Service", name: "Upload", kind: .clientStreaming)
  private static let message = RawMessage(Array(repeating: 1, count: 1000))
  private static let total = 2000
  private static let window = 128 << 10
  /// Messages that the peer's window lets through.
  private static let leastInFlight = window / 1005
  /// What the window holds, what the writer's queue holds, and the messages that are over each.
  private static let mostInFlight = (window + StreamWaterMarks.high) / 1005 + 2

  private func run(
    _ register: (inout ServiceRegistry) -> Void, _ body: (RPCChannel) async throws -> Void
  ) async throws {
    var registry = ServiceRegistry()
    registry.unary(Self.echo) { (request: RawMessage, _) in request }
    register(&registry)
    var limits = HTTP2Limits()
    limits.streamWindow = Self.window
    try await Fixture.run(RPCServer(registry: registry), limits: limits, clientLimits: limits) { fixture in
      try await body(RPCChannel(transport: fixture.transport, authority: "localhost"))
    }
  }

  /// Waits until `count` is at its least, and gives what goes beyond every chance to do so.
  private func settled(_ count: Locked<Int>, _ channel: RPCChannel) async throws -> Int {
    while count.withLock({ $0 }) < Self.leastInFlight { await Task.yield() }
    for _ in 0..<50 {
      let reply: RawMessage = try await channel.unary(Self.echo, Self.message)
      #expect(reply == Self.message)
    }
    return count.withLock { $0 }
  }

  @Test func `a caller that does not read stops the handler`() async throws {
    let written = Locked(0)
    try await run {
      $0.serverStreaming(Self.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        for _ in 0..<Self.total {
          try await responses.write(Self.message)
          written.withLock { $0 += 1 }
        }
      }
    } _: { channel in
      let call = channel.serverStreaming(Self.download, RawMessage(), as: RawMessage.self)
      let inFlight = try await settled(written, channel)
      #expect(inFlight <= Self.mostInFlight)
      var received = 0
      while let message = try await call.responses.next() {
        #expect(message == Self.message)
        received += 1
      }
      #expect(received == Self.total)
    }
  }

  @Test func `a handler that does not read stops the caller`() async throws {
    let written = Locked(0)
    let (go, goes) = AsyncStream<Void>.makeStream()
    try await run {
      $0.clientStreaming(Self.upload) { (requests: RequestReader<RawMessage>, _) in
        for await _ in go { break }
        var count = 0
        while try await requests.next() != nil { count += 1 }
        return RawMessage(Array("\(count)".utf8))
      }
    } _: { channel in
      let call: ClientStreamingCall<RawMessage, RawMessage> = channel.clientStreaming(Self.upload)
      let writer = Task {
        for _ in 0..<Self.total {
          try await call.requests.write(Self.message)
          written.withLock { $0 += 1 }
        }
        call.requests.finish()
      }
      let inFlight = try await settled(written, channel)
      #expect(inFlight <= Self.mostInFlight)
      goes.finish()
      try await writer.value
      let counted: RawMessage = try await call.response()
      #expect(counted.bytes == Array("\(Self.total)".utf8))
    }
  }

  @Test(arguments: [MethodKind.unary, .serverStreaming, .clientStreaming, .bidirectional])
  func `an oversized message is a status both ways, in every kind`(kind: MethodKind) async throws {
    let method = MethodDescriptor(service: "test.Service", name: "Large", kind: kind)
    let large = RawMessage(Array(repeating: 1, count: 5 << 20))
    try await run { registry in
      // A request of one byte asks for an answer that is too long.
      switch kind {
      case .unary: registry.unary(method) { (_: RawMessage, _) in large }
      case .serverStreaming:
        registry.serverStreaming(method) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
          try await responses.write(large)
        }
      case .clientStreaming:
        registry.clientStreaming(method) { (requests: RequestReader<RawMessage>, _) in
          while try await requests.next() != nil {}
          return large
        }
      case .bidirectional:
        registry.bidirectional(method) {
          (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _) in
          while try await requests.next() != nil { try await responses.write(large) }
        }
      }
    } _: { channel in
      for request in [large, RawMessage([1])] {
        do {
          // The most general kind does for all.
          let call = channel.bidirectional(method, sending: RawMessage.self, as: RawMessage.self)
          try await call.requests.write(request)
          call.requests.finish()
          while try await call.responses.next() != nil {}
          Issue.record("the call succeeds")
        } catch {
          #expect((error as? RPCError)?.code == .resourceExhausted, "\(error)")
        }
      }
      let reply: RawMessage = try await channel.unary(Self.echo, Self.message)
      #expect(reply == Self.message)
    }
  }
}
