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
  static func run(
    _ acceptor: any RequestAcceptor, limits: HTTP2Limits = HTTP2Limits(), clientLimits: HTTP2Limits = HTTP2Limits(),
    certificate: TestCertificate? = nil, tls: TLSServerConfiguration? = nil, listen: ListenAddress? = nil,
    loops: Int = 1,
    serverTime: ManualTime? = nil, clientTime: ManualTime? = nil, random: any RandomSource = SystemRandomSource(),
    _ body: (Fixture) async throws -> Void
  ) async throws {
    let serverGroup = try EventLoopGroup(loops: loops, time: serverTime)
    let clientGroup = try EventLoopGroup(loops: loops, time: clientTime)
    let address = listen ?? (certificate == nil ? .cleartext("127.0.0.1:0")! : .tls("127.0.0.1:0")!)
    let server = try HTTP2Server(
      acceptor: acceptor, listen: [address], tls: tls ?? certificate?.serverConfiguration(), limits: limits,
      group: serverGroup, random: random)
    try await server.start()
    let transport = HTTP2ClientTransport(
      target: ClientTarget("\(server.boundAddresses[0].address)")!, tls: try certificate?.clientConfiguration(),
      limits: clientLimits, group: clientGroup)
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
    HTTP2ClientTransport(target: ClientTarget(address)!, tls: tls, limits: limits, group: clientGroup)
  }
}
