import Base
import Glibc
import ProtobufRuntime
import RPC
import StandardServices
import StandardServicesAPI
import Testing

@testable import HTTP2

/// A server whose calls want more time than there is, by a clock that moves only when the server's loop works: the loop's
/// measure of its queue, and what is refused for it. What else the machine does has no part in it.
@Suite struct OverloadTests {
  private static let method = MethodDescriptor(service: "test.Load", name: "Work", kind: .unary)

  /// What each call takes of the loop.
  private static let perCall: Duration = .milliseconds(2)

  private static let calls = 60

  /// Other work of the loop, which makes its ticks long. It ends by itself: a loop that went on working while the test
  /// waits for a processor would move its clock to where connections are too old.
  private struct Burden {
    /// How many ticks come before the calls, and how many after.
    var before: Int
    var after = 10
    var perTick: Duration

    static let none = Burden(before: 0, after: 0, perTick: .zero)

    var rounds: Int { (before + after) * HTTP2Limits.workRoundsPerTick }
    /// The round in which the calls come, the first of its tick.
    var middle: Int { before * HTTP2Limits.workRoundsPerTick }
    var perRound: Duration { perTick / HTTP2Limits.workRoundsPerTick }
  }

  private struct Outcome {
    /// When the handlers of the answered calls began, counted from when their requests had come.
    var begun: [Duration] = []
    var refused = 0
    var isHealthy = false

    var latest: Duration { begun.max() ?? .zero }
  }

  private struct Parts {
    let fixture: Fixture
    /// One for each call: the heads of calls over one connection would be judged before the first of them has run.
    let clients: [HTTP2ClientTransport]
    let time: ManualTime
    let begun: Locked<[Int64]>

    /// Has all calls come to the server at once, in the midst of its other work.
    func burst(_ burden: Burden) async -> Outcome {
      let (held, release) = await hold(burden)
      begun.withLock { $0 = [] }
      let exchanges = clients.map { client in
        Exchange.start(
          client, path: OverloadTests.method.path,
          headers: ["content-type": "application/grpc", "te": "trailers"], body: [EncodedMessage(RawMessage()).bytes])
      }
      let channel = RPCChannel(transport: fixture.transport, authority: "localhost")
      async let health = HealthClient(channel).check(HealthCheckRequest())
      // They are written at the end of the tick, and what is written to a Unix socket has come.
      for _ in 0..<2 { await fixture.clientGroup.loops[0].value {} }
      release()
      var outcome = Outcome()
      for exchange in exchanges where await exchange.response().headers.first("grpc-status") == "14" {
        outcome.refused += 1
      }
      outcome.begun = begun.withLock { $0 }.map { .nanoseconds($0 - held) }
      outcome.isHealthy = (try? await health.status) == .serving
      return outcome
    }

    /// Burdens the server's loop, and stops it when it has done the first part.
    /// - Returns: its time then, and what lets it go on.
    private func hold(_ burden: Burden) async -> (Int64, () -> Void) {
      let gate = BlockingQueue<Void>(limit: 1)
      let held = await withCheckedContinuation { work(burden, round: 0, gate, $0) }
      return (held, { gate.close() })
    }

    private func work(
      _ burden: Burden, round: Int, _ gate: BlockingQueue<Void>, _ holding: CheckedContinuation<Int64, Never>
    ) {
      // Each round queues the next, of which a tick has so many.
      fixture.serverGroup.loops[0].execute {
        if round == burden.middle {
          holding.resume(returning: time.now)
          _ = gate.pop(atMost: 1)
        }
        guard round < burden.rounds else { return }
        time.advance(by: burden.perRound)
        work(burden, round: round + 1, gate, holding)
      }
    }
  }

  /// - Parameter body: is given a server that has connections, and measures.
  private func run(_ queueDelay: Duration?, _ body: (Parts) async throws -> Void) async throws {
    let time = ManualTime()
    let begun = Locked([Int64]())
    let isWarm = Locked(false)
    var registry = ServiceRegistry()
    // Without waiting, so that it runs where its request is read.
    registry.unary(Self.method) { (request: RawMessage, _) in
      begun.withLock { $0.append(time.now) }
      if isWarm.withLock({ $0 }) { time.advance(by: Self.perCall) }
      return request
    }
    ServiceHealth().register(in: &registry)
    let server = RPCServer(registry: registry, limits: RPCLimits(queueDelay: queueDelay))
    let name = "octet-overload-\(getpid())-\(InspectionID.next())"
    let listen = try #require(ListenAddress.cleartext("unix-abstract:\(name)"))
    try await Fixture.run(server, listen: listen, serverTime: time) { fixture in
      let clients = (0..<Self.calls).map { _ in fixture.anotherTransport() }
      let parts = Parts(fixture: fixture, clients: clients, time: time, begun: begun)
      // The first calls make the connections and ask the loop to measure. They take no time: connections come in several
      // ticks on a busy machine, and long ones would be a queue that stands.
      #expect(await parts.burst(.none).begun.count == Self.calls)
      isWarm.withLock { $0 = true }
      try await body(parts)
      for client in clients { await client.shutdown() }
    }
  }

  /// With this every request waits at least for a tick: more than the 10 ms that are allowed in these tests, and less than
  /// the 20 ms that are allowed to calls of normal priority.
  private static let overload = Burden(before: 50, perTick: .milliseconds(12))

  @Test func `without shedding everybody is answered, and late`() async throws {
    try await run(nil) { parts in
      let outcome = await parts.burst(Self.overload)
      #expect(outcome.begun.count == Self.calls && outcome.refused == 0 && outcome.isHealthy)
      #expect(outcome.latest >= Self.perCall * (Self.calls - 1))
    }
  }

  @Test func `calls that are taken begin in time, though there are too many`() async throws {
    try await run(.milliseconds(10)) { parts in
      let outcome = await parts.burst(Self.overload)
      // They have waited for 12 ms, 14, 16, 18 and 20; the sixth would have for 22.
      #expect(outcome.begun.count == 5 && outcome.refused == Self.calls - 5)
      #expect(outcome.latest <= .milliseconds(20))
      #expect(outcome.isHealthy)
    }
  }

  @Test func `a burst alone makes nobody be refused`() async throws {
    try await run(.milliseconds(10)) { parts in
      for _ in 0..<3 {
        let outcome = await parts.burst(.none)
        #expect(outcome.begun.count == Self.calls && outcome.refused == 0)
      }
    }
  }

  @Test func `calls are refused while everything waits, and taken again when nothing does`() async throws {
    try await run(.milliseconds(10)) { parts in
      let refused = await parts.burst(Burden(before: 20, perTick: .milliseconds(40)))
      #expect(refused.begun.isEmpty && refused.refused == Self.calls && refused.isHealthy)
      let taken = await parts.burst(Burden(before: 500, perTick: .milliseconds(1)))
      #expect(taken.begun.count == Self.calls && taken.refused == 0)
    }
  }
}
