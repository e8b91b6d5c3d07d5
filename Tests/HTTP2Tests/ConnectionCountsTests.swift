import HTTP2
import RPC
import Testing

/// What a server says of its connections.
@Suite(.ownThread) struct ConnectionCountsTests {
  @Test func `connections are counted as accepted, open and refused`() async throws {
    var limits = HTTP2Limits()
    limits.maxConnections = 1
    try await Fixture.run(ExchangeTests.echo, limits: limits) { fixture in
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
      let refused = try RawPeer(port: try #require(fixture.server.boundAddresses[0].address.port))
      #expect(try refused.readAll() == [])
      #expect(fixture.server.connectionCounts == ConnectionCounts(accepted: 2, refused: 1, open: 1))
    }
  }

  @Test func `TLS handshakes are counted by their outcome`() async throws {
    let certificate = try TestCertificate()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
      let stranger = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      _ = try stranger.readAll()
      #expect(
        fixture.server.connectionCounts
          == ConnectionCounts(accepted: 2, handshakes: 1, failedHandshakes: 1, open: 1))
    }
  }
}
