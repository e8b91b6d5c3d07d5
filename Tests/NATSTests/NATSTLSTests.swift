import Base
import ChildProcess
import Foundation
import Testing

@testable import NATS

/// TLS to a real server, with certificates that the test makes.
@Suite(.timeLimit(.minutes(60)))
struct NATSTLSTests {
  /// A folder for certificates that is gone after the test.
  private func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "octet-nats-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder)
  }

  /// A certificate for localhost, in `cert.pem` and `key.pem`, and its authority in `ca.pem`.
  private func makeCertificate(_ folder: URL) throws -> String {
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../scripts/dev-certificate")
    let made = try ChildProcess.run(script.path, [folder.path])
    try #require(made.status == 0, "\(made.errors)")
    return folder.path
  }

  private func server(_ certificate: String, key: String) async throws -> NATSServer {
    try await NATSServer(arguments: ["--tls", "--tlscert", certificate, "--tlskey", key])
  }

  /// Waits until a bus has failed with these words, or any if nil. It must not get through.
  private func expectFailure(
    _ url: String, authority: String?, _ words: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let (reasons, news) = (Locked<[String]>([]), ParkingSpot())
    let bus = try NATSBus(
      url: url, name: "test", authorityFile: authority, random: SeededRandomSource(seed: 1), limits: .ofTests
    ) { told in
      if case .lost(let error) = told { reasons.withLock { $0.append(error.message) } }
      news.unpark()
    }
    // An attempt may fail for another reason: the server does not wait for long for who is held up.
    let hasFailed = { reasons.withLock { $0.contains { reason in words.map { reason.contains($0) } ?? true } } }
    let end = ContinuousClock.now + .seconds(600)
    while !hasFailed(), bus.figures.connects == 0, ContinuousClock.now < end {
      try await news.park(atMost: .seconds(1))
    }
    #expect(hasFailed() && bus.figures.connects == 0, "\(reasons.withLock { $0 })", sourceLocation: sourceLocation)
    bus.close()
  }

  @Test func `carries messages of any size over TLS, to a name and to an address`() async throws {
    try await withFolder { folder in
      let tls = try makeCertificate(folder)
      let server = try await server(tls + "/cert.pem", key: tls + "/key.pem")
      let random = SeededRandomSource(seed: 2)
      let buses = try ["localhost", "127.0.0.1"].map { host in
        try NATSBus(
          url: "tls://\(host):\(server.port)", name: "test", authorityFile: tls + "/ca.pem", random: random,
          limits: .hasty)
      }
      for bus in buses { try await bus.connected() }
      let (confirmed, inbox) = (ParkingSpot(), Inbox())
      let registration = buses[1].onInterruption { confirmed.unpark() }
      let subscription = buses[1].subscribe("a") { inbox.put($0) }
      try await confirmed.park()
      let messages = (0..<100).map { random.bytes($0 * 337) } + [random.bytes(NATSLimits().messageBytes), []]
      for message in messages { buses[0].publish("a", message) }
      for message in messages { #expect(try await inbox.take() == message) }
      withExtendedLifetime((registration, subscription)) {}
      // A server that is killed is found again.
      try await server.kill()
      try await server.start()
      for bus in buses {
        try await bus.connected(2)
        bus.close()
      }
      try await server.kill()
    }
  }

  @Test func `takes no server without a certificate of a trusted authority for its name`() async throws {
    try await withFolder { folder in
      let tls = try makeCertificate(folder.appending(path: "right"))
      let wrong = try makeCertificate(folder.appending(path: "wrong"))
      let server = try await server(tls + "/cert.pem", key: tls + "/key.pem")
      let url = "tls://localhost:\(server.port)"
      for authority in [wrong + "/ca.pem", nil] {
        try await expectFailure(url, authority: authority, "certificate")
      }
      try await server.kill()

      let (other, key) = (folder.path + "/other.pem", folder.path + "/other.key")
      let made = try ChildProcess.run(
        "openssl",
        [
          "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
          "/CN=other", "-addext", "subjectAltName=DNS:other.example", "-keyout", key, "-out", other,
        ])
      try #require(made.status == 0, "\(made.errors)")
      let stranger = try await self.server(other, key: key)
      try await expectFailure("tls://localhost:\(stranger.port)", authority: other, "hostname mismatch")
      try await expectFailure("tls://127.0.0.1:\(stranger.port)", authority: other, "IP address mismatch")
      try await stranger.kill()
    }
  }

  @Test func `speaks in clear to nobody who is to be reached over TLS, and the other way round`() async throws {
    try await withFolder { folder in
      let tls = try makeCertificate(folder)
      let plain = try await NATSServer()
      try await expectFailure("tls://127.0.0.1:\(plain.port)", authority: tls + "/ca.pem")
      try await plain.kill()
      let server = try await server(tls + "/cert.pem", key: tls + "/key.pem")
      try await expectFailure("nats://127.0.0.1:\(server.port)", authority: nil)
      try await server.kill()
      // What is added to the greeting on the way is not taken for the server's.
      let fake = try FakeServer()
      let url = "tls://127.0.0.1:\(fake.port)"
      async let failed: Void = expectFailure(url, authority: tls + "/ca.pem", "does not wait")
      let connection = try await fake.accept(Array("INFO {}\r\nMSG a 1 1\r\nx\r\n".utf8))
      try await failed
      close(connection)
    }
  }

  @Test func `an authority that cannot be read is said at once`() throws {
    #expect(throws: NATSError.self) { try NATSBus(url: "tls://localhost", authorityFile: "/nonexistent.pem") }
    _ = try NATSBus(url: "nats://localhost", authorityFile: nil)
    #expect(throws: NATSError.self) { try NATSBus(url: "https://localhost") }
  }
}
