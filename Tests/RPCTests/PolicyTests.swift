import Base
import GoogleRPC
import ProtobufRuntime
import RPC
import Testing

/// What the policies of methods bound, and how often they may be called.
struct PolicyTests {
  private enum CallerKey: CallKey { typealias Value = String }

  /// Knows who calls by what they say.
  private struct Doorkeeper: ServerInterceptor {
    func before(_ context: ServerContext) async throws { context[CallerKey.self] = context.metadata["caller"] ?? "" }
  }

  private func options(_ caller: String) throws -> CallOptions {
    var metadata = Metadata()
    try metadata.add("caller", caller)
    return CallOptions(metadata: metadata)
  }

  private func limited(_ change: (inout MethodPolicy) -> Void) -> Fixture {
    Fixture(interceptors: [Doorkeeper(), CallLimiter { $0[CallerKey.self] ?? "" }]) { registry in
      registry.echo()
      registry.changePolicy(ofService: "test.Service", method: "Chat", change)
    }
  }

  private typealias Chat = BidirectionalCall<RawMessage, RawMessage>

  private func begin(_ fixture: Fixture, _ caller: String) async throws -> (Chat, RPCError?) {
    let call: Chat = fixture.channel().bidirectional(TestMethods.chat, options: try options(caller))
    try? await call.requests.write(RawMessage([1]))
    return (call, await rpcError { try await call.responses.next() })
  }

  @Test func `one caller's calls are bounded, and others are not in the way`() async throws {
    let fixture = limited { $0.concurrentCallsPerCaller = 2 }
    let (first, none) = try await begin(fixture, "ann")
    #expect(none == nil)
    let (second, _) = try await begin(fixture, "ann")
    let (_, refusal) = try await begin(fixture, "ann")
    #expect(refusal?.code == .resourceExhausted && refusal?.reason == "TOO_MANY_CALLS")
    #expect(refusal?.retryDelay == RPCLimits.retryDelay)
    #expect(refusal?.detail(QuotaFailure.self)?.violations_.map(\.description) == ["TOO_MANY_CALLS"])
    let (other, noRefusal) = try await begin(fixture, "bob")
    #expect(noRefusal == nil)
    // An end makes room, whether in good order or not.
    first.cancel()
    await fixture.executor.settle()
    let (third, noneAgain) = try await begin(fixture, "ann")
    #expect(noneAgain == nil)
    second.requests.finish()
    #expect(try await second.responses.next() == nil)
    let (fourth, noneNow) = try await begin(fixture, "ann")
    #expect(noneNow == nil)
    for call in [other, third, fourth] { call.cancel() }
  }

  @Test func `a method's calls are bounded for all callers together`() async throws {
    let fixture = limited { $0.concurrentCalls = 2 }
    let (first, _) = try await begin(fixture, "ann")
    let (second, _) = try await begin(fixture, "bob")
    let (_, refusal) = try await begin(fixture, "eve")
    #expect(refusal?.code == .unavailable && refusal?.reason == "METHOD_BUSY")
    let unbounded: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage([7]))
    #expect(unbounded.bytes == [7])
    first.cancel()
    second.cancel()
  }

  @Test func `a method has its own greatest length of a message`() async throws {
    let fixture = Fixture(limits: RPCLimits(messageBytes: 100)) { registry in
      registry.echo()
      registry.changePolicy(ofService: "test.Service", method: "Unary") { $0.messageBytes = 10 }
      registry.changePolicy(ofService: "test.Service", method: "Chat") { $0.messageBytes = 1000 }
    }
    func unary(_ count: Int) async -> RPCError? {
      await rpcError {
        try await fixture.channel().unary(TestMethods.unary, RawMessage(count: count), as: RawMessage.self)
      }
    }
    #expect(await unary(10) == nil)
    #expect(await unary(11)?.code == .resourceExhausted)
    let call: Chat = fixture.channel().bidirectional(TestMethods.chat)
    try await call.requests.write(RawMessage(count: 1000))
    #expect(try await call.responses.next()?.bytes.count == 1000)
    try? await call.requests.write(RawMessage(count: 1001))
    #expect(await rpcError { try await call.responses.next() }?.code == .resourceExhausted)
  }

  @Test func `callers are limited by the rate class, each for themselves`() async throws {
    let clock = ManualClock()
    let limits = RateLimits(
      standard: Rate(perSecond: 1, burst: 2), telemetry: Rate(perSecond: 10, burst: 5))
    let limiter = RateLimitInterceptor(limits, clock: clock) { .name($0[CallerKey.self] ?? "") }
    let fixture = Fixture(interceptors: [Doorkeeper(), limiter]) { $0.echo() }
    func call(_ caller: String) async throws -> RPCError? {
      let options = try options(caller)
      return await rpcError {
        try await fixture.channel().unary(TestMethods.unary, RawMessage(), as: RawMessage.self, options: options)
      }
    }
    #expect(try await call("ann") == nil)
    #expect(try await call("ann") == nil)
    let refusal = try await call("ann")
    #expect(refusal?.code == .resourceExhausted && refusal?.reason == "RATE_LIMITED")
    #expect(refusal?.retryDelay == .seconds(1))
    #expect(refusal?.detail(QuotaFailure.self)?.violations_.map(\.description) == ["RATE_LIMITED"])
    #expect(try await call("bob") == nil)
    clock.advance(by: .seconds(1))
    #expect(try await call("ann") == nil)
  }

  @Test func `a bucket lets a burst pass, then one per interval, and says how long to wait`() {
    let clock = ManualClock()
    let limiter = RateLimiter(limits: RateLimits(standard: Rate(perSecond: 2, burst: 3)), clock: clock)
    func take() -> Duration? { limiter.admit(.address("127.0.0.1"), .standard) }
    for _ in 0..<3 { #expect(take() == nil) }
    #expect(take() == .milliseconds(500))
    clock.advance(by: .milliseconds(499))
    #expect(take() == .milliseconds(1))
    clock.advance(by: .milliseconds(1))
    #expect(take() == nil)
    clock.advance(by: .seconds(3600))
    for _ in 0..<3 { #expect(take() == nil) }
    #expect(take() != nil)
  }

  @Test(arguments: [
    ("ipv4:127.0.0.1:4711", "127.0.0.1"), ("ipv6:[::1]:4711", "::1"), ("unix:/run/octet.sock", "/run/octet.sock"),
    ("inprocess:", ""),
  ])
  func `the host of a peer is its address without the port`(address: String, host: String) {
    #expect(PeerInfo(address: address, isEncrypted: false).host == host)
  }

  // MARK: The resource that a call is about

  static let judged = MethodDescriptor(
    service: "test.Judge", name: "Judge", kind: .unary, policy: MethodPolicy(access: .role, resourceField: "text"))

  @Test func `a policy that changes keeps the field of the resource`() {
    var registry = ServiceRegistry()
    registry.unary(Self.judged, about: { (_: RawMessage) in "" }, { (request: RawMessage, _) async throws in request })
    registry.changePolicy(ofService: "test.Judge") { $0 = MethodPolicy() }
    #expect(registry.methods.map(\.policy.resourceField) == ["text"])
    #expect(registry.methods.map(\.policy.access) == [.unspecified])
  }

  @Test func `a method whose policy names a resource is registered with it, and no other is`() async {
    await #expect(processExitsWith: .failure) {
      var registry = ServiceRegistry()
      registry.unary(PolicyTests.judged) { (request: RawMessage, _) in request }
    }
    await #expect(processExitsWith: .failure) {
      var registry = ServiceRegistry()
      registry.unary(
        TestMethods.unary, about: { (_: RawMessage) in "" }, { (request: RawMessage, _) async throws in request })
    }
  }
}

extension RawMessage {
  fileprivate init(count: Int) { self.init([UInt8](repeating: 7, count: count)) }
}
