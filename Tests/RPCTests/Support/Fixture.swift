import Base
import ProtobufRuntime
import RPC

/// A server and a channel to it, joined in the process, with time in the test's hands.
struct Fixture {
  let executor: ManualTimerExecutor
  let clock = ManualClock()
  let server: RPCServer
  let transport: InProcessTransport
  let log = RecordingLog()

  init(
    interceptors: [any ServerInterceptor] = [], limits: RPCLimits = RPCLimits(),
    observer: (any CallObserver)? = nil, executor: ManualTimerExecutor = ManualTimerExecutor(),
    _ register: (inout ServiceRegistry) -> Void
  ) {
    self.executor = executor
    var registry = ServiceRegistry()
    register(&registry)
    server = RPCServer(
      registry: registry, interceptors: interceptors, limits: limits, observer: observer, clock: clock,
      random: SeededRandomSource(seed: 1), log: log)
    transport = InProcessTransport(acceptor: server, executor: executor)
  }

  func channel(_ interceptors: [any ClientInterceptor] = []) -> RPCChannel {
    RPCChannel(transport: transport, authority: "test", interceptors: interceptors, clock: clock)
  }
}

/// Keeps what the server logged.
final class RecordingLog: RPCLog {
  let entries = Locked([(id: String, text: String)]())
  let faults = Locked([String]())
  func unexpected(_ error: any Error, id: String, method: MethodDescriptor) {
    entries.withLock { $0.append((id, "\(error)")) }
  }
  func fault(_ cause: any Error, status: StatusCode, method: MethodDescriptor) {
    faults.withLock { $0.append("\(cause)") }
  }
}

/// The methods that tests register under `test.Service`.
enum TestMethods {
  static let unary = MethodDescriptor(service: "test.Service", name: "Unary", kind: .unary)
  static let download = MethodDescriptor(service: "test.Service", name: "Download", kind: .serverStreaming)
  static let upload = MethodDescriptor(service: "test.Service", name: "Upload", kind: .clientStreaming)
  static let chat = MethodDescriptor(service: "test.Service", name: "Chat", kind: .bidirectional)
}

extension ServiceRegistry {
  /// Gives every request back.
  mutating func echo() {
    unary(TestMethods.unary) { (request: RawMessage, _) in request }
    bidirectional(TestMethods.chat) { (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _) in
      while let message = try await requests.next() { try await responses.write(message) }
    }
  }
}

/// The error that `body` throws.
func rpcError<T>(_ body: () async throws -> T) async -> RPCError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? RPCError
  }
}
