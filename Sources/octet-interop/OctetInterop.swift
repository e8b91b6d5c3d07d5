import Base
import BenchAPI
import Glibc
import HTTP2
import InteropAPI
import RPC
import StandardServices
import StandardServicesAPI

@main
struct OctetInterop {
  /// How long calls under way may go on after a signal.
  private static let drainTimeout = Duration.seconds(5)
  /// What sysexits.h calls EX_USAGE.
  private static let usageExitCode: Int32 = 64

  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    if arguments.contains("--help") {
      print(Options.usage, terminator: "")
      return
    }
    do {
      try await serve(try Options(arguments))
    } catch let error as UsageError {
      fail("\(error)\n\(Options.usage)", usageExitCode)
    } catch {
      fail("\(error)\n", EXIT_FAILURE)
    }
  }

  private static func serve(_ options: Options) async throws {
    let (stopped, stop) = AsyncStream.makeStream(of: Int32.self)
    Signals.handle([Signals.terminate, Signals.interrupt]) { stop.yield($0) }
    let health = ServiceHealth()
    let rpc = RPCServer(registry: try registry(options, health))
    let group = try EventLoopGroup(loops: options.loops)
    let (address, tls) = try options.listenAddress()
    let server = try HTTP2Server(acceptor: rpc, listen: [address], tls: tls, group: group)
    try await server.start()
    print("ready \(server.boundAddresses.map(\.description).joined(separator: " "))")
    fflush(nil)
    for await _ in stopped { break }
    health.stopServing()
    rpc.beginDraining()
    await server.drain(within: drainTimeout)
    await group.shutdown()
  }

  private static func registry(_ options: Options, _ health: ServiceHealth) throws -> ServiceRegistry {
    var registry = ServiceRegistry()
    if options.isBenchmark {
      BenchService().register(in: &registry)
    } else {
      InteropService().register(in: &registry)
    }
    health.register(in: &registry)
    for service in registry.serviceNames { health.set(service, .serving) }
    try Reflection.register(
      in: &registry,
      serializedFileDescriptorSets: [
        BenchAPIDescriptors.serializedFileDescriptorSet, InteropAPIDescriptors.serializedFileDescriptorSet,
      ])
    return registry
  }

  private static func fail(_ text: String, _ code: Int32) -> Never {
    let bytes = Array(text.utf8)
    // Nothing is left to do if standard error is closed as well.
    _ = write(STDERR_FILENO, bytes, bytes.count)
    exit(code)
  }
}
