import Base
import ProtobufRuntime
import RPC
import Testing

/// Hedged calls, as gRPC's A6 has them.
struct HedgingTests {
  private static func config(
    attempts: Int = 3, delay: Duration = .milliseconds(50), throttling: RetryThrottling? = nil
  ) -> ServiceConfig {
    let policy = HedgingPolicy(maxAttempts: attempts, hedgingDelay: delay, nonFatalStatusCodes: [.unavailable])
    let method = ServiceConfig.MethodConfig(
      names: [ServiceConfig.MethodName(service: "test.Service", method: "Unary")], attempts: .hedging(policy))
    return ServiceConfig(methods: [method], retryThrottling: throttling)
  }

  @Test func attemptsFollowUntilOneIsAnsweredAndTheOthersAreCancelled() async {
    let fixture = ScriptedFixture(Self.config()) { _, _ in }
    async let result = fixture.unary([1])
    await fixture.fire(.milliseconds(50))
    _ = await fixture.requests(2)
    await fixture.fire(.milliseconds(50))
    let requests = await fixture.requests(3)
    #expect(requests.map(\.previousAttempts) == [nil, "1", "2"])
    #expect(fixture.executor.pendingDelays.isEmpty)
    requests[1].later { $0.succeed([22]) }
    #expect(await result == .success([22]))
    await fixture.executor.settle()
    #expect(requests.map(\.closure) == [.reset(.cancel), nil, .reset(.cancel)])
  }

  @Test func anEarlyAnswerMakesFurtherAttemptsNeedless() async {
    let fixture = ScriptedFixture(Self.config()) { _, request in request.succeed([1]) }
    #expect(await fixture.unary() == .success([1]))
    await fixture.executor.settle()
    #expect(fixture.server.seen.count == 1)
    #expect(fixture.executor.pendingDelays.isEmpty)
  }

  @Test func `an attempt that no server has seen is under way until it is made again`() async {
    let fixture = ScriptedFixture(Self.config(attempts: 2)) { number, request in
      if number == 2 { request.succeed([7]) }
    }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(50))
    let hedged = await fixture.requests(2)
    hedged[0].later { first in
      first.stream.reset(.refusedStream)
      hedged[1].fail(.unavailable)
    }
    #expect(await result == .success([7]))
  }

  @Test func noDelaySendsAllAtOnce() async {
    let fixture = ScriptedFixture(Self.config(delay: .zero)) { _, _ in }
    async let result = fixture.unary()
    await fixture.fire(.zero)
    _ = await fixture.requests(2)
    await fixture.fire(.zero)
    let requests = await fixture.requests(3)
    requests[2].later { $0.succeed([2]) }
    #expect(await result == .success([2]))
  }

  @Test func noPolicyMakesMoreThanFiveAttempts() async {
    let fixture = ScriptedFixture(Self.config(attempts: 100)) { _, _ in }
    async let result = fixture.unary()
    for _ in 1..<5 { await fixture.fire(.milliseconds(50)) }
    let requests = await fixture.requests(5)
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays.isEmpty)
    requests[4].later { $0.succeed([5]) }
    #expect(await result == .success([5]))
  }

  @Test func aNonFatalStatusBringsTheNextForward() async {
    let fixture = ScriptedFixture(Self.config()) { number, request in
      if number == 0 { request.fail(.unavailable) } else { request.succeed([6]) }
    }
    async let result = fixture.unary()
    await fixture.fire(.zero)
    #expect(await result == .success([6]))
    #expect(fixture.server.seen.count == 2)
  }

  @Test func aFatalStatusEndsTheCall() async {
    let fixture = ScriptedFixture(Self.config()) { number, request in
      if number == 1 { request.fail(.permissionDenied) }
    }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(50))
    #expect(await result.code == .permissionDenied)
    await fixture.executor.settle()
    #expect(fixture.server.seen.map(\.closure) == [.reset(.cancel), nil])
  }

  @Test func theLastOfTheFailuresIsTheCalls() async {
    let fixture = ScriptedFixture(Self.config(attempts: 2)) { _, _ in }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(50))
    let requests = await fixture.requests(2)
    requests[0].later { $0.fail(.unavailable) }
    await fixture.executor.settle()
    #expect(requests[1].closure == nil && !requests[1].isClosed)
    requests[1].later { $0.fail(.unavailable) }
    #expect(await result.code == .unavailable)
    #expect(fixture.server.seen.count == 2)
  }

  @Test func pushbackDelaysTheNextOrEndsThem() async {
    let fixture = ScriptedFixture(Self.config()) { number, request in
      switch number {
      case 0: request.fail(.unavailable, pushback: "777")
      default: request.fail(.unavailable, pushback: "-1")
      }
    }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(777))
    #expect(await result.code == .unavailable)
    #expect(fixture.server.seen.count == 2)
  }

  @Test func theThrottleStopsHedging() async {
    let fixture = ScriptedFixture(Self.config(throttling: RetryThrottling(maxTokens: 2, tokenRatio: 1))) { _, request in
      request.fail(.unavailable)
    }
    #expect(await fixture.unary().code == .unavailable)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func cancellationEndsAllAttempts() async {
    let fixture = ScriptedFixture(Self.config(attempts: 2)) { _, _ in }
    let task = Task { await fixture.unary().code }
    await fixture.fire(.milliseconds(50))
    _ = await fixture.requests(2)
    task.cancel()
    #expect(await task.value == .cancelled)
    await fixture.executor.settle()
    #expect(fixture.server.seen.map(\.closure) == [.reset(.cancel), .reset(.cancel)])
    #expect(fixture.executor.pendingDelays.isEmpty)
  }
}
