import Base
import ProtobufRuntime
import RPC
import Testing

/// All four kinds of calls, from the client's call to the handler and back.
struct CallTests {
  @Test func unaryAnswers() async throws {
    let fixture = Fixture { $0.echo() }
    let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage([1, 2, 3]))
    #expect(reply.bytes == [1, 2, 3])
  }

  @Test func manyUnaryCallsAtOnceGetTheirOwnAnswers() async throws {
    let fixture = Fixture { $0.echo() }
    let channel = fixture.channel()
    try await withThrowingTaskGroup { group in
      for index in 0..<UInt8(100) {
        group.addTask {
          let reply: RawMessage = try await channel.unary(TestMethods.unary, RawMessage([index]))
          #expect(reply.bytes == [index])
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func carriesAMessageGreaterThanTheWindow() async throws {
    let fixture = Fixture { $0.echo() }
    let bytes = SeededRandomSource(seed: 3).bytes(3 << 20)
    let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage(bytes))
    #expect(reply.bytes == bytes)
  }

  @Test func serverStreamingKeepsOrder() async throws {
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (request: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        for index in 0..<request.bytes[0] { try await responses.write(RawMessage([index])) }
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage([200]), as: RawMessage.self)
    var received: [UInt8] = []
    while let message = try await call.responses.next() { received += message.bytes }
    #expect(received == Array(0..<200))
  }

  @Test func clientStreamingAnswersAfterTheLastMessage() async throws {
    let fixture = Fixture {
      $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, _) in
        var sum: [UInt8] = []
        while let message = try await requests.next() { sum += message.bytes }
        return RawMessage(sum)
      }
    }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel().clientStreaming(TestMethods.upload)
    for index in 0..<UInt8(50) { try await call.requests.write(RawMessage([index])) }
    call.requests.finish()
    #expect(try await call.response().bytes == Array(0..<50))
  }

  @Test func bidirectionalPingPong() async throws {
    let fixture = Fixture { $0.echo() }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    for index in 0..<UInt8(50) {
      try await call.requests.write(RawMessage([index]))
      #expect(try await call.responses.next()?.bytes == [index])
    }
    call.requests.finish()
    #expect(try await call.responses.next() == nil)
  }

  @Test func emptyStreamEndsWithOK() async throws {
    let fixture = Fixture { $0.echo() }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    call.requests.finish()
    #expect(try await call.responses.next() == nil)
  }

  @Test func metadataGoesBothWays() async throws {
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, context) in
        try context.initialMetadata.add("x-initial", context.metadata["x-echo"] ?? "none")
        try context.trailingMetadata.add("x-end-bin", binary: try context.metadata.binary("x-echo-bin")[0])
        return request
      }
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, _: ResponseWriter<RawMessage>, context) in
        try context.initialMetadata.add("x-initial", context.metadata["x-echo"] ?? "none")
        try context.trailingMetadata.add("x-end-bin", binary: try context.metadata.binary("x-echo-bin")[0])
        throw RPCError(.notFound, "nothing here")
      }
    }
    var options = CallOptions()
    try options.metadata.add("X-Echo", "hello")
    try options.metadata.add("x-echo-bin", binary: [0, 255])
    let call = fixture.channel().serverStreaming(
      TestMethods.download, RawMessage(), as: RawMessage.self, options: options)
    #expect(try await call.initialMetadata["x-initial"] == "hello")
    #expect(try await call.trailingMetadata.binary("x-end-bin") == [[0, 255]])
    let error = await rpcError { try await call.responses.next() }
    #expect(error?.code == .notFound)
    #expect(error?.message == "nothing here")
    #expect(try error?.trailers.binary("x-end-bin") == [[0, 255]])
  }

  @Test func aStatusComesAfterTheMessagesBeforeIt() async throws {
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        try await responses.write(RawMessage([1]))
        try await responses.write(RawMessage([2]))
        throw RPCError(.dataLoss, "ü %")
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    #expect(try await call.responses.next()?.bytes == [1])
    #expect(try await call.responses.next()?.bytes == [2])
    let error = await rpcError { try await call.responses.next() }
    #expect(error?.code == .dataLoss)
    #expect(error?.message == "ü %")
  }

  @Test func aServerMayAnswerBeforeTheRequestHasEnded() async throws {
    let fixture = Fixture {
      $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, _) in
        try await requests.next() ?? RawMessage()
      }
    }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel().clientStreaming(TestMethods.upload)
    try await call.requests.write(RawMessage([9]))
    #expect(try await call.response().bytes == [9])
    let error = await rpcError { try await call.requests.write(RawMessage([1])) }
    #expect(error?.code == .cancelled)
  }

  @Test func handlersRunOnTheExecutorOfTheStream() async throws {
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (_: RawMessage, context) in
        let before = context.executor.isCurrent
        await Task.yield()
        return RawMessage([before ? 1 : 0, context.executor.isCurrent ? 1 : 0])
      }
    }
    let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage())
    #expect(reply.bytes == [1, 1])
  }

  @Test func aHandlerMayReadAndWriteFromOtherExecutors() async throws {
    let fixture = Fixture {
      $0.bidirectional(TestMethods.chat) {
        (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, context) in
        try await Task.detached {
          #expect(!context.executor.isCurrent)
          while let message = try await requests.next() { try await responses.write(message) }
        }.value
      }
    }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    try await call.requests.write(RawMessage([5]))
    #expect(try await call.responses.next()?.bytes == [5])
    call.requests.finish()
    #expect(try await call.responses.next() == nil)
  }

  @Test func initialMetadataCanGoBeforeTheFirstMessage() async throws {
    let go = Signal()
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, _: ResponseWriter<RawMessage>, context) in
        try context.initialMetadata.add("x-ready", "yes")
        context.sendInitialMetadata()
        await go.wait()
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    #expect(try await call.initialMetadata["x-ready"] == "yes")
    go.fire()
    #expect(try await call.responses.next() == nil)
  }
}
