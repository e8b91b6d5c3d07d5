import Base
import ProtobufRuntime
import Testing

@testable import RPC

/// Retries by a policy, as gRPC's A6 has them.
struct RetryTests {
  static func config(
    attempts: Int = 4, codes: Set<StatusCode> = [.unavailable], throttling: RetryThrottling? = nil,
    perAttempt: Duration? = nil
  ) -> ServiceConfig {
    let policy = RetryPolicy(
      maxAttempts: attempts, initialBackoff: .milliseconds(100), maxBackoff: .milliseconds(300), backoffMultiplier: 2,
      retryableStatusCodes: codes, perAttemptReceiveTimeout: perAttempt)
    let method = ServiceConfig.MethodConfig(
      names: [ServiceConfig.MethodName(service: "test.Service")], attempts: .retry(policy))
    return ServiceConfig(methods: [method], retryThrottling: throttling)
  }

  @Test func aCallIsTriedAgainAfterAGrowingWait() async {
    let fixture = ScriptedFixture(Self.config()) { number, request in
      if number < 3 { request.fail(.unavailable) } else { request.succeed([9]) }
    }
    async let result = fixture.unary([1, 2])
    await fixture.fire(.milliseconds(100))
    await fixture.fire(.milliseconds(200))
    await fixture.fire(.milliseconds(300))
    #expect(await result == .success([9]))
    #expect(fixture.server.seen.map(\.previousAttempts) == [nil, "1", "2", "3"])
    for request in fixture.server.seen { #expect(request.body == [0, 0, 0, 0, 2, 1, 2]) }
    #expect(fixture.executor.pendingDelays.isEmpty)
  }

  @Test func theLastFailureIsTheCalls() async {
    let fixture = ScriptedFixture(Self.config(attempts: 2)) { _, request in request.fail(.unavailable) }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(100))
    #expect(await result.code == .unavailable)
    #expect(fixture.server.seen.count == 2)
  }

  @Test func noPolicyMakesMoreThanFiveAttempts() async throws {
    let fixture = ScriptedFixture(Self.config(attempts: 100)) { _, request in request.fail(.unavailable) }
    async let result = fixture.unary()
    for delay in [100, 200, 300, 300] { await fixture.fire(.milliseconds(delay)) }
    try #require(fixture.executor.pendingDelays.isEmpty)
    #expect(await result.code == .unavailable)
    #expect(fixture.server.seen.count == RPCLimits.maxAttempts)
  }

  @Test func anotherStatusIsFinal() async {
    let fixture = ScriptedFixture(Self.config()) { _, request in request.fail(.internal) }
    #expect(await fixture.unary().code == .internal)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func nothingIsTriedAgainOnceTheAnswerHasBegun() async {
    let fixture = ScriptedFixture(Self.config()) { _, request in
      request.begin()
      request.stream.finish(trailers: ["grpc-status": "14"])
    }
    #expect(await fixture.unary().code == .unavailable)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func aResetIsTriedAgainByItsStatus() async {
    let fixture = ScriptedFixture(Self.config(codes: [.resourceExhausted])) { number, request in
      if number == 0 { request.stream.reset(.enhanceYourCalm) } else { request.succeed() }
    }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(100))
    #expect(await result.code == .ok)
  }

  @Test func aProxysErrorPageIsTriedAgain() async {
    let fixture = ScriptedFixture(Self.config()) { number, request in
      if number > 0 { return request.succeed() }
      request.stream.respond(status: 503, headers: ["content-type": "text/html"], endStream: false)
      request.stream.write(Array("<html>".utf8))
    }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(100))
    #expect(await result.code == .ok)
    #expect(await fixture.requests(2)[0].closure == .reset(.cancel))
  }

  @Test func theServerSaysWhen() async {
    let fixture = ScriptedFixture(Self.config()) { number, request in
      switch number {
      case 0: request.fail(.unavailable)
      case 1: request.fail(.unavailable, pushback: "1234")
      case 2: request.fail(.unavailable)
      default: request.succeed()
      }
    }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(100))
    await fixture.fire(.milliseconds(1234))
    // The backoff starts anew.
    await fixture.fire(.milliseconds(100))
    #expect(await result.code == .ok)
  }

  @Test(arguments: ["-1", "soon", "", "99999999999"])
  func theServerWantsNoRetry(_ pushback: String) async {
    let fixture = ScriptedFixture(Self.config()) { _, request in request.fail(.unavailable, pushback: pushback) }
    #expect(await fixture.unary().code == .unavailable)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func theDeadlineSpansTheAttempts() async throws {
    let fixture = ScriptedFixture(Self.config()) { _, request in request.fail(.unavailable) }
    async let result = fixture.unary(options: CallOptions(timeout: .seconds(10)))
    await fixture.waits(.milliseconds(100))
    fixture.clock.advance(by: .seconds(4))
    await fixture.fire(.milliseconds(100))
    let requests = await fixture.requests(2)
    #expect(requests.map { $0.head.headers.first("grpc-timeout") } == ["10000000u", "6000000u"])
    // In the wait for the third.
    await fixture.fire(.seconds(10))
    #expect(await result.code == .deadlineExceeded)
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays.isEmpty)
    #expect(fixture.server.seen.count == 2)
  }

  @Test func aCancelledCallIsNotTriedAgain() async {
    let fixture = ScriptedFixture(Self.config()) { _, request in request.fail(.unavailable) }
    let task = Task { await fixture.unary().code }
    await fixture.waits(.milliseconds(100))
    task.cancel()
    #expect(await task.value == .cancelled)
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays.isEmpty)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func theJitterIsAFifthEitherWay() {
    let random = SeededRandomSource(seed: 3)
    let waits = (0..<2000).map { _ in random.jittered(.milliseconds(100)) }
    #expect(waits.allSatisfy { (.milliseconds(80)...(.milliseconds(120))).contains($0) })
    #expect(waits.contains { $0 < .milliseconds(82) } && waits.contains { $0 > .milliseconds(118) })
  }

  @Test func streamsOfRequestsAreSentAgain() async throws {
    let fixture = ScriptedFixture(Self.config()) { number, request in
      if number == 0 { request.fail(.unavailable) } else { request.succeed([5]) }
    }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel.clientStreaming(TestMethods.upload)
    try await call.requests.write(RawMessage([1]))
    try await call.requests.write(RawMessage([2]))
    call.requests.finish()
    async let response = call.response()
    await fixture.fire(.milliseconds(100))
    #expect(try await response.bytes == [5])
    #expect(fixture.server.seen.map(\.body) == Array(repeating: [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 2], count: 2))
  }

  @Test func whatIsTooLongToKeepIsSentOnce() async throws {
    let fixture = ScriptedFixture(Self.config()) { _, request in request.fail(.unavailable) }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel.clientStreaming(TestMethods.upload)
    // Five of these are more than 256 KiB.
    for _ in 0..<5 { try await call.requests.write(RawMessage(Array(repeating: 1, count: 60_000))) }
    call.requests.finish()
    #expect(await rpcError { try await call.response() }?.code == .unavailable)
    #expect(fixture.server.seen.count == 1)
    #expect(fixture.server.seen[0].body.count == 5 * 60_005)
  }

  @Test func allCallsTogetherKeepABoundedAmount() async throws {
    // Nobody answers, so that all are kept: 80 × 240,000 bytes are more than 16 MiB.
    let fixture = ScriptedFixture(Self.config()) { _, _ in }
    let calls = (0..<80).map { _ in
      Task { await fixture.unary(Array(repeating: 1, count: 240_000)).code }
    }
    _ = await fixture.requests(80)
    while await fixture.received() != Array(repeating: 240_005, count: 80) {}
    for request in fixture.server.seen { request.later { $0.fail(.unavailable) } }
    while fixture.executor.pendingDelays.isEmpty { await fixture.executor.settle() }
    await fixture.executor.settle()
    // 69 of them fit into the budget and are tried again.
    #expect(fixture.executor.pendingDelays.count == 69)
    for call in calls { call.cancel() }
    var codes: [StatusCode] = []
    for call in calls { codes.append(await call.value) }
    #expect(codes.filter { $0 == .unavailable }.count == 11)
    // All is given back.
    let again = Task { await fixture.unary(Array(repeating: 1, count: 240_000)).code }
    let last = await fixture.requests(81)[80]
    while await fixture.received().last != 240_005 {}
    last.later { $0.fail(.unavailable) }
    while fixture.executor.pendingDelays.isEmpty { await fixture.executor.settle() }
    again.cancel()
    _ = await again.value
  }

  // MARK: Attempts without an answer

  @Test func anAttemptWithoutAnAnswerIsGivenUpAndTriedAgain() async {
    let fixture = ScriptedFixture(Self.config(codes: [], perAttempt: .milliseconds(50))) { number, request in
      if number == 2 { request.succeed([9]) }
    }
    async let result = fixture.unary([1])
    for backoff in [100, 200] {
      await fixture.fire(.milliseconds(50))
      await fixture.fire(.milliseconds(backoff))
    }
    #expect(await result == .success([9]))
    let seen = await fixture.requests(3)
    #expect(seen.map(\.previousAttempts) == [nil, "1", "2"])
    #expect(seen.map(\.closure) == [.reset(.cancel), .reset(.cancel), nil])
    #expect(fixture.executor.pendingDelays.isEmpty)
  }

  @Test func theLastAttemptWithoutAnAnswerEndsTheCall() async {
    let fixture = ScriptedFixture(Self.config(attempts: 2, perAttempt: .milliseconds(50))) { _, _ in }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(50))
    await fixture.fire(.milliseconds(100))
    await fixture.fire(.milliseconds(50))
    #expect(await result.code == .cancelled)
    #expect(await fixture.requests(2).map(\.closure) == [.reset(.cancel), .reset(.cancel)])
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays.isEmpty)
  }

  @Test func anAnswerThatHasBegunMayTakeItsTime() async {
    let fixture = ScriptedFixture(Self.config(perAttempt: .milliseconds(50))) { _, request in request.begin() }
    async let result = fixture.unary()
    let request = await fixture.requests(1)[0]
    while await fixture.received() == [0] || !fixture.executor.pendingDelays.isEmpty {}
    request.later { request in
      request.stream.write(EncodedMessage(RawMessage([3])).bytes)
      request.stream.finish(trailers: ["grpc-status": "0"])
    }
    #expect(await result == .success([3]))
  }

  @Test func attemptsWithoutAnAnswerCountForTheThrottle() async {
    let config = Self.config(throttling: RetryThrottling(maxTokens: 2, tokenRatio: 0.1), perAttempt: .milliseconds(50))
    let fixture = ScriptedFixture(config) { _, _ in }
    async let result = fixture.unary()
    // 2 → 1 is half: no more.
    await fixture.fire(.milliseconds(50))
    #expect(await result.code == .cancelled)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func aRequestTooLongToRepeatFailsWithItsAttempt() async throws {
    let fixture = ScriptedFixture(Self.config(perAttempt: .milliseconds(50))) { _, _ in }
    async let result = fixture.unary(Array(repeating: 1, count: 300_000))
    while await fixture.received() != [300_005] {}
    await fixture.fire(.milliseconds(50))
    #expect(await result.code == .cancelled)
    #expect(fixture.server.seen.count == 1)
  }

  // MARK: Throttling

  @Test func manyFailuresStopRetriesAndSuccessesAllowThemAgain() async {
    let succeeds = Locked(false)
    let config = Self.config(attempts: 5, throttling: RetryThrottling(maxTokens: 4, tokenRatio: 0.5))
    let fixture = ScriptedFixture(config) { _, request in
      if succeeds.withLock({ $0 }) { request.succeed() } else { request.fail(.unavailable) }
    }
    async let first = fixture.unary()
    // 4 → 3: one more; 3 → 2, which is half: no more.
    await fixture.fire(.milliseconds(100))
    #expect(await first.code == .unavailable)
    #expect(fixture.server.seen.count == 2)
    succeeds.withLock { $0 = true }
    for _ in 0..<3 { #expect(await fixture.unary().code == .ok) }
    succeeds.withLock { $0 = false }
    // 3.5 → 2.5: one more; 1.5: no more.
    async let last = fixture.unary()
    await fixture.fire(.milliseconds(100))
    #expect(await last.code == .unavailable)
    #expect(fixture.server.seen.count == 7)
  }

  @Test func failuresThatNoPolicyNamesCostNothing() async {
    let config = Self.config(throttling: RetryThrottling(maxTokens: 2, tokenRatio: 0.1))
    let fixture = ScriptedFixture(config) { number, request in
      if number < 10 {
        request.fail(.notFound)
      } else if number == 10 {
        request.fail(.unavailable)
      } else {
        request.succeed()
      }
    }
    for _ in 0..<10 { #expect(await fixture.unary().code == .notFound) }
    // 2 → 1 is half: the throttle was full until now, and counts this one.
    #expect(await fixture.unary().code == .unavailable)
    #expect(fixture.server.seen.count == 11)
  }
}
