import Base
import ChildProcess
import Foundation
import RPC
import Testing

@testable import HTTP2

/// How the client finds its server, loses it and finds it again.
@Suite struct ClientTests {
  private func withTransport(
    _ target: String, limits: HTTP2Limits = HTTP2Limits(), _ body: (HTTP2ClientTransport) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(loops: 1)
    let transport = HTTP2ClientTransport(
      target: ClientTarget(target)!, limits: Fixture.patient(limits), group: group)
    try await body(transport)
    await transport.shutdown()
    await group.shutdown()
  }

  /// Where nobody listens, and nobody else can begin to: anybody may be given a port that has been freed.
  private static func freeAddress() -> String {
    "unix:\(FileManager.default.temporaryDirectory.path)/octet-\(UUID().uuidString)"
  }

  @Test func `a server that is not there is unreachable, with the reason`() async throws {
    let reserved = try ReservedPort()
    let port = reserved.number
    try await withTransport("127.0.0.1:\(port)") { transport in
      let exchanges = (0..<3).map { _ in Exchange.start(transport) }
      for exchange in exchanges {
        #expect(
          await exchange.response().closure == .unreachable("127.0.0.1:\(port): connect: Connection refused"))
      }
      // During the backoff the answer comes at once.
      guard case .unreachable = await Exchange.start(transport).response().closure else {
        Issue.record("not unreachable")
        return
      }
    }
    withExtendedLifetime(reserved) {}
  }

  @Test func `after the backoff the client connects`() async throws {
    var limits = HTTP2Limits()
    limits.backoffBase = .milliseconds(5)
    let address = Self.freeAddress()
    try await withTransport(address, limits: limits) { transport in
      guard case .unreachable = await Exchange.start(transport).response().closure else {
        Issue.record("not unreachable")
        return
      }
      try await Fixture.run(ExchangeTests.echo, listen: .cleartext(address)!) { _ in
        while await Exchange.start(transport, body: [[1]]).response().body != [1] {}
      }
    }
  }

  @Test func `a name is resolved`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      try await withTransport("localhost:\(port)") { transport in
        #expect(await Exchange.start(transport, body: [[1]]).response().body == [1])
      }
    }
  }

  @Test(.enabled("the machine has an IPv6 loopback") { FileManager.default.hasIPv6Loopback })
  func `a server listens on an IPv6 address, and a client reaches it there`() async throws {
    let peer = Locked<PeerInfo?>(nil)
    let acceptor = ScriptedAcceptor { _, stream in
      let info = stream.peer
      peer.withLock { $0 = info }
      return EchoHandler(stream)
    }
    try await Fixture.run(acceptor, listen: .cleartext("[::1]:0")!) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      for target in ["[::1]:\(port)", "ipv6:[::1]:\(port)"] {
        try await withTransport(target) { transport in
          #expect(await Exchange.start(transport, body: [[1]]).response().body == [1])
        }
        #expect(peer.withLock { $0.take() }?.address.hasPrefix("ipv6:[::1]:") == true)
      }
    }
  }

  @Test func `a name that does not exist is unreachable`() async throws {
    try await withTransport("does-not-exist.invalid:1") { transport in
      guard case .unreachable(let why) = await Exchange.start(transport).response().closure else {
        Issue.record("not unreachable")
        return
      }
      #expect(why.contains("does-not-exist.invalid"))
    }
  }

  @Test func `a lost connection is made again`() async throws {
    let acceptor = ScriptedAcceptor { head, stream in
      if head.path == "/hold" { return HoldingHandler(stream) }
      return EchoHandler(stream)
    }
    let target = Self.freeAddress()
    let address = ListenAddress.cleartext(target)!
    try await withTransport(target) { transport in
      var held: Exchange?
      try await Fixture.run(acceptor, listen: address) { _ in
        held = Exchange.start(transport, path: "/hold", finish: false)
        #expect(await Exchange.start(transport, body: [[1]]).response().body == [1])
      }
      guard case .connectionLost = await held?.response().closure else {
        Issue.record("not lost")
        return
      }
      try await Fixture.run(acceptor, listen: address) { _ in
        #expect(await Exchange.start(transport, body: [[2]]).response().body == [2])
      }
    }
  }

  @Test func `a request that waits for its connection can be given up`() async throws {
    // This listener never says SETTINGS: the client stays in the handshake.
    let target = Self.freeAddress()
    let socket = try Socket.listen(at: #require(SocketAddress(target)), backlog: 1)
    defer {
      _ = socket
      try? FileManager.default.removeItem(atPath: String(target.dropFirst("unix:".count)))
    }
    try await withTransport(target) { transport in
      let exchange = Exchange.start(transport, body: [[1]])
      exchange.reset(.cancel)
      let response = await exchange.response()
      #expect(response.closure == .reset(.cancel))
      #expect(response.closeCalls == 1)
    }
  }
}

extension FileManager {
  /// Whether `::1` is an address of this machine.
  fileprivate var hasIPv6Loopback: Bool {
    let addresses = contents(atPath: "/proc/net/if_inet6").map { String(decoding: $0, as: UTF8.self) } ?? ""
    return addresses.split(separator: "\n").contains { $0.hasPrefix(String(repeating: "0", count: 31) + "1 ") }
  }
}
