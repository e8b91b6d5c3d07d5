import Base
import ProtobufRuntime
import RPC
import Testing

/// Answers that wait for something (`ServerContext.hold`).
@Suite(.timeLimit(.minutes(60)))
struct HeldAnswerTests {
  /// Has each answer wait until it is let go, and notes how often that was asked for.
  private final class Holder: ServerInterceptor, AnswerHold {
    let work = Locked(0)
    let mayLeave = Signal()
    /// What the work throws.
    let error: RPCError?
    /// What the interceptor throws.
    let refusal: RPCError?
    /// Whether it is due; the number of requests that it needs for that.
    let dueAfter: Int
    let requests = Locked([RawMessage]())
    let failures = Locked([StatusCode]())

    init(failing error: RPCError? = nil, refusing refusal: RPCError? = nil, dueAfter: Int = 0) {
      (self.error, self.refusal, self.dueAfter) = (error, refusal, dueAfter)
    }

    func beforeSynchronously(_ context: ServerContext) throws -> Bool {
      context.hold(self)
      if let refusal { throw refusal }
      return true
    }

    var isDue: Bool { requests.withLock { $0.count } >= dueAfter }

    func read(_ request: any Message) {
      if let request = request as? RawMessage { requests.withLock { $0.append(request) } }
    }

    func settle(_ context: ServerContext) async throws {
      work.withLock { $0 += 1 }
      await mayLeave.wait()
      if let error { throw error }
    }

    func settle(_ context: ServerContext, failing error: RPCError) async {
      failures.withLock { $0.append(error.code) }
      await mayLeave.wait()
    }
  }

  /// Turns due when it has been asked so often, as by another thread.
  private final class LateHolder: ServerInterceptor, AnswerHold {
    let questions = Locked(0)
    let work = Locked(0)
    let turnsDueAfter: Int

    init(turnsDueAfter: Int) { self.turnsDueAfter = turnsDueAfter }

    func beforeSynchronously(_ context: ServerContext) throws -> Bool {
      context.hold(self)
      return true
    }

    var isDue: Bool {
      questions.withLock { questions in
        questions += 1
        return questions > turnsDueAfter
      }
    }

    func read(_ request: any Message) {}
    func settle(_ context: ServerContext) async throws { work.withLock { $0 += 1 } }
    func settle(_ context: ServerContext, failing error: RPCError) async {}
  }

  /// What a client has of a call.
  private final class Receipt: Sendable {
    private let received = Locked([RawMessage]())
    var count: Int { received.withLock { $0.count } }
    func note(_ message: RawMessage) { received.withLock { $0.append(message) } }
  }

  private func expectHeld(
    _ holder: Holder, _ fixture: Fixture, _ expected: Int,
    _ call: @escaping @Sendable (RPCChannel, Receipt) async throws -> Void
  ) async throws {
    let receipt = Receipt()
    let task = Task { try await call(fixture.channel(), receipt) }
    while holder.work.withLock({ $0 }) == 0 { await Task.yield() }
    await fixture.executor.settle()
    #expect(receipt.count == 0)
    holder.mayLeave.fire()
    try await task.value
    #expect(receipt.count == expected && holder.work.withLock { $0 } == 1)
  }

  @Test func theAnswerOfAUnaryCallWaits() async throws {
    let holder = Holder()
    let fixture = Fixture(interceptors: [holder]) {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) async in
        await Task.yield()
        return request
      }
    }
    try await expectHeld(holder, fixture, 1) { channel, receipt in
      receipt.note(try await channel.unary(TestMethods.unary, RawMessage([1]), as: RawMessage.self))
    }
  }

  @Test func soDoesThatOfAHandlerThatDoesNot() async throws {
    let holder = Holder()
    let fixture = Fixture(interceptors: [holder]) {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) in request }
    }
    try await expectHeld(holder, fixture, 1) { channel, receipt in
      receipt.note(try await channel.unary(TestMethods.unary, RawMessage([1]), as: RawMessage.self))
    }
  }

  @Test func aStreamWaitsWithItsFirstMessage_whoeverWritesIt() async throws {
    let holder = Holder()
    let fixture = Fixture(interceptors: [holder]) {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 0..<4 { group.addTask { try await responses.write(RawMessage([UInt8(number)])) } }
          try await group.waitForAll()
        }
      }
    }
    try await expectHeld(holder, fixture, 4) { channel, receipt in
      let call = channel.serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
      while let message = try await call.responses.next() { receipt.note(message) }
    }
  }

  /// Whoever waited for room then waited for itself.
  @Test(arguments: 0..<6) func aWriterGoesOnWhateverMomentTheHoldTurnsDueAt(_ questions: Int) async throws {
    let holder = LateHolder(turnsDueAfter: questions)
    let fixture = Fixture(interceptors: [holder]) {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        // Not on the call's executor.
        try await Task.detached { for _ in 0..<4 { try await responses.write(RawMessage([1])) } }.value
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    var received = 0
    while try await call.responses.next() != nil { received += 1 }
    #expect(received == 4 && holder.work.withLock { $0 } <= 1)
  }

  @Test func aPublisherIsToldWhenThereIsRoom() async throws {
    let holder = Holder()
    let outcomes = Locked([ResponseSink.Outcome]())
    let fixture = Fixture(interceptors: [holder]) {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        let (sink, hasRoom, isDone) = (responses.sink, Signal(), Signal())
        let message = EncodedMessage(RawMessage([1]))
        sink.onDrained { hasRoom.fire() }
        @Sendable func offer() { outcomes.withLock { $0.append(sink.offer(message)) } }
        // Behind the request to be told.
        sink.executor.execute {
          offer()
          offer()
        }
        await hasRoom.wait()
        sink.executor.execute {
          offer()
          isDone.fire()
        }
        await isDone.wait()
      }
    }
    try await expectHeld(holder, fixture, 1) { channel, receipt in
      let call = channel.serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
      while let message = try await call.responses.next() { receipt.note(message) }
    }
    #expect(outcomes.withLock { $0 } == [.full, .full, .queued])
  }

  @Test func soIsOneThatComesWhileAWriterWaits() async throws {
    let holder = Holder()
    let (outcomes, isRefused) = (Locked([ResponseSink.Outcome]()), Signal())
    let fixture = Fixture(interceptors: [holder]) {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        let written = Task { try await responses.write(RawMessage([1])) }
        while holder.work.withLock({ $0 }) == 0 { await Task.yield() }
        let (sink, hasRoom, isDone) = (responses.sink, Signal(), Signal())
        sink.onDrained { hasRoom.fire() }
        @Sendable func offer() { outcomes.withLock { $0.append(sink.offer(EncodedMessage(RawMessage([2])))) } }
        sink.executor.execute {
          offer()
          isRefused.fire()
        }
        await hasRoom.wait()
        try await written.value
        sink.executor.execute {
          offer()
          isDone.fire()
        }
        await isDone.wait()
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    await isRefused.wait()
    holder.mayLeave.fire()
    var received: [RawMessage] = []
    while let message = try await call.responses.next() { received.append(message) }
    #expect(received == [RawMessage([1]), RawMessage([2])] && outcomes.withLock { $0 } == [.full, .queued])
  }

  @Test(arguments: [0, 1])
  func aStreamDoesNotAnswerIfWhatItWaitsForFails_norDoesItEnd(_ messages: Int) async {
    let holder = Holder(failing: RPCError(.unavailable, "not now"))
    holder.mayLeave.fire()
    let fixture = Fixture(interceptors: [holder]) {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        for _ in 0..<messages { try await responses.write(RawMessage([1])) }
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    #expect(await rpcError { try await call.responses.next() }?.code == .unavailable)
  }

  enum Refusing: CaseIterable {
    case interceptor, handler, handlerThatWaits, stream
  }

  @Test(arguments: Refusing.allCases)
  func anErrorWaitsUntilTheHoldKnowsOfIt(_ refusing: Refusing) async throws {
    let error = RPCError(.notFound, "nothing")
    let holder = Holder(refusing: refusing == .interceptor ? error : nil)
    let fixture = Fixture(interceptors: [holder]) {
      if refusing == .handlerThatWaits {
        $0.unary(TestMethods.unary) { (_: RawMessage, _) async throws -> RawMessage in throw error }
      } else {
        $0.unary(TestMethods.unary) { (_: RawMessage, _) throws -> RawMessage in throw error }
      }
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, _: ResponseWriter<RawMessage>, _) in throw error }
    }
    let told = Locked<StatusCode?>(nil)
    let task = Task {
      let error = await rpcError { () async throws -> RawMessage? in
        if refusing == .stream {
          return try await fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
            .responses.next()
        }
        return try await fixture.channel().unary(TestMethods.unary, RawMessage(), as: RawMessage.self)
      }
      told.withLock { $0 = error?.code }
    }
    while holder.failures.withLock({ $0.isEmpty }) { await Task.yield() }
    await fixture.executor.settle()
    #expect(told.withLock { $0 } == nil)
    holder.mayLeave.fire()
    await task.value
    #expect(told.withLock { $0 } == .notFound && holder.failures.withLock { $0 } == [.notFound])
    #expect(holder.work.withLock { $0 } == 0)
  }

  @Test func whatIsNotDueYetLeaves_andTheRestWaits() async throws {
    let holder = Holder(failing: RPCError(.unavailable, "not now"), dueAfter: 2)
    holder.mayLeave.fire()
    let fixture = Fixture(interceptors: [holder]) { $0.echo() }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    try await call.requests.write(RawMessage([1]))
    #expect(try await call.responses.next() == RawMessage([1]))
    try await call.requests.write(RawMessage([2]))
    #expect(await rpcError { try await call.responses.next() }?.code == .unavailable)
    #expect(holder.requests.withLock { $0 } == [RawMessage([1]), RawMessage([2])] && holder.work.withLock { $0 } == 1)
  }

  @Test func theRequestIsKnownWhenTheAnswerWaits() async throws {
    let holder = Holder()
    holder.mayLeave.fire()
    let fixture = Fixture(interceptors: [holder]) { $0.echo() }
    let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage([7]))
    #expect(reply == RawMessage([7]) && holder.requests.withLock { $0 } == [RawMessage([7])])
  }
}
