import Base
import BenchAPI
import BenchServices
import Glibc
import HTTP2
import InteropAPI
import Observability
import OctetTypes
import ProtobufRuntime
import RPC
import StandardServices
import StandardServicesAPI
import WebProtocols
import WellKnownTypes

@main
struct OctetInterop {
  /// How long calls under way may go on after a signal.
  private static let drainTimeout = Duration.seconds(5)
  /// What sysexits.h calls EX_USAGE.
  private static let usageExitCode: Int32 = 64

  /// Not async: signals have to be blocked in the first thread before there is another, and the body of an async
  /// `main` may already run on a second one.
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    if arguments.contains("--help") {
      print(Options.usage, terminator: "")
      return
    }
    let (signals, arrived) = AsyncStream.makeStream(of: Int32.self)
    OpenFiles.raiseLimit()
    Signals.handle([Signals.terminate, Signals.interrupt]) { arrived.yield($0) }
    // Detached, as `main` belongs to the main actor, whose thread waits below.
    Task.detached {
      do {
        let options = try Options(arguments)
        if options.isClient {
          try await InteropClient.run(options.client)
        } else {
          try await serve(options, until: signals)
        }
        // `exit` flushes what was printed.
        exit(EXIT_SUCCESS)
      } catch let error as UsageError {
        fail("\(error)\n\(Options.usage)", usageExitCode)
      } catch {
        fail("\(error)\n", EXIT_FAILURE)
      }
    }
    while true { pause() }
  }

  private static func serve(_ options: Options, until signals: AsyncStream<Int32>) async throws {
    let health = ServiceHealth()
    let pool = try DescriptorPool(serializedFileDescriptorSets: [
      WellKnownTypesDescriptors.serializedFileDescriptorSet, OctetTypesDescriptors.serializedFileDescriptorSet,
      StandardServicesAPIDescriptors.serializedFileDescriptorSet, BenchAPIDescriptors.serializedFileDescriptorSet,
      InteropAPIDescriptors.serializedFileDescriptorSet,
    ])
    let registry = registry(options, health, pool)
    let group = try EventLoopGroup(loops: options.loops, busyPoll: options.busyPoll)
    // Calls are counted and limited, as every server should do it. What octetd does on top for each call (access,
    // deadline, shedding) shows when it serves the benchmark itself: `octetd --services bench`.
    let observatory = CallObservatory(metrics: ServerMetrics(methods: registry.methods, executors: group.loops))
    let rpc = RPCServer(
      registry: registry, interceptors: observatory.interceptors + [CallLimiter()], observer: observatory)
    let acceptor = WebAcceptor(rpc, pool: pool, cors: options.cors)
    let (addresses, tls) = try options.listenAddresses()
    var limits = HTTP2Limits()
    if let seconds = options.messagePeriod { limits.messagePeriod = .seconds(seconds) }
    if let bytes = options.heldBytes { limits.heldBytes = bytes }
    let server = try HTTP2Server(acceptor: acceptor, listen: addresses, tls: tls, limits: limits, group: group)
    try await server.start()
    let bound = server.boundAddresses.map { "\($0.isEncrypted ? "tls" : "listen")=\($0.address)" }
    print("ready \(bound.joined(separator: " "))")
    fflush(nil)
    for await _ in signals { break }
    health.stopServing()
    rpc.beginDraining()
    await server.drain(within: drainTimeout)
    await group.shutdown()
  }

  private static func registry(
    _ options: Options, _ health: ServiceHealth, _ pool: DescriptorPool
  ) -> ServiceRegistry {
    var registry = ServiceRegistry()
    if options.isBenchmark {
      BenchService().register(in: &registry)
      BroadcastService().register(in: &registry)
    } else {
      InteropService(serverID: "octet-interop-\(getpid())").register(in: &registry)
    }
    if options.isNesting {
      let echo = MethodDescriptor(service: "octet.interop.Nesting", name: "Echo", kind: .unary)
      registry.unary(echo) { (value: Value, _) in value }
    }
    health.register(in: &registry)
    for service in registry.serviceNames { health.set(service, .serving) }
    Reflection.register(in: &registry, pool: pool)
    return registry
  }

  private static func fail(_ text: String, _ code: Int32) -> Never {
    let bytes = Array(text.utf8)
    // Nothing is left to do if standard error is closed as well.
    _ = write(STDERR_FILENO, bytes, bytes.count)
    exit(code)
  }
}
