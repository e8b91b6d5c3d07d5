import Base
import ProtobufRuntime
import Testing

@testable import RPC

struct DeadlineTests {
  private func headers(timeout: String) -> HeaderList {
    var headers = RawExchange.headers
    headers.append("grpc-timeout", timeout)
    return headers
  }

  @Test func theServerEndsACallWhoseHandlerWaitsForInput() async {
    let cancelled = Signal()
    let fixture = Fixture {
      $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, _) in
        do {
          return try await requests.next() ?? RawMessage()
        } catch {
          if error is CancellationError, Task.isCancelled { cancelled.fire() }
          throw error
        }
      }
    }
    let call = RawExchange(fixture.transport, path: TestMethods.upload.path, headers: headers(timeout: "5S"))
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays == [.seconds(5)])
    fixture.executor.fireTimers(of: .seconds(5))
    await call.end()
    #expect(call.grpcStatus == "4")
    #expect(call.closure == nil)
    await cancelled.wait()
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays == [])
  }

  @Test func theServerEndsACallWhoseHandlerIgnoresCancellation() async {
    let go = Signal()
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) in
        await go.wait()
        return request
      }
    }
    let call = RawExchange(fixture.transport, path: TestMethods.unary.path, headers: headers(timeout: "100m"))
    call.send([])
    call.finish()
    await fixture.executor.settle()
    fixture.executor.fireTimers(of: .milliseconds(100))
    #expect(await call.end().grpcStatus == "4")
    go.fire()
  }

  @Test func aPeerThatDoesNotReadTheStatusIsResetAfterTheGrace() async throws {
    let fixture = Fixture(limits: RPCLimits(closingGrace: .seconds(3))) {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        while true { try await responses.write(RawMessage(Array(repeating: 0, count: 1000))) }
      }
    }
    let call = RawExchange(
      fixture.transport, path: TestMethods.download.path, headers: headers(timeout: "1S"), returnsWindow: false)
    call.send([])
    call.finish()
    await fixture.executor.settle()
    fixture.executor.fireTimers(of: .seconds(1))
    await fixture.executor.settle()
    try #require(fixture.executor.pendingDelays == [.seconds(3)])
    fixture.executor.fireTimers(of: .seconds(3))
    #expect(await call.end().closure == .reset(.cancel))
  }

  @Test func aPeerThatDoesNotReadTheWholeAnswerIsResetAfterTheDeadline() async throws {
    let fixture = Fixture(limits: RPCLimits(closingGrace: .seconds(3))) {
      $0.unary(TestMethods.unary) { (_: RawMessage, _) in RawMessage(Array(repeating: 0, count: 100_000)) }
    }
    let call = RawExchange(
      fixture.transport, path: TestMethods.unary.path, headers: headers(timeout: "1S"), returnsWindow: false)
    call.send([])
    call.finish()
    await call.gotHead.wait()
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays == [.seconds(1)])
    fixture.executor.fireTimers(of: .seconds(1))
    await fixture.executor.settle()
    try #require(fixture.executor.pendingDelays == [.seconds(3)])
    fixture.executor.fireTimers(of: .seconds(3))
    #expect(await call.end().closure == .reset(.cancel))
  }

  @Test func theLongestTimeoutIsNoTrap() async {
    let fixture = Fixture { $0.echo() }
    let call = RawExchange(fixture.transport, path: TestMethods.unary.path, headers: headers(timeout: "99999999H"))
    call.send([])
    call.finish()
    #expect(await call.end().grpcStatus == "0")
  }

  @Test func anAnswerCancelsTheTimer() async {
    let fixture = Fixture { $0.echo() }
    let call = RawExchange(fixture.transport, path: TestMethods.unary.path, headers: headers(timeout: "1H"))
    call.send([])
    call.finish()
    #expect(await call.end().grpcStatus == "0")
    #expect(fixture.executor.pendingDelays == [])
  }

  @Test(
    arguments: [
      (nil, 10, 60, 10), ("5S", 10, 60, 5), ("30S", 10, 60, 30), ("2M", 10, 60, 60), (nil, nil, 60, 60),
      ("2M", nil, nil, 120),
    ] as [(String?, Int?, Int?, Int)])
  func thePolicyOfTheMethodBoundsTheDeadline(
    _ asked: String?, _ byDefault: Int?, _ longest: Int?, _ expected: Int
  ) async {
    let method = MethodDescriptor(
      service: "test.Service", name: "Timed", kind: .bidirectional,
      policy: MethodPolicy(
        defaultDeadline: byDefault.map { .seconds($0) }, longestDeadline: longest.map { .seconds($0) }))
    let fixture = Fixture {
      $0.bidirectional(method) { (requests: RequestReader<RawMessage>, _: ResponseWriter<RawMessage>, _) in
        _ = try await requests.next()
      }
    }
    let call = RawExchange(
      fixture.transport, path: method.path, headers: asked.map(headers(timeout:)) ?? RawExchange.headers)
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays == [.seconds(expected)])
    call.finish()
    #expect(await call.end().grpcStatus == "0")
  }

  @Test(arguments: [MethodKind.unary, .serverStreaming, .clientStreaming, .bidirectional])
  func theServersDefaultHoldsForUnaryCallsOnly(_ kind: MethodKind) async {
    func timeout(_ limits: RPCLimits, _ policy: MethodPolicy = MethodPolicy(), asked: Duration? = nil) -> Duration? {
      limits.timeout(kind, default: policy.defaultDeadline, longest: policy.longestDeadline, requested: asked)
    }
    let limits = RPCLimits(defaultDeadline: .seconds(30), longestDeadline: .seconds(3600))
    #expect(timeout(limits) == .seconds(kind == .unary ? 30 : 3600))
    #expect(timeout(limits, asked: .seconds(60)) == .seconds(60))
    #expect(timeout(limits, asked: .seconds(7200)) == .seconds(3600))
    let policy = MethodPolicy(defaultDeadline: .seconds(5), longestDeadline: .seconds(10))
    #expect(timeout(limits, policy) == .seconds(5))
    #expect(timeout(limits, policy, asked: .seconds(60)) == .seconds(10))
    #expect(timeout(RPCLimits()) == nil)
  }

  @Test func theServerGivesAUnaryCallItsDefault() async {
    let go = Signal()
    let fixture = Fixture(limits: RPCLimits(defaultDeadline: .seconds(30))) {
      $0.unary(TestMethods.unary) { (request: RawMessage, context) in
        #expect(CurrentCall.deadline != nil && CurrentCall.deadline == context.deadline)
        await go.wait()
        return request
      }
    }
    let call = RawExchange(fixture.transport, path: TestMethods.unary.path)
    call.send([])
    call.finish()
    await fixture.executor.settle()
    fixture.executor.fireTimers(of: .seconds(30))
    #expect(await call.end().grpcStatus == "4")
    go.fire()
  }

  @Test func theClientGivesUpByItself() async {
    let (began, cancelled, go) = (Signal(), Signal(), Signal())
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) in
        began.fire()
        await withTaskCancellationHandler {
          await go.wait()
        } onCancel: {
          cancelled.fire()
        }
        return request
      }
    }
    async let error = rpcError {
      try await fixture.channel().unary(
        TestMethods.unary, RawMessage(), as: RawMessage.self, options: CallOptions(timeout: .seconds(7)))
    }
    // Both timers are set before there is a handler, which is to be cancelled.
    await began.wait()
    #expect(fixture.executor.pendingDelays == [.seconds(7), .seconds(7)])
    fixture.executor.fireTimers(of: .seconds(7))
    #expect(await error?.code == .deadlineExceeded)
    await cancelled.wait()
    go.fire()
  }

  @Test func aDeadlineThatHasPassedSendsNothing() async {
    let fixture = Fixture { $0.echo() }
    let error = await rpcError {
      try await fixture.channel().unary(
        TestMethods.unary, RawMessage(), as: RawMessage.self, options: CallOptions(timeout: .zero))
    }
    #expect(error?.code == .deadlineExceeded)
  }

  @Test func aHandlersDeadlineBoundsTheCallsItMakes() async throws {
    let inner = Fixture {
      $0.unary(TestMethods.unary) { (_: RawMessage, context) in
        RawMessage(Array((context.deadline.map { "\($0.nanoseconds)" } ?? "none").utf8))
      }
    }
    let innerChannel = inner.channel()
    let outer = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, context) in
        let reply: RawMessage = try await innerChannel.unary(
          TestMethods.unary, request, options: CallOptions(timeout: .seconds(100)))
        #expect(CurrentCall.deadline == context.deadline)
        return reply
      }
    }
    let reply: RawMessage = try await outer.channel().unary(
      TestMethods.unary, RawMessage(), options: CallOptions(timeout: .seconds(3)))
    let expected = outer.clock.now() + .seconds(3)
    #expect(String(decoding: reply.bytes, as: UTF8.self) == "\(expected.nanoseconds)")
  }
}
