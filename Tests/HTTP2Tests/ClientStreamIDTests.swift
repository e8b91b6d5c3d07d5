import RPC
import Testing

@testable import HTTP2

/// A connection has two to the power of thirty stream ids for a client; some hours of a busy one.
@Suite struct ClientStreamIDTests {
  /// Has the connection of an exchange continue with the last id.
  private func useUp(_ exchange: Exchange) async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      exchange.executor.execute {
        let session = (exchange.stream as? ClientHTTP2Stream)?.connection?.session as? HTTP2Session
        session?.nextStreamID = HTTP2Protocol.largestStreamID
        done.resume()
      }
    }
  }

  @Test(.timeLimit(.minutes(60)))
  func `when the ids are used up, calls go over another connection and old ones go on`() async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in EchoHandler(stream) }) { fixture in
      let long = Exchange.start(fixture.transport, body: [[1]], finish: false)
      _ = await long.wait { $0.status == 200 }
      await useUp(long)
      // The last id of the first connection, and then the second.
      for octet in UInt8(2)...4 {
        #expect(await Exchange.start(fixture.transport, body: [[octet]]).response().body == [octet])
      }
      #expect(fixture.server.connectionCount == 2)
      long.write([5])
      long.finish()
      #expect(await long.response().body == [1, 5])
    }
  }
}
