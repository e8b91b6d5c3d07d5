import HTTP2
import RPC
import Testing

/// Other people's clients against our server.
@Suite struct ForeignClientTests {
  @Test(.enabled(if: Command.exists("curl")), arguments: [false, true])
  func `curl gets its answer`(encrypted: Bool) async throws {
    let certificate = encrypted ? try TestCertificate() : nil
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let options = certificate.map { ["--cacert", $0.authorityFile] } ?? []
      let output = try Command.run(
        "curl",
        ["-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", "-d", "hello from curl"] + options
          + ["\(encrypted ? "https" : "http")://\(fixture.address)/a/b"])
      #expect(output.status == 0, "\(output.errors)")
      #expect(output.text.hasPrefix("HTTP/2 200"))
      #expect(output.text.contains("hello from curl"))
    }
  }

  @Test(.enabled(if: Command.exists("curl")))
  func `curl with HTTP 1 is told what the port speaks`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let output = try Command.run(
        "curl", ["-sS", "-i", "--http1.1", "--max-time", "20", "http://\(fixture.address)/"])
      #expect(output.text.hasPrefix("HTTP/1.1 505"))
      #expect(output.text.contains("speaks HTTP/2 only"))
    }
  }

  @Test(.enabled(if: Command.exists("curl")))
  func `curl sees 431 for too large a head`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let output = try Command.run(
        "curl",
        ["-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", "http://\(fixture.address)/"]
          + (0..<5).flatMap { ["-H", "x-\($0): " + String(repeating: "v", count: 4000)] })
      #expect(output.text.hasPrefix("HTTP/2 431"))
    }
  }

  @Test(.enabled(if: Command.exists("h2load")), arguments: [false, true])
  func `h2load gets all its answers`(encrypted: Bool) async throws {
    let certificate = encrypted ? try TestCertificate() : nil
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let output = try Command.run(
        "h2load",
        ["-n", "5000", "-c", "10", "-m", "20", "\(encrypted ? "https" : "http")://\(fixture.address)/a/b"])
      #expect(output.text.contains("5000 succeeded, 0 failed, 0 errored"), "\(output.text)")
    }
  }
}
