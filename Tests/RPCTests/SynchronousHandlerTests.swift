import Base
import BenchAPI
import ProtobufRuntime
import RPC
import Testing

/// Handlers and interceptors that do not wait run without a task, wherever that is possible.
struct SynchronousHandlerTests {
  private struct Service: Bench, BenchMethods.SynchronousEcho {
    let wasInTask: Locked<[Bool]>

    func echo(_ request: EchoRequest, context: ServerContext) throws -> EchoReply {
      wasInTask.withLock { $0.append(isInTask) }
      guard request.tag != "refuse" else { throw RPCError(.failedPrecondition, "refused") }
      var reply = EchoReply()
      reply.payload = request.payload
      return reply
    }
    func download(_: StreamRequest, responses: ResponseWriter<Chunk>, context: ServerContext) async throws {}
    func upload(_: RequestReader<Chunk>, context: ServerContext) async throws -> Chunk { Chunk() }
    func chat(_: RequestReader<Chunk>, responses: ResponseWriter<Chunk>, context: ServerContext) async throws {}
  }

  /// Passes calls in the way that it is told.
  private struct Gate: ServerInterceptor {
    enum Way { case atOnce, later, refusal }
    let name: String
    let way: Way
    let events: Locked<[String]>

    func beforeSynchronously(_ context: ServerContext) throws -> Bool {
      switch way {
      case .atOnce: events.withLock { $0.append("\(name) at once, in a task: \(isInTask)") }
      case .later: return false
      case .refusal: throw RPCError(.unauthenticated, "who are you?")
      }
      return true
    }
    func before(_ context: ServerContext) async throws {
      events.withLock { $0.append("\(name) later, in a task: \(isInTask)") }
    }
    func ended(_ context: ServerContext, _ status: StatusCode) {
      events.withLock { $0.append("\(name) ended \(status)") }
    }
  }

  private static var isInTask: Bool { withUnsafeCurrentTask { $0 != nil } }

  private func echo(_ interceptors: [any ServerInterceptor] = []) async throws -> (EchoReply, inTask: [Bool]) {
    let wasInTask = Locked([Bool]())
    let fixture = Fixture(interceptors: interceptors) { Service(wasInTask: wasInTask).register(in: &$0) }
    var request = EchoRequest()
    request.payload = [1, 2, 3]
    let reply = try await BenchClient(fixture.channel()).echo(request)
    return (reply, wasInTask.withLock { $0 })
  }

  @Test func aHandlerThatDoesNotWaitRunsWithoutATask() async throws {
    let (reply, inTask) = try await echo()
    #expect(reply.payload == [1, 2, 3])
    #expect(inTask == [false])
  }

  @Test func itsErrorsBecomeStatuses() async {
    let fixture = Fixture { Service(wasInTask: Locked([])).register(in: &$0) }
    var request = EchoRequest()
    request.tag = "refuse"
    let error = await rpcError { try await BenchClient(fixture.channel()).echo(request) }
    #expect(error?.code == .failedPrecondition)
    #expect(error?.message == "refused")
  }

  @Test func aClosureThatDoesNotWaitIsTakenForSuchAHandler() async throws {
    let inTask = Locked([Bool]())
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) in
        inTask.withLock { $0.append(Self.isInTask) }
        return request
      }
    }
    let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage([7]))
    #expect(reply.bytes == [7])
    #expect(inTask.withLock { $0 } == [false])
  }

  @Test func interceptorsThatDoNotWaitNeedNoTaskEither() async throws {
    let events = Locked([String]())
    let gates = ["a", "b"].map { Gate(name: $0, way: .atOnce, events: events) }
    #expect(try await echo(gates).inTask == [false])
    #expect(
      events.withLock { $0 } == [
        "a at once, in a task: false", "b at once, in a task: false", "b ended OK", "a ended OK",
      ]
    )
  }

  @Test func oneThatWaitsTakesTheRestIntoATask() async throws {
    let events = Locked([String]())
    let ways: [(String, Gate.Way)] = [("a", .atOnce), ("b", .later), ("c", .atOnce), ("d", .later)]
    let gates = ways.map { Gate(name: $0, way: $1, events: events) }
    #expect(try await echo(gates).inTask == [true])
    #expect(
      events.withLock { Array($0.prefix(4)) } == [
        "a at once, in a task: false", "b later, in a task: true", "c at once, in a task: true",
        "d later, in a task: true",
      ])
  }

  @Test func aRefusalNeedsNoTaskWhateverTheHandler() async {
    let events = Locked([String]())
    let fixture = Fixture(interceptors: [Gate(name: "a", way: .refusal, events: events)]) { $0.echo() }
    let unary = await rpcError {
      try await fixture.channel().unary(TestMethods.unary, RawMessage([0xff]), as: RawMessage.self)
    }
    #expect(unary?.code == .unauthenticated)
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    #expect(await rpcError { try await call.responses.next() }?.code == .unauthenticated)
    #expect(events.withLock { $0 } == ["a ended UNAUTHENTICATED", "a ended UNAUTHENTICATED"])
  }

  @Test func whatEnclosesTheHandlerEnclosesAllOfIt() async throws {
    struct Enclosing: EnclosingServerInterceptor {
      let events: Locked<[String]>
      func around(_ context: ServerContext, _ body: () async throws -> Void) async throws {
        events.withLock { $0.append("enter") }
        try await body()
        events.withLock { $0.append("leave") }
      }
    }
    let events = Locked([String]())
    let gate = Gate(name: "a", way: .atOnce, events: events)
    #expect(try await echo([gate, Enclosing(events: events)]).inTask == [true])
    #expect(events.withLock { Array($0.prefix(3)) } == ["enter", "a at once, in a task: true", "leave"])
  }

  @Test func metadataOfBothEndsGoesOutWithTheAnswer() async {
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, context) in
        try context.initialMetadata.add("x-first", "1")
        try context.trailingMetadata.add("x-last", "2")
        return request
      }
    }
    let exchange = RawExchange(fixture.transport, path: TestMethods.unary.path)
    exchange.send([5])
    exchange.finish()
    await exchange.end()
    #expect(exchange.head.first("x-first") == "1")
    #expect(exchange.trailers.first("x-last") == "2")
    #expect(exchange.grpcStatus == "0")
    #expect(exchange.body == [0, 0, 0, 0, 1, 5])
  }
}
