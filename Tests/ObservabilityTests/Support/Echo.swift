import Base
import Observability
import ProtobufRuntime
import RPC

/// The methods of the server under observation.
enum EchoMethods {
  static let unary = MethodDescriptor(service: "test.Echo", name: "Unary", kind: .unary)
  static let fail = MethodDescriptor(service: "test.Echo", name: "Fail", kind: .unary)
  static let chat = MethodDescriptor(service: "test.Echo", name: "Chat", kind: .bidirectional)
}

/// A server that gives everything back, joined to a channel in the process, with the clock in the test's hands.
struct EchoServer {
  let executor = QueueExecutor()
  let clock = ManualClock()
  let metrics: ServerMetrics
  let transport: InProcessTransport

  init(
    tracer: Tracer? = nil, log: CallLog? = nil,
    handler: @escaping @Sendable (RawMessage, ServerContext, ManualClock) async throws -> RawMessage = {
      request, _, _ in
      request
    }
  ) {
    let clock = clock
    var registry = ServiceRegistry()
    registry.unary(EchoMethods.unary) { (request: RawMessage, context) in try await handler(request, context, clock) }
    registry.unary(EchoMethods.fail) { (_: RawMessage, _) -> RawMessage in
      throw RPCError(.failedPrecondition, "not now")
    }
    registry.bidirectional(EchoMethods.chat) {
      (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _) in
      while let message = try await requests.next() { try await responses.write(message) }
    }
    metrics = ServerMetrics(methods: registry.methods, executors: [executor])
    let observatory = CallObservatory(metrics: metrics, tracer: tracer, log: log, clock: clock)
    let server = RPCServer(
      registry: registry, interceptors: observatory.interceptors, observer: observatory, clock: clock)
    transport = InProcessTransport(acceptor: server, executor: executor)
  }

  func channel(_ observer: (any ClientCallObserver)? = nil) -> RPCChannel {
    RPCChannel(transport: transport, authority: "test", observer: observer, clock: clock)
  }

  func call(
    _ method: MethodDescriptor = EchoMethods.unary, _ bytes: [UInt8] = [1, 2, 3], metadata: [(String, String)] = []
  ) async throws -> [UInt8] {
    var options = CallOptions()
    for (name, value) in metadata { try options.metadata.add(name, value) }
    let reply: RawMessage = try await channel().unary(method, RawMessage(bytes), options: options)
    return reply.bytes
  }

  /// The value of one series of the server's metrics; nil if there is none.
  func value(_ name: String, _ labels: [String: String] = [:]) -> MetricSample.Value? {
    metrics.metrics().value(name, labels)
  }
}

extension [MetricFamily] {
  /// The value of the series with this name that has all these labels.
  func value(_ name: String, _ labels: [String: String] = [:]) -> MetricSample.Value? {
    for family in self {
      for sample in family.samples where family.name + sample.suffix == name {
        let has = Dictionary(uniqueKeysWithValues: sample.labels.map { ($0.name, $0.value) })
        if labels.allSatisfy({ has[$0.key] == $0.value }) { return sample.value }
      }
    }
    return nil
  }
}
