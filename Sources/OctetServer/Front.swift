import Admin
import Base
import BenchAPI
import BenchServices
import ChannelzAPI
import DomainKit
import HTTP2
import Observability
import ProtobufRuntime
import RPC
import StandardServices
import StandardServicesAPI
import WebProtocols

/// The side that clients see: the registered services, the RPC core, and the HTTP/2 server that carries it.
struct Front: Sendable {
  /// `bench.v1`, to measure an installation with all that octetd does for a call. Served only when it is named.
  static let bench = "bench"
  /// Anybody may ask whether the server is well and what it can do.
  private static let openServices: Set = [
    HealthMethods.service, ServerReflectionMethods.service, V1AlphaServerReflectionMethods.service,
  ]

  /// It tells addresses of users, and must answer when nothing else does.
  private static let channelzPolicy = MethodPolicy(
    access: .role, roles: ["admin"], defaultDeadline: .seconds(30), priority: .critical)
  /// Anybody may measure, as often as the limits of `--rate-limits` permit.
  private static let benchPolicy = MethodPolicy(access: .public)
  /// By user, or for calls without credentials by address.
  private static let callLimiter = CallLimiter { context in
    context.caller.map { "\($0.user.rawValue)" } ?? context.peer.host
  }

  let core: RPCServer
  let server: HTTP2Server
  let health: ServiceHealth
  let group: EventLoopGroup
  private let observation: Observation
  private let admin: AdminListener?

  /// Registers the services and binds the addresses; nothing is accepted before `start`.
  init(_ configuration: Configuration, house: House, log: Log) throws(StartFailure) {
    var registry = ServiceRegistry()
    for domain in house.domains where configuration.serves(type(of: domain).name) { domain.register(in: &registry) }
    if configuration.serves(Self.bench) {
      BenchService().register(in: &registry)
      BroadcastService().register(in: &registry)
      house.transactions?.register(in: &registry)
      for service in [BenchMethods.service, BroadcastMethods.service, TransactionsMethods.service] {
        registry.changePolicy(ofService: service) { $0 = Self.benchPolicy }
      }
    }
    let faults = house.kit.roles.faults(of: registry.methods)
    precondition(faults.isEmpty, faults.joined(separator: "; "))
    health = ServiceHealth(services: registry.serviceNames)
    health.register(in: &registry)
    let channelz = configuration.servesChannelz ? ChannelzService() : nil
    if let channelz {
      channelz.register(in: &registry)
      registry.changePolicy(ofService: ChannelzMethods.service) { $0 = Self.channelzPolicy }
    }
    let pool: DescriptorPool
    do {
      pool = try DescriptorPool(
        serializedFileDescriptorSets: [StandardServicesAPIDescriptors.serializedFileDescriptorSet]
          + house.catalog.descriptors
          + (channelz == nil ? [] : [ChannelzAPIDescriptors.serializedFileDescriptorSet])
          + (configuration.serves(Self.bench) ? [BenchAPIDescriptors.serializedFileDescriptorSet] : []))
    } catch {
      preconditionFailure("the descriptors that this program is built with do not fit together: \(error)")
    }
    Reflection.register(in: &registry, pool: pool)
    let access = AccessInterceptor(
      kit: house.kit, limits: configuration.rateLimits, openServices: Self.openServices, switches: house.admin.switches)
    do {
      group = try EventLoopGroup(loops: configuration.loops, busyPoll: configuration.busyPoll)
    } catch {
      throw StartFailure(error, opening: "the event loops")
    }
    observation = try Observation(
      configuration.observation, methods: registry.methods, loops: group, kit: house.kit)
    core = RPCServer(
      registry: registry, interceptors: observation.calls.interceptors + [access, Self.callLimiter],
      limits: RPCLimits(defaultDeadline: configuration.defaultDeadline, queueDelay: configuration.queueDelay),
      observer: observation.calls, clock: house.kit.clock, random: house.kit.random, log: HandlerErrors(log: log))

    let addresses = try Self.addresses(configuration)
    let tls = try Self.certificates(configuration.transport)
    do {
      let calls: any RequestAcceptor =
        configuration.web ? WebAcceptor(core, pool: pool, cors: configuration.cors) : core
      let served = house.domains.filter { configuration.serves(type(of: $0).name) }
      let acceptor = PlainRoutes(served.flatMap { $0.routes }, before: calls)
      server = try HTTP2Server(
        acceptor: acceptor, listen: addresses, tls: tls, limits: configuration.transport.limits, group: group,
        random: house.kit.random)
    } catch {
      let wanted = (configuration.listen + configuration.tlsListen).joined(separator: ", ")
      throw StartFailure(error, opening: "cannot listen on \(wanted)")
    }
    channelz?.add(server)
    if let channel = observation.channel { channelz?.add(channel) }
    let adminAddresses = configuration.observation.adminListen
    admin =
      adminAddresses.isEmpty
      ? nil
      : try AdminListener(
        adminAddresses, sources: observation.sources + house.metrics, publicServer: server, database: house.database)
  }

  /// Begins to accept.
  func start() async throws {
    try await server.start()
    try await admin?.start()
  }

  /// `ready listen=127.0.0.1:8080 tls=127.0.0.1:8443`, with the ports that the kernel chose.
  var readyLine: String {
    func joined(encrypted: Bool) -> String {
      server.boundAddresses.filter { $0.isEncrypted == encrypted }.map { "\($0.address)" }.joined(separator: ",")
    }
    let admin = (admin?.addresses ?? []).map { "\($0.address)" }.joined(separator: ",")
    let parts = [("listen", joined(encrypted: false)), ("tls", joined(encrypted: true)), ("admin", admin)]
    return "ready" + parts.filter { !$0.1.isEmpty }.map { " \($0.0)=\($0.1)" }.joined()
  }

  /// Refuses new calls, lets those under way finish, and closes all connections at the latest after `limit`.
  func drain(within limit: Duration) async {
    admin?.beginDraining()
    health.stopServing()
    core.beginDraining()
    await server.drain(within: limit)
    await observation.stop()
    await admin?.stop()
    await group.shutdown()
  }

  private static func addresses(_ configuration: Configuration) throws(StartFailure) -> [ListenAddress] {
    var addresses: [ListenAddress] = []
    for text in configuration.listen {
      guard let address = ListenAddress.cleartext(text) else {
        throw StartFailure(.usage, "listen: \(text) is not ADDR:PORT or unix:PATH")
      }
      addresses.append(configuration.transport.applied(to: address))
    }
    for text in configuration.tlsListen {
      guard let address = ListenAddress.tls(text) else {
        throw StartFailure(.usage, "tls-listen: \(text) is not ADDR:PORT or unix:PATH")
      }
      addresses.append(configuration.transport.applied(to: address))
    }
    return addresses
  }

  private static func certificates(_ transport: TransportSettings) throws(StartFailure) -> TLSServerConfiguration? {
    do {
      return try transport.tls()
    } catch {
      throw StartFailure(error, opening: transport.certificates.map(\.certificate).joined(separator: ", "))
    }
  }
}

/// Logs what handlers throw and nobody foresaw, of which the client only gets the id, and what is for the operator.
private struct HandlerErrors: RPCLog {
  let log: Log

  func unexpected(_ error: any Error, id: String, method: MethodDescriptor) {
    log.error("unexpected_error", ["id": .text(id), "method": .text(method.path), "error": .text("\(error)")])
  }

  func fault(_ cause: any Error, status: StatusCode, method: MethodDescriptor) {
    log.error("fault", ["status": .text("\(status)"), "method": .text(method.path), "error": .text("\(cause)")])
  }
}
