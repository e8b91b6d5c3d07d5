import Base
import ProtobufRuntime
import Testing

@testable import RPC

/// Requests that a server has certainly not seen are sent once more, whatever the policy.
struct TransparentRetryTests {
  @Test(arguments: [false, true])
  func aRefusedRequestIsSentOnceMoreAtOnce(_ hasPolicy: Bool) async {
    let fixture = ScriptedFixture(hasPolicy ? RetryTests.config() : nil) { number, request in
      if number == 0 { request.stream.reset(.refusedStream) } else { request.succeed([3]) }
    }
    #expect(await fixture.unary([8]) == .success([3]))
    #expect(fixture.server.seen.map(\.previousAttempts) == [nil, nil])
    #expect(fixture.server.seen.map(\.body) == [[0, 0, 0, 0, 1, 8], [0, 0, 0, 0, 1, 8]])
    await fixture.executor.settle()
    #expect(fixture.executor.pendingDelays.isEmpty)
  }

  @Test func theSecondRefusalIsFinalWithoutAPolicy() async {
    let fixture = ScriptedFixture(nil) { _, request in request.stream.reset(.refusedStream) }
    #expect(await fixture.unary().code == .unavailable)
    #expect(fixture.server.seen.count == 2)
  }

  @Test func `what was not sent is sent again up to unsentRetries times, whatever was refused`() {
    var retries = TransparentRetries()
    let first: [StreamClosure] = [.refused] + Array(repeating: .unsent("lost"), count: RPCLimits.unsentRetries)
    #expect(first.allSatisfy { retries.maySendAgain(after: $0) })
    let later: [StreamClosure] = [.unsent("lost"), .refused, .connectionLost("lost"), .unreachable("no"), .shutdown]
    #expect(!later.contains { retries.maySendAgain(after: $0) })
  }

  @Test func theSecondRefusalIsThePolicysMatter() async {
    let fixture = ScriptedFixture(RetryTests.config()) { number, request in
      if number < 2 { request.stream.reset(.refusedStream) } else { request.succeed() }
    }
    async let result = fixture.unary()
    await fixture.fire(.milliseconds(100))
    #expect(await result.code == .ok)
    #expect(fixture.server.seen.map(\.previousAttempts) == [nil, nil, "1"])
  }

  @Test func aRefusalAfterTheHeadIsFinal() async {
    let fixture = ScriptedFixture(nil) { _, request in
      request.begin()
      request.later { $0.stream.reset(.refusedStream) }
    }
    #expect(await fixture.unary().code == .unavailable)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func otherResetsAreFinal() async {
    let fixture = ScriptedFixture(nil) { _, request in request.stream.reset(.internalError) }
    #expect(await fixture.unary().code == .internal)
    #expect(fixture.server.seen.count == 1)
  }

  @Test(arguments: [false, true])
  func aRequestInSeveralMessagesIsSentOnceMore(_ hasPolicy: Bool) async throws {
    let fixture = ScriptedFixture(hasPolicy ? RetryTests.config() : nil) { number, request in
      if number == 0 { request.stream.reset(.refusedStream) } else { request.succeed([6]) }
    }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel.clientStreaming(TestMethods.upload)
    for number: UInt8 in 1...3 { try await call.requests.write(RawMessage([number])) }
    call.requests.finish()
    #expect(try await call.response().bytes == [6])
    let body: [UInt8] = (1...3).flatMap { [0, 0, 0, 0, 1, $0] }
    #expect(fixture.server.seen.map(\.body) == [body, body])
  }

  @Test func whatIsTooLongToKeepIsNotSentAgain() async throws {
    let fixture = ScriptedFixture(nil) { _, request in request.stream.reset(.refusedStream) }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel.clientStreaming(TestMethods.upload)
    // Five of these are more than 256 KiB.
    for _ in 0..<5 { try await call.requests.write(RawMessage(Array(repeating: 1, count: 60_000))) }
    call.requests.finish()
    #expect(await rpcError { try await call.response() }?.code == .unavailable)
    #expect(fixture.server.seen.count == 1)
  }

  @Test func allStreamsTogetherKeepABoundedAmount() async throws {
    // Nobody answers at first: 80 × 240,000 bytes in two messages are more than 16 MiB.
    let whole = Locked(0)
    let fixture = ScriptedFixture(nil) { number, request in
      if number < 80 { whole.withLock { $0 += 1 } } else { request.succeed() }
    }
    let calls = (0..<80).map { _ in
      Task {
        let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel.clientStreaming(TestMethods.upload)
        for _ in 0..<2 { try await call.requests.write(RawMessage(Array(repeating: 1, count: 120_000))) }
        call.requests.finish()
        return try await call.response().bytes
      }
    }
    while whole.withLock({ $0 }) < 80 { await fixture.executor.settle() }
    for request in fixture.server.seen { request.later { $0.stream.reset(.refusedStream) } }
    var succeeded = 0
    for call in calls where (try? await call.value) != nil { succeeded += 1 }
    // 69 of them fit into the budget.
    #expect(succeeded == 69)
    #expect(fixture.server.seen.count == 80 + 69)
  }

  @Test func aStreamThatIsRefusedGoesOnWhereItWas() async throws {
    let fixture = ScriptedFixture(nil) { _, request in request.succeed([4]) }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel.clientStreaming(TestMethods.upload)
    try await call.requests.write(RawMessage([1]))
    let first = await fixture.requests(1)[0]
    first.later { $0.stream.reset(.refusedStream) }
    _ = await fixture.requests(2)
    try await call.requests.write(RawMessage([2]))
    call.requests.finish()
    #expect(try await call.response().bytes == [4])
    #expect(fixture.server.seen[1].body == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 2])
  }
}
