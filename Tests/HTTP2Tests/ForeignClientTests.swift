import ChildProcess
import HTTP2
import RPC
import Testing

/// Other people's clients against our server.
@Suite struct ForeignClientTests {
  @Test(arguments: [false, true])
  func `curl gets its answer`(encrypted: Bool) async throws {
    let certificate = encrypted ? try TestCertificate() : nil
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let options = certificate.map { ["--cacert", $0.authorityFile] } ?? []
      let result = try ChildProcess.run(
        "curl",
        ["-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", "-d", "hello from curl"] + options
          + ["\(encrypted ? "https" : "http")://\(fixture.address)/a/b"])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.hasPrefix("HTTP/2 200"))
      #expect(result.output.contains("hello from curl"))
    }
  }

  @Test
  func `curl with HTTP 1 is told what the port speaks`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let result = try ChildProcess.run(
        "curl", ["-sS", "-i", "--http1.1", "--max-time", "20", "http://\(fixture.address)/"])
      #expect(result.output.hasPrefix("HTTP/1.1 505"))
      #expect(result.output.contains("speaks HTTP/2 only"))
    }
  }

  @Test
  func `curl sees 431 for too large a head`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let result = try ChildProcess.run(
        "curl",
        ["-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", "http://\(fixture.address)/"]
          + (0..<5).flatMap { ["-H", "x-\($0): " + String(repeating: "v", count: 4000)] })
      #expect(result.output.hasPrefix("HTTP/2 431"))
    }
  }

  @Test(arguments: [false, true])
  func `h2load gets all its answers`(encrypted: Bool) async throws {
    let certificate = encrypted ? try TestCertificate() : nil
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let result = try ChildProcess.run(
        "h2load",
        ["-n", "5000", "-c", "10", "-m", "20", "\(encrypted ? "https" : "http")://\(fixture.address)/a/b"])
      #expect(result.output.contains("5000 succeeded, 0 failed, 0 errored"), "\(result.output)")
    }
  }
}
