import Base
import ChildProcess
import RPC
import StandardServices
import StandardServicesAPI
import Testing

@testable import HTTP2

extension ClientChannelTests {
  /// Servers that each answer with their number.
  final class House {
    let group: EventLoopGroup
    private(set) var servers: [HTTP2Server] = []
    private(set) var health: [ServiceHealth] = []
    let seen = Locked([Int]())
    /// Those of the first servers, also while they are stopped.
    private let ports: [ReservedPort]

    init(_ count: Int) async throws {
      group = try EventLoopGroup(loops: 1)
      ports = try (0..<count).map { _ in try ReservedPort() }
      for (number, port) in ports.enumerated() { try await start(number, "127.0.0.1:\(port.number)") }
    }

    func start(_ number: Int, _ address: String) async throws {
      var registry = ServiceRegistry()
      let seen = seen
      registry.unary(ClientChannelTests.method) { (_: RawMessage, _) in
        seen.withLock { $0.append(number) }
        return RawMessage([UInt8(number)])
      }
      let health = ServiceHealth(services: ["house"])
      health.register(in: &registry)
      let server = try HTTP2Server(
        acceptor: RPCServer(registry: registry), listen: [.cleartext(address)!], limits: Fixture.patient(),
        group: group)
      try await server.start()
      servers.append(server)
      self.health.append(health)
    }

    func stop(_ number: Int) async { await servers[number].drain(within: .zero) }

    func address(_ number: Int) -> SocketAddress { servers[number].boundAddresses[0].address }

    func shutDown() async {
      for server in servers { await server.drain(within: .zero) }
      await group.shutdown()
    }
  }
}
