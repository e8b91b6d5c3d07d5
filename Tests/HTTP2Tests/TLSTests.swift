import Base
import ChildProcess
import HTTP2
import RPC
import Testing

/// Certificates, names, sessions and protocols under TLS.
@Suite(.ownThread) struct TLSTests {
  private func closure(
    _ certificate: TestCertificate, client: TLSClientConfiguration
  ) async throws -> StreamClosure? {
    let result = Locked<StreamClosure?>(nil)
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let transport = fixture.anotherTransport(tls: client)
      let closure = await Exchange.start(transport).response().closure
      result.withLock { $0 = closure }
      await transport.shutdown()
    }
    return result.withLock { $0 }
  }

  @Test func `a certificate for another name is refused`() async throws {
    let certificate = try TestCertificate(names: "DNS:localhost,IP:127.0.0.1")
    let closure = try await closure(certificate, client: certificate.clientConfiguration(serverName: "example.org"))
    guard case .unreachable(let why) = closure else {
      Issue.record("\(String(describing: closure))")
      return
    }
    #expect(why.contains("hostname mismatch"))
  }

  @Test func `a certificate for another address is refused`() async throws {
    let certificate = try TestCertificate(names: "DNS:localhost,IP:127.0.0.2")
    let closure = try await closure(certificate, client: certificate.clientConfiguration())
    guard case .unreachable(let why) = closure else {
      Issue.record("\(String(describing: closure))")
      return
    }
    #expect(why.contains("IP address mismatch"))
  }

  @Test func `a certificate of an unknown authority is refused`() async throws {
    let certificate = try TestCertificate()
    let closure = try await closure(certificate, client: TestCertificate().clientConfiguration())
    guard case .unreachable = closure else {
      Issue.record("\(String(describing: closure))")
      return
    }
  }

  @Test func `a name can be verified instead of the target's address`() async throws {
    let certificate = try TestCertificate(names: "DNS:octet.example")
    let client = try certificate.clientConfiguration(serverName: "octet.example")
    #expect(try await closure(certificate, client: client) == nil)
  }

  /// What `openssl s_client` says about a handshake with the server.
  private func handshake(_ fixture: Fixture, _ arguments: String...) throws -> ChildProcess.Result {
    let address = "\(fixture.server.boundAddresses[0].address)"
    return try ChildProcess.run("openssl", ["s_client", "-connect", address, "-alpn", "h2", "-tls1_2"] + arguments)
  }

  @Test func `RFC 9113 §9.2: TLS 1.2 has suites with forward secrecy alone, and is not negotiated anew`() async throws {
    try await Fixture.run(ExchangeTests.echo, certificate: TestCertificate()) { fixture in
      let good = try handshake(fixture, "-cipher", "ECDHE+AESGCM")
      #expect(good.status == 0 && good.output.contains("ALPN protocol: h2"))
      for suite in ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256"] {
        let bad = try handshake(fixture, "-cipher", suite)
        #expect(bad.status != 0 && bad.errors.contains("handshake failure"), "\(suite): \(bad.errors)")
      }
      let address = "\(fixture.server.boundAddresses[0].address)"
      // The program stumbles over the server's SETTINGS if they come in between: once of several times they do not.
      var errors = ""
      for _ in 0..<20 where !errors.contains("no renegotiation") {
        let anew = try ChildProcess.run("sh", ["-c", "echo R | openssl s_client -connect \(address) -alpn h2 -tls1_2"])
        #expect(anew.status != 0)
        errors = anew.errors
      }
      #expect(errors.contains("no renegotiation"), "\(errors)")
      for version in ["-tls1", "-tls1_1"] {
        let old = try ChildProcess.run(
          "openssl", ["s_client", "-connect", address, version, "-cipher", "ALL:@SECLEVEL=0"])
        #expect(old.status != 0 && old.errors.contains("protocol version"), "\(version): \(old.errors)")
      }
    }
  }

  @Test func `a reloaded certificate is shown to new connections, and old ones go on`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
      try certificate.issue(names: "DNS:renewed.example")
      try fixture.server.reloadCertificate()
      let new = fixture.anotherTransport(tls: try certificate.clientConfiguration(serverName: "renewed.example"))
      #expect(await Exchange.start(new, body: [[2]]).response().body == [2])
      #expect(await Exchange.start(fixture.transport, body: [[3]]).response().body == [3])
      await new.shutdown()
    }
  }

  @Test func `a reload that fails keeps the old certificate`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      _ = try ChildProcess.run("sh", ["-c", "echo broken > key.pem"], directory: certificate.directory)
      #expect(throws: TLSError.self) { try fixture.server.reloadCertificate() }
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
    }
  }

  @Test func `a missing certificate is reported with its file`() throws {
    let error = #expect(throws: TLSError.self) {
      try TLSServerConfiguration(certificateFile: "/nowhere/cert.pem", keyFile: "/nowhere/key.pem")
    }
    #expect(error?.description.contains("/nowhere/cert.pem") == true)
  }

  /// What the `openssl` client reports about the server.
  private func openssl(_ fixture: Fixture, _ certificate: TestCertificate, _ arguments: [String]) throws -> String {
    let output = try ChildProcess.run(
      "openssl",
      ["s_client", "-connect", fixture.address, "-CAfile", certificate.authorityFile, "-servername", "localhost"]
        + arguments)
    return output.output + output.errors
  }

  @Test func `h2 is spoken with those who can, HTTP 1 with the others`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let other = try openssl(fixture, certificate, ["-alpn", "h3,spdy/2"])
      #expect(other.contains("no application protocol"))
      let old = try openssl(fixture, certificate, ["-alpn", "http/1.1"])
      #expect(old.contains("ALPN protocol: http/1.1"))
      let both = try openssl(fixture, certificate, ["-alpn", "http/1.1,h2"])
      #expect(both.contains("ALPN protocol: h2"))
      let none = try openssl(fixture, certificate, [])
      #expect(none.contains("No ALPN negotiated"))
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
    }
  }

  @Test(arguments: [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
  func `both versions are spoken`(option: String, name: String) async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let text = try openssl(fixture, certificate, ["-alpn", "h2", option])
      #expect(text.contains("New, \(name)"))
    }
  }

  @Test func `TLS 1_1 is refused`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let text = try openssl(fixture, certificate, ["-alpn", "h2", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
      #expect(text.contains("Cipher is (NONE)"))
    }
  }

  @Test func `a session is resumed`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let session = certificate.directory + "/session"
      // The first client goes when it has a ticket, which follows the handshake.
      let script = """
        for i in $(seq 600); do test -s \(session) && break; sleep 0.05; done |
          openssl s_client -connect \(fixture.address) -alpn h2 -sess_out \(session) >/dev/null 2>&1
        openssl s_client -connect \(fixture.address) -alpn h2 -sess_in \(session) 2>&1 </dev/null
        """
      let text = try ChildProcess.run("sh", ["-c", script]).output
      #expect(text.contains("Reused, TLSv1.3"))
    }
  }

  @Test func `octets that are no TLS end the connection`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let peer = try RawPeer(port: try #require(fixture.server.boundAddresses[0].address.port))
      try peer.send(RawPeer.preface)
      _ = try peer.readAll()
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
    }
  }

  @Test func `a handshake that does not go on is not waited for`() async throws {
    var limits = HTTP2Limits()
    limits.handshakeTimeout = .milliseconds(50)
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, limits: limits, certificate: certificate) { fixture in
      let peer = try RawPeer(port: try #require(fixture.server.boundAddresses[0].address.port))
      #expect(try peer.readAll() == [])
    }
  }
}
