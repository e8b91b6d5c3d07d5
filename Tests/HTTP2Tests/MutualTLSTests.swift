import Base
import ChildProcess
import RPC
import Testing

@testable import HTTP2

/// Clients that show certificates, servers that have several, and what outlives a reload.
@Suite(.ownThread) struct MutualTLSTests {
  /// What the handler saw of its peer.
  private struct Seen: Sendable {
    var peer: PeerInfo
    var isResumed: Bool
  }

  /// Makes one call to a server with this configuration.
  /// - Returns: what the handler saw, or nil with the reason if there was no answer.
  private func call(
    _ server: TLSServerConfiguration, _ clients: [TLSClientConfiguration]
  ) async throws -> [(seen: Seen?, closure: StreamClosure?)] {
    let seen = Locked<[Seen]>([])
    let acceptor = ScriptedAcceptor { _, stream in
      let isResumed = (stream as? HTTP2Stream)?.connection?.channel.tls?.isResumed ?? false
      seen.withLock { $0.append(Seen(peer: stream.peer, isResumed: isResumed)) }
      return EchoHandler(stream)
    }
    let results = Locked<[(Seen?, StreamClosure?)]>([])
    try await Fixture.run(acceptor, tls: server, listen: .tls("127.0.0.1:0")) { fixture in
      for client in clients {
        let transport = fixture.anotherTransport(tls: client)
        let closure = await Exchange.start(transport, body: [[1]]).response().closure
        await transport.shutdown()
        let last = seen.withLock { $0.popLast() }
        results.withLock { $0.append((last, closure)) }
      }
    }
    return results.withLock { $0 }
  }

  private func client(
    _ certificate: TestCertificate, _ files: TLSCertificateFiles? = nil
  ) throws -> TLSClientConfiguration {
    try TLSClientConfiguration(authorityFile: certificate.authorityFile, certificate: files)
  }

  private static let names = "DNS:courier.example,URI:spiffe://octet/courier/7,email:courier@octet.example"

  @Test func `the identity of a client reaches the handler`() async throws {
    let certificate = try TestCertificate()
    let files = try certificate.issue("courier", names: Self.names)
    let server = try TLSServerConfiguration(
      certificates: [certificate.files], clientAuthorityFile: certificate.authorityFile,
      clientAuthentication: .required)
    let result = try await call(server, [client(certificate, files)])[0]
    #expect(result.closure == nil)
    let identity = try #require(result.seen?.peer.identity)
    #expect(identity.subject == "CN=courier,O=Octet")
    // A subject that is longer than anybody's is cut.
    let many = String(repeating: "/O=" + String(repeating: "o", count: 64), count: HTTP2Limits.subjectSize / 64)
    let long = try certificate.issue("long", names: Self.names, organization: many)
    let subject = try #require(try await call(server, [client(certificate, long)])[0].seen?.peer.identity?.subject)
    #expect(subject.utf8.count == HTTP2Limits.subjectSize && subject.hasPrefix("CN=long,O=ooo"))
    #expect(identity.dnsNames == ["courier.example"])
    #expect(identity.uris == ["spiffe://octet/courier/7"])
    #expect(identity.emails == ["courier@octet.example"])
    let digits = identity.fingerprint.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(try digits == TestCertificate.fingerprint(files.certificate))
  }

  @Test func `without a certificate, or with a stranger's, there is no connection`() async throws {
    let certificate = try TestCertificate()
    let other = try TestCertificate()
    defer { withExtendedLifetime(other) {} }
    let stranger = try other.issue("stranger", names: "DNS:stranger.example")
    let server = try TLSServerConfiguration(
      certificates: [certificate.files], clientAuthorityFile: certificate.authorityFile,
      clientAuthentication: .required)
    for result in try await call(server, [client(certificate), client(certificate, stranger)]) {
      #expect(result.seen == nil)
      #expect(result.closure != nil)
    }
  }

  @Test func `a certificate may be optional, but not a bad one`() async throws {
    let certificate = try TestCertificate()
    let courier = try certificate.issue("courier", names: Self.names)
    let other = try TestCertificate()
    defer { withExtendedLifetime(other) {} }
    let stranger = try other.issue("stranger", names: "DNS:stranger.example")
    let server = try TLSServerConfiguration(
      certificates: [certificate.files], clientAuthorityFile: certificate.authorityFile,
      clientAuthentication: .optional)
    let results = try await call(
      server, [client(certificate), client(certificate, courier), client(certificate, stranger)])
    #expect(results[0].closure == nil && results[0].seen?.peer.isEncrypted == true)
    #expect(results[0].seen?.peer.identity == nil)
    #expect(results[1].seen?.peer.identity?.dnsNames == ["courier.example"])
    #expect(results[2].seen == nil && results[2].closure != nil)
  }

  @Test func `a server that does not ask learns nothing`() async throws {
    let certificate = try TestCertificate()
    let courier = try certificate.issue("courier", names: Self.names)
    let server = try TLSServerConfiguration(
      certificates: [certificate.files], clientAuthorityFile: certificate.authorityFile)
    let result = try await call(server, [client(certificate, courier)])[0]
    #expect(result.closure == nil)
    #expect(result.seen?.peer.identity == nil)
  }

  @Test func `to ask for certificates needs an authority`() throws {
    let certificate = try TestCertificate()
    #expect(throws: TLSError.self) {
      try TLSServerConfiguration(certificates: [certificate.files], clientAuthentication: .required)
    }
    #expect(throws: TLSError.self) { try TLSServerConfiguration(certificates: []) }
  }

  @Test func `a resumed session keeps the client's identity`() async throws {
    let certificate = try TestCertificate()
    let courier = try client(certificate, certificate.issue("courier", names: Self.names))
    let server = try TLSServerConfiguration(
      certificates: [certificate.files], clientAuthorityFile: certificate.authorityFile,
      clientAuthentication: .required)
    let results = try await call(server, [courier, courier])
    #expect(results.map { $0.seen?.isResumed } == [false, true])
    #expect(results[1].seen?.peer.identity == results[0].seen?.peer.identity)
  }

  @Test(arguments: [false, true])
  func `tickets outlive a reload where clients are not asked for certificates`(asks: Bool) async throws {
    let certificate = try TestCertificate()
    let courier = try client(certificate, certificate.issue("courier", names: Self.names))
    let server = try TLSServerConfiguration(
      certificates: [certificate.files], clientAuthorityFile: certificate.authorityFile,
      clientAuthentication: asks ? .required : .none)
    #expect(try await call(server, [courier])[0].seen?.isResumed == false)
    try server.reload()
    #expect(try await call(server, [courier])[0].seen?.isResumed == !asks)
  }

  // MARK: Several certificates

  /// The subject that the server shows to a client which asks for `name`.
  private func shown(_ fixture: Fixture, _ name: String?) throws -> String {
    let output = try ChildProcess.run(
      "openssl",
      ["s_client", "-connect", fixture.address, "-alpn", "h2"]
        + (name.map { ["-servername", $0] } ?? ["-noservername"]))
    let line = output.output.split(separator: "\n").first { $0.hasPrefix("subject=") } ?? ""
    return String(line.split(separator: " ").last ?? "")
  }

  @Test func `the certificate is chosen by the server's name`() async throws {
    let certificate = try TestCertificate()
    let files = [
      try certificate.issue("first", names: "DNS:first.example"),
      try certificate.issue("second", names: "DNS:Second.example,DNS:*.second.example"),
      try certificate.issue("third", names: "DNS:special.second.example,DNS:first.example"),
    ]
    let server = try TLSServerConfiguration(certificates: files)
    try await Fixture.run(ExchangeTests.echo, tls: server, listen: .tls("127.0.0.1:0")) { fixture in
      let cases = [
        "first.example": "first", "SECOND.example": "second", "a.second.example": "second",
        "special.second.example": "third", "a.b.second.example": "first", "unknown.example": "first",
      ]
      for (name, expected) in cases { #expect(try shown(fixture, name) == expected, "\(name)") }
      #expect(try shown(fixture, nil) == "first")
      // Our own client verifies what it gets.
      let client = try TLSClientConfiguration(
        authorityFile: certificate.authorityFile, serverName: "x.second.example")
      let transport = fixture.anotherTransport(tls: client)
      #expect(await Exchange.start(transport, body: [[1]]).response().body == [1])
      await transport.shutdown()
    }
  }

  @Test func `all certificates are reloaded, or none`() async throws {
    let certificate = try TestCertificate()
    let server = try TLSServerConfiguration(certificates: [
      certificate.issue("first", names: "DNS:first.example"), certificate.issue("second", names: "DNS:second.example"),
    ])
    try await Fixture.run(ExchangeTests.echo, tls: server, listen: .tls("127.0.0.1:0")) { fixture in
      _ = try certificate.issue("first", names: "DNS:new.example")
      _ = try ChildProcess.run("sh", ["-c", "echo broken > second.key"], directory: certificate.directory)
      #expect(throws: TLSError.self) { try server.reload() }
      #expect(try shown(fixture, "second.example") == "second")
      _ = try certificate.issue("second", names: "DNS:second.example,DNS:other.example")
      try server.reload()
      #expect(try shown(fixture, "other.example") == "second")
      #expect(try shown(fixture, "new.example") == "first")
    }
  }

  // MARK: Tickets

  @Test func `tickets are sealed with a key for its lifetime and opened for one more`() {
    let lifetime = HTTP2Limits.ticketKeyLifetime.inNanoseconds
    let time = Locked<Int64>(0)
    let keys = TicketKeys(random: SeededRandomSource(seed: 1), now: { time.withLock { $0 } })
    func opening(_ key: TicketKeys.Key) -> Bool? {
      key.name.withUnsafeBufferPointer { keys.opening($0).map { $0.isOld } }
    }
    let first = keys.sealing()
    time.withLock { $0 = lifetime - 1 }
    #expect(keys.sealing() == first)
    #expect(opening(first) == false)
    time.withLock { $0 = lifetime }
    let second = keys.sealing()
    #expect(second != first)
    #expect(opening(first) == true)
    #expect(opening(second) == false)
    time.withLock { $0 = 2 * lifetime }
    #expect(opening(first) == nil)
    #expect(opening(second) == true)
    // After a long silence nothing old is opened.
    time.withLock { $0 = 6 * lifetime }
    #expect(opening(second) == nil)
  }

  // MARK: Handshakes

  @Test func `clients that do not go on with their handshake make way`() async throws {
    var limits = HTTP2Limits()
    limits.maxHandshakes = 4
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, limits: limits, certificate: certificate) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      let silent = try (0..<10).map { _ in try RawPeer(port: port) }
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
      #expect(fixture.server.connectionCount <= 5)
      #expect(fixture.server.connectionCounts.failedHandshakes >= 6)
      withExtendedLifetime(silent) {}
    }
  }

  @Test func `a flood of handshakes leaves time for others, and all are done`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let loop = fixture.serverGroup.loops[0]
      let budget = await withCheckedContinuation { (done: CheckedContinuation<[Bool], Never>) in
        loop.execute {
          var answers = [loop.handshakes.mayGoOn(loop)]
          loop.handshakes.spend(HTTP2Limits.handshakeTimePerTick.inNanoseconds)
          answers.append(loop.handshakes.mayGoOn(loop))
          _ = loop.schedule(after: .zero) { [answers] in
            done.resume(returning: answers + [loop.handshakes.mayGoOn(loop)])
          }
        }
      }
      #expect(budget == [true, false, true])
      let transports = try (0..<100).map { _ in
        fixture.anotherTransport(tls: try certificate.clientConfiguration())
      }
      let exchanges = transports.map { Exchange.start($0, body: [[1]]) }
      for exchange in exchanges { #expect(await exchange.response().body == [1]) }
      for transport in transports { await transport.shutdown() }
    }
  }
}
