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
        ["-sS", "-i", "--max-time", "600", "--http2-prior-knowledge", "-d", "hello from curl"] + options
          + ["\(encrypted ? "https" : "http")://\(fixture.address)/a/b"])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.hasPrefix("HTTP/2 200"))
      #expect(result.output.contains("hello from curl"))
    }
  }

  @Test(arguments: [false, true])
  func `curl gets its answer by HTTP 1 as well`(encrypted: Bool) async throws {
    let certificate = encrypted ? try TestCertificate() : nil
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let options = certificate.map { ["--cacert", $0.authorityFile] } ?? []
      let url = "\(encrypted ? "https" : "http")://\(fixture.address)/a/b"
      // Both requests go over one connection.
      let result = try ChildProcess.run(
        "curl",
        ["-sS", "-i", "-v", "--max-time", "600", "--http1.1", "-d", "hello from curl"] + options + [url, url])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.ranges(of: "HTTP/1.1 200 OK").count == 2)
      #expect(result.output.ranges(of: "hello from curl").count == 2)
      #expect(result.errors.contains("Re-using existing connection"), "\(result.errors)")
    }
  }

  @Test func `curl uploads as much as it likes by HTTP 1`() async throws {
    let acceptor = ScriptedAcceptor { _, stream in EchoHandler(stream) }
    try await Fixture.run(acceptor) { fixture in
      let script = """
        head -c 20000000 /dev/zero > upload && \
        curl -sS --http1.1 --max-time 600 -T upload -o chunked -H 'Transfer-Encoding: chunked' \
          http://\(fixture.address)/ && \
        curl -sS --http1.1 --max-time 600 -T upload -o whole http://\(fixture.address)/ && \
        cmp upload chunked && cmp upload whole
        """
      let directory = try #require(ChildProcess.run("mktemp", ["-d"]).output.split(separator: "\n").first)
      let result = try ChildProcess.run("sh", ["-c", script], directory: String(directory))
      #expect(result.status == 0, "\(result.output)\(result.errors)")
      _ = try ChildProcess.run("rm", ["-r", String(directory)])
    }
  }

  @Test
  func `curl sees 431 for too large a head`() async throws {
    try await Fixture.run(ExchangeTests.echo) { fixture in
      let result = try ChildProcess.run(
        "curl",
        ["-sS", "-i", "--max-time", "600", "--http2-prior-knowledge", "http://\(fixture.address)/"]
          + (0..<5).flatMap { ["-H", "x-\($0): " + String(repeating: "v", count: 4000)] })
      #expect(result.output.hasPrefix("HTTP/2 431"))
      #expect(result.output.hasSuffix("the header fields are larger than the limit\n"))
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
