import Base
import ProtobufRuntime
import Testing

@testable import RPC

/// Calls whose transport finds the service config out.
struct LiveServiceConfigTests {
  /// The in-process transport with a config in the test's hands.
  private struct LiveTransport: ClientTransport {
    let base: InProcessTransport
    let live = LiveServiceConfig()
    let prepared = Locked(0)

    var liveServiceConfig: LiveServiceConfig? { live }

    func executor() -> any CallExecutor { base.executor() }
    func open(
      _ head: RequestHead, waitsForReady: Bool, on executor: any CallExecutor, handler: any ClientStreamHandler
    ) -> any ClientStream {
      base.open(head, waitsForReady: waitsForReady, on: executor, handler: handler)
    }
    func prepare(on executor: any CallExecutor) { prepared.withLock { $0 += 1 } }
    func shutdown() async { await base.shutdown() }
  }

  private let executor = ManualTimerExecutor()
  private let clock = ManualClock()
  private let transport: LiveTransport
  private let server: ScriptedServer
  /// The numbers of the requests that fail.
  private let failing = Locked<Set<Int>>([])

  init() {
    server = ScriptedServer { [failing] number, request in
      if failing.withLock({ $0.contains(number) }) { request.fail(.unavailable) } else { request.succeed([5]) }
    }
    transport = LiveTransport(base: InProcessTransport(acceptor: server, executor: executor))
  }

  private func channel(_ own: ServiceConfig? = nil) -> RPCChannel {
    RPCChannel(
      transport: transport, authority: "test", serviceConfig: own, clock: clock, random: MiddleRandomSource())
  }

  private func unary(
    _ channel: RPCChannel, bytes: Int = 1, options: CallOptions = CallOptions()
  ) async -> Result<[UInt8], RPCError> {
    do {
      let request = RawMessage(Array(repeating: 1, count: bytes))
      let reply: RawMessage = try await channel.unary(TestMethods.unary, request, options: options)
      return .success(reply.bytes)
    } catch {
      return .failure(error as? RPCError ?? RPCError(.unknown, "\(error)"))
    }
  }

  private func config(_ change: (inout ServiceConfig.MethodConfig) -> Void) -> ServiceConfig {
    var method = ServiceConfig.MethodConfig(names: [ServiceConfig.MethodName()])
    change(&method)
    return ServiceConfig(methods: [method])
  }

  private func isPrepared(_ count: Int) async {
    while transport.prepared.withLock({ $0 }) < count { await executor.settle() }
  }

  @Test func aCallWaitsForItsConfigAndObeysIt() async {
    failing.withLock { $0 = [0] }
    async let result = unary(channel())
    await isPrepared(1)
    #expect(server.seen.isEmpty)
    transport.live.set(RetryTests.config())
    while !executor.pendingDelays.contains(.milliseconds(100)) { await executor.settle() }
    executor.fireTimers(of: .milliseconds(100))
    #expect(await result == .success([5]))
    #expect(server.seen.count == 2)
    // The next one need not wait.
    #expect(await unary(channel()) == .success([5]))
    #expect(transport.prepared.withLock { $0 } == 1)
  }

  @Test func theTimeThatItWaitedCounts() async {
    async let result = unary(channel())
    await isPrepared(1)
    clock.advance(by: .seconds(3))
    transport.live.set(config { $0.timeout = .seconds(10) })
    #expect(await result.code == .ok)
    #expect(server.seen.first?.head.headers.first("grpc-timeout") == "7000000u")
  }

  @Test func itsOwnDeadlineEndsACallThatWaits() async {
    async let result = unary(channel(), options: CallOptions(timeout: .seconds(4)))
    await isPrepared(1)
    while executor.pendingDelays.isEmpty { await executor.settle() }
    executor.fireTimers(of: .seconds(4))
    #expect(await result.code == .deadlineExceeded)
    transport.live.set(nil)
    await executor.settle()
    #expect(server.seen.isEmpty)
  }

  @Test func whatWasWrittenMeanwhileMustFit() async {
    async let result = unary(channel(), bytes: 100)
    await isPrepared(1)
    transport.live.set(config { $0.maxRequestMessageBytes = 99 })
    #expect(await result.code == .resourceExhausted)
    await executor.settle()
    #expect(server.seen.isEmpty)
  }

  @Test func theAnswerMustFit() async throws {
    let call: ClientStreamingCall<RawMessage, RawMessage> = channel().clientStreaming(TestMethods.upload)
    call.requests.finish()
    await isPrepared(1)
    transport.live.set(config { $0.maxResponseMessageBytes = 0 })
    #expect(await rpcError { try await call.response() }?.code == .resourceExhausted)
  }

  @Test func withoutAConfigItGoesOn() async {
    async let result = unary(channel())
    await isPrepared(1)
    transport.live.giveUp()
    #expect(await result.code == .ok)
    // Found in the end.
    transport.live.set(config { $0.maxRequestMessageBytes = 0 })
    #expect(await unary(channel()).code == .resourceExhausted)
    // Given up again: the last one holds.
    transport.live.giveUp()
    #expect(await unary(channel()).code == .resourceExhausted)
  }

  @Test func theChannelsOwnConfigGoesFirst() async {
    transport.live.set(config { $0.maxRequestMessageBytes = 0 })
    #expect(await unary(channel(ServiceConfig())).code == .ok)
    #expect(transport.prepared.withLock { $0 } == 0)
  }

  @Test func anEqualConfigKeepsItsThrottle() async {
    failing.withLock { $0 = [0, 1] }
    let config = RetryTests.config(attempts: 2, throttling: RetryThrottling(maxTokens: 2, tokenRatio: 0.1))
    transport.live.set(config)
    // 2 → 1 is half: no more.
    #expect(await unary(channel()).code == .unavailable)
    transport.live.set(config)
    #expect(await unary(channel()).code == .unavailable)
    #expect(server.seen.count == 2)
  }

  @Test func notTooManyCallsWait() async {
    let most = RPCLimits.callsAwaitingConfig
    let channel = channel()
    let calls = (0...most).map { _ in channel.unaryCall(TestMethods.unary, RawMessage(), as: RawMessage.self) }
    await isPrepared(most)
    let error = await rpcError { try await calls[most].response() }
    #expect(error?.code == .unavailable && error?.message.contains("service config") == true)
    #expect(server.seen.isEmpty)
    transport.live.set(nil)
    #expect(await rpcError { try await calls[most - 1].response() } == nil)
  }
}
