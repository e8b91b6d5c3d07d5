import Base
import HTTP2
import RPC
import Testing

@testable import Observability

@Suite struct MetricsTests {
  private let unary = ["grpc_method": "Unary", "grpc_service": "test.Echo", "grpc_type": "unary"]

  @Test func `calls are counted by method and code, with what went through them`() async throws {
    let server = EchoServer { request, _, clock in
      clock.advance(by: .milliseconds(3))
      return request
    }
    for _ in 0..<5 { _ = try await server.call() }
    _ = try? await server.call(EchoMethods.fail)
    #expect(server.value("grpc_server_started_total", unary) == .integer(5))
    #expect(server.value("grpc_server_handled_total", unary.merging(["grpc_code": "OK"]) { $1 }) == .integer(5))
    #expect(server.value("grpc_server_active_calls", unary) == .integer(0))
    #expect(server.value("grpc_server_received_bytes_total", unary) == .integer(40))
    #expect(server.value("grpc_server_sent_bytes_total", unary) == .integer(40))
    #expect(server.value("grpc_server_msg_received_total", unary) == .integer(5))
    #expect(server.value("grpc_server_msg_sent_total", unary) == .integer(5))
    #expect(
      server.value("grpc_server_handled_total", ["grpc_method": "Fail", "grpc_code": "FAILED_PRECONDITION"])
        == .integer(1))
    // Five calls of 3 ms each.
    let seconds = "grpc_server_handling_seconds"
    #expect(server.value("\(seconds)_count", unary) == .integer(5))
    #expect(server.value("\(seconds)_sum", unary) == .real(0.015))
    #expect(server.value("\(seconds)_bucket", unary.merging(["le": "0.0025"]) { $1 }) == .integer(0))
    #expect(server.value("\(seconds)_bucket", unary.merging(["le": "0.005"]) { $1 }) == .integer(5))
    #expect(server.value("\(seconds)_bucket", unary.merging(["le": "+Inf"]) { $1 }) == .integer(5))
  }

  @Test func `a call under way is active`() async throws {
    let server = EchoServer()
    let call: BidirectionalCall<RawMessage, RawMessage> = server.channel().bidirectional(EchoMethods.chat)
    try await call.requests.write(RawMessage([1]))
    #expect(try await call.responses.next() != nil)
    let chat = ["grpc_method": "Chat", "grpc_type": "bidi_stream"]
    #expect(server.value("grpc_server_active_calls", chat) == .integer(1))
    call.requests.finish()
    #expect(try await call.responses.next() == nil)
    #expect(server.value("grpc_server_active_calls", chat) == .integer(0))
  }

  @Test func `names that strangers call make no series`() async throws {
    let server = EchoServer()
    _ = try await server.call()
    _ = try? await server.call(MethodDescriptor(service: "s", name: "m", kind: .unary))
    let before = server.metrics.metrics().map(\.samples.count)
    for index in 0..<100 {
      _ = try? await server.call(MethodDescriptor(service: "s\(index)", name: "m\(index)", kind: .unary))
    }
    #expect(server.metrics.metrics().map(\.samples.count) == before)
    #expect(
      server.value("grpc_server_handled_total", ["grpc_method": "other", "grpc_code": "UNIMPLEMENTED"])
        == .integer(101))
  }

  @Test func `calls on several loops and on executors that nobody named are all counted`() async throws {
    let group = try EventLoopGroup(loops: 2)
    var registry = ServiceRegistry()
    registry.unary(EchoMethods.unary) { (request: RawMessage, _) in request }
    let metrics = ServerMetrics(methods: registry.methods, executors: group.loops)
    let server = RPCServer(registry: registry, observer: CallObservatory(metrics: metrics))
    let executors: [any CallExecutor] = group.loops + [QueueExecutor(), QueueExecutor()]
    try await withThrowingTaskGroup { tasks in
      for executor in executors {
        tasks.addTask {
          let channel = RPCChannel(
            transport: InProcessTransport(acceptor: server, executor: executor), authority: "test")
          for _ in 0..<200 { _ = try await channel.unary(EchoMethods.unary, RawMessage([1]), as: RawMessage.self) }
        }
      }
      try await tasks.waitForAll()
    }
    #expect(metrics.metrics().value("grpc_server_started_total", unary) == .integer(800))
    #expect(metrics.metrics().value("grpc_server_sent_bytes_total", unary) == .integer(800 * 6))
    await group.shutdown()
  }

  /// An executor with a number of the test's choice.
  private final class Numbered: CallExecutor {
    private let queue = QueueExecutor()
    let number: Int

    init(_ number: Int) { self.number = number }

    var isCurrent: Bool { queue.isCurrent }
    func execute(_ work: @escaping @Sendable () -> Void) { queue.execute(work) }
    func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork {
      queue.schedule(after: delay, work)
    }
    func enqueue(_ job: consuming ExecutorJob) {
      let job = UnownedJob(job)
      queue.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
  }

  @Test func `so many executors have counters of their own, and further ones share theirs`() async throws {
    var registry = ServiceRegistry()
    registry.unary(EchoMethods.unary) { (request: RawMessage, _) in request }
    let most = ObservabilityLimits.executors
    for (last, known) in [(most - 1, most), (most, most)] {
      let executors = [Numbered(7), Numbered(7 + last)]
      let metrics = ServerMetrics(methods: registry.methods, executors: executors)
      #expect(metrics.knownExecutors == known)
      let server = RPCServer(registry: registry, observer: CallObservatory(metrics: metrics))
      for executor in executors {
        let transport = InProcessTransport(acceptor: server, executor: executor)
        let channel = RPCChannel(transport: transport, authority: "test")
        _ = try await channel.unary(EchoMethods.unary, RawMessage([1]), as: RawMessage.self)
      }
      #expect(metrics.metrics().value("grpc_server_started_total", unary) == .integer(2))
    }
  }

  @Test func `a client counts its calls`() async throws {
    let server = EchoServer()
    let metrics = ClientMetrics()
    let channel = server.channel(ClientObservatory(metrics: metrics))
    _ = try await channel.unary(EchoMethods.unary, RawMessage([1, 2]), as: RawMessage.self)
    _ = try? await channel.unary(EchoMethods.fail, RawMessage(), as: RawMessage.self)
    let found = metrics.metrics()
    #expect(found.value("grpc_client_started_total", unary) == .integer(1))
    #expect(found.value("grpc_client_handled_total", unary.merging(["grpc_code": "OK"]) { $1 }) == .integer(1))
    #expect(found.value("grpc_client_msg_received_total", unary) == .integer(1))
    #expect(found.value("grpc_client_sent_bytes_total", unary) == .integer(7))
    #expect(
      found.value("grpc_client_handled_total", ["grpc_method": "Fail", "grpc_code": "FAILED_PRECONDITION"])
        == .integer(1))
  }

  @Test func `a loop that was blocked shows in its lag`() async throws {
    let group = try EventLoopGroup(loops: 1)
    let clock = ManualClock()
    let lag = LoopLag(of: group.loops, every: .milliseconds(1), clock: clock)
    func count() -> Int {
      if case .integer(let count) = lag.metrics().value("octet_loop_lag_seconds_count", ["loop": "0"]) { return count }
      return 0
    }
    // By the manual clock no time passes between two timers, but for the two seconds in which the loop is held.
    await withCheckedContinuation { done in
      group.loops[0].execute {
        clock.advance(by: .seconds(2))
        done.resume()
      }
    }
    let before = count()
    while count() < before + 2 { await Task.yield() }
    lag.stop()
    let found = lag.metrics()
    guard case .real(let sum) = found.value("octet_loop_lag_seconds_sum", ["loop": "0"]),
      case .integer(let all) = found.value("octet_loop_lag_seconds_count"),
      case .integer(let punctual) = found.value("octet_loop_lag_seconds_bucket", ["le": "0.002"])
    else {
      Issue.record("no histogram")
      return
    }
    #expect((1.9...2.0).contains(sum))
    #expect(punctual == all - 1)
    await group.shutdown()
  }

  @Test func `the lag of a loop is measured every lagInterval`() async throws {
    let group = try EventLoopGroup(loops: 1, time: ManualTime())
    let lag = LoopLag(of: group.loops, clock: ManualClock())
    func count() -> MetricSample.Value? { lag.metrics().value("octet_loop_lag_seconds_count", ["loop": "0"]) }
    await group.advance(by: ObservabilityLimits.lagInterval - .nanoseconds(1))
    #expect(count() == .integer(0))
    for number in 1...3 {
      await group.advance(by: number == 1 ? .nanoseconds(1) : ObservabilityLimits.lagInterval)
      #expect(count() == .integer(number))
    }
    lag.stop()
    await group.shutdown()
  }

  @Test func `a client counts so many methods by name, and further ones together`() {
    let metrics = ClientMetrics()
    func counters(_ number: Int) -> CallCounters {
      metrics.counters(MethodDescriptor(service: "test.Many", name: "M\(number)", kind: .unary))
    }
    let most = ObservabilityLimits.clientMethods
    let named = Set((0..<most).map { ObjectIdentifier(counters($0)) })
    #expect(named.count == most)
    let other = counters(most)
    #expect(!named.contains(ObjectIdentifier(other)))
    #expect(counters(most + 1) === other)
  }
}
