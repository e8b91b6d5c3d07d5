import Base
import RPC

@testable import HTTP2

/// A server and a client on event loops of their own, over a real socket.
struct Fixture {
  let server: HTTP2Server
  let transport: HTTP2ClientTransport
  let serverGroup: EventLoopGroup
  let clientGroup: EventLoopGroup

  /// The server's address as `host:port`.
  var address: String { "\(server.boundAddresses[0].address)" }

  /// Runs `body`, then shuts everything down.
  /// - Parameter engine: makes the sessions of both sides; nil for those of HTTP/2.
  static func run(
    _ acceptor: any RequestAcceptor, limits: HTTP2Limits = HTTP2Limits(), clientLimits: HTTP2Limits = HTTP2Limits(),
    certificate: TestCertificate? = nil, tls: TLSServerConfiguration? = nil, listen: ListenAddress? = nil,
    loops: Int = 1,
    serverTime: ManualTime? = nil, clientTime: ManualTime? = nil, random: any RandomSource = SystemRandomSource(),
    engine: SharedLimits.EngineMaker? = nil,
    _ body: (Fixture) async throws -> Void
  ) async throws {
    let serverGroup = try EventLoopGroup(loops: loops, time: serverTime)
    let clientGroup = try EventLoopGroup(loops: loops, time: clientTime)
    let address = listen ?? (certificate == nil ? .cleartext("127.0.0.1:0")! : .tls("127.0.0.1:0")!)
    let server = try HTTP2Server(
      acceptor: acceptor, listen: [address], tls: tls ?? certificate?.serverConfiguration(),
      shared: shared(patient(limits, serverTime), random, engine), group: serverGroup)
    try await server.start()
    let transport = HTTP2ClientTransport(
      target: ClientTarget("\(server.boundAddresses[0].address)")!, tls: try certificate?.clientConfiguration(),
      serviceConfig: nil, shared: shared(patient(clientLimits, clientTime), SystemRandomSource(), engine),
      group: clientGroup)
    let fixture = Fixture(
      server: server, transport: transport, serverGroup: serverGroup, clientGroup: clientGroup)
    do {
      try await body(fixture)
    } catch {
      await fixture.shutDown()
      throw error
    }
    await fixture.shutDown()
  }

  /// Limits for loops with this clock. On the system's, whose time goes on while the machine stands still, times that a
  /// test does not set are so long that a peer which has no turn is not taken for one that does nothing.
  static func patient(_ limits: HTTP2Limits = HTTP2Limits(), _ time: ManualTime? = nil) -> HTTP2Limits {
    guard time == nil else { return limits }
    let defaults = HTTP2Limits()
    let times: [WritableKeyPath<HTTP2Limits, Duration>] = [
      \.handshakeTimeout, \.headerTimeout, \.bodyTimeout, \.requestIdleTimeout, \.sendTimeout, \.connectTimeout,
    ]
    var patient = limits
    for limit in times where limits[keyPath: limit] == defaults[keyPath: limit] {
      patient[keyPath: limit] = .seconds(3600)
    }
    if limits.messagePeriod == defaults.messagePeriod { patient.messagePeriod = .seconds(3600) }
    return patient
  }

  private static func shared(
    _ limits: HTTP2Limits, _ random: any RandomSource, _ engine: SharedLimits.EngineMaker?
  ) -> SharedLimits {
    if let engine { SharedLimits(limits, random: random, engine: engine) } else { SharedLimits(limits, random: random) }
  }

  private func shutDown() async {
    async let drained: Void = server.drain(within: .milliseconds(100))
    // Where time stands still somebody must move it on.
    while serverGroup.time != nil, server.connectionCount > 0 { await serverGroup.advance(by: .seconds(1)) }
    await drained
    await transport.shutdown()
    await clientGroup.shutdown()
    await serverGroup.shutdown()
  }

  /// One more client of the same server.
  func anotherTransport(limits: HTTP2Limits = HTTP2Limits(), tls: TLSClientConfiguration? = nil) -> HTTP2ClientTransport
  {
    HTTP2ClientTransport(
      target: ClientTarget(address)!, tls: tls, limits: Self.patient(limits, clientGroup.time), group: clientGroup)
  }
}
