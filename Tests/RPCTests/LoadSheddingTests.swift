import Base
import ProtobufRuntime
import RPC
import Testing

/// Which calls are refused when requests wait for their executor.
struct LoadSheddingTests {
  private static func method(_ name: String, service: String = "test.Load") -> MethodDescriptor {
    MethodDescriptor(service: service, name: name, kind: .unary)
  }

  private static let priorities: [(String, MethodPolicy.Priority)] = [
    ("Low", .low), ("Normal", .normal), ("High", .high), ("Critical", .critical),
  ]

  private func fixture(_ now: @escaping @Sendable () -> Int64, refused: Locked<[String]> = Locked([])) -> Fixture {
    let executor = ManualTimerExecutor(queueDelay: QueueDelay(clock: now))
    return Fixture(
      interceptors: [RefusalRecorder(refused: refused)], limits: RPCLimits(queueDelay: .milliseconds(20)),
      executor: executor
    ) { registry in
      for (name, priority) in Self.priorities {
        registry.unary(Self.method(name)) { (request: RawMessage, _) in request }
        registry.changePolicy(ofService: "test.Load", method: name) { $0.priority = priority }
      }
      registry.unary(Self.method("Check", service: "grpc.health.v1.Health")) { (request: RawMessage, _) in request }
    }
  }

  private struct RefusalRecorder: ServerInterceptor {
    let refused: Locked<[String]>
    func refused(_ head: RequestHead, _ method: MethodDescriptor?, peer: PeerInfo, _ error: RPCError) {
      refused.withLock { $0.append("\(method?.name ?? head.path) \(error.code)") }
    }
  }

  private func served(_ fixture: Fixture) async -> [String] {
    var served: [String] = []
    for (name, _) in Self.priorities where await error(fixture, Self.method(name)) == nil { served.append(name) }
    return served
  }

  private func error(_ fixture: Fixture, _ method: MethodDescriptor) async -> RPCError? {
    await rpcError { try await fixture.channel().unary(method, RawMessage(), as: RawMessage.self) }
  }

  /// Batches of which each took so many milliseconds, up to `end`.
  private func run(_ fixture: Fixture, from start: Int64, to end: Int64, batch: Int64) async {
    let delay = fixture.executor.queueDelay
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      fixture.executor.execute {
        var now = start
        while now < end {
          now += batch
          delay?.batchBegan(at: now * 1_000_000, after: batch * 1_000_000)
        }
        done.resume()
      }
    }
  }

  @Test func `nothing is refused while requests wait briefly`() async {
    let fixture = fixture { 1000 * 1_000_000 }
    #expect(await served(fixture).count == 4)
    await run(fixture, from: 0, to: 1000, batch: 10)
    #expect(await served(fixture).count == 4)
  }

  @Test(
    arguments: [
      (30, ["Normal", "High", "Critical"]), (50, ["High", "Critical"]), (170, ["Critical"]),
    ] as [(Int64, [String])])
  func `what matters less is refused first`(batch: Int64, expected: [String]) async {
    let fixture = fixture { (1000 + batch) / batch * batch * 1_000_000 }
    _ = await served(fixture)
    await run(fixture, from: 0, to: 1000, batch: batch)
    #expect(await served(fixture) == expected)
    #expect(await error(fixture, Self.method("Check", service: "grpc.health.v1.Health")) == nil)
  }

  @Test func `a refusal says when to come back, and interceptors see it`() async throws {
    let refused = Locked([String]())
    let fixture = fixture({ 1000 * 1_000_000 }, refused: refused)
    _ = await served(fixture)
    await run(fixture, from: 0, to: 1000, batch: 100)
    var delays: Set<Duration> = []
    for _ in 0..<10 {
      let error = try #require(await error(fixture, Self.method("Normal")))
      #expect(error.code == .unavailable)
      #expect(error.reason == "OVERLOADED")
      let delay = try #require(error.retryDelay)
      #expect((.milliseconds(500)..<(.milliseconds(1500))).contains(delay))
      delays.insert(delay)
    }
    #expect(delays.count > 1)
    #expect(refused.withLock { $0 }.filter { $0 == "Normal UNAVAILABLE" }.count == 10)
  }

  @Test func `refusing goes on for an interval after the last call that waited too long`() async {
    let now = Locked<Int64>(0)
    let fixture = fixture { now.withLock { $0 } * 1_000_000 }
    _ = await served(fixture)
    await run(fixture, from: 0, to: 1000, batch: 100)
    now.withLock { $0 = 1000 }
    #expect(await served(fixture) == ["High", "Critical"])
    // The queue is short at once, because refusing is quick; the next long batch is judged nevertheless.
    await run(fixture, from: 1000, to: 1040, batch: 1)
    now.withLock { $0 = 1040 }
    #expect(await served(fixture).count == 4)
    await run(fixture, from: 1040, to: 1090, batch: 50)
    now.withLock { $0 = 1090 }
    #expect(await served(fixture) == ["High", "Critical"])
    // An interval without excess: a single long batch is a burst again.
    await run(fixture, from: 1090, to: 1300, batch: 1)
    await run(fixture, from: 1300, to: 1350, batch: 50)
    now.withLock { $0 = 1350 }
    #expect(await served(fixture).count == 4)
  }
}
