import Base
import RPC
import Testing

@testable import HTTP2

/// Connections on an engine that is neither HTTP/2 nor HTTP/1: they need nothing but `SessionEngine`. The calls of all
/// kinds over it are in `TransportBehaviourTests`.
@Suite struct SessionEngineTests {
  private let wires = MemorySession.Pair()

  @Test func `a call goes from stream to stream on an engine in memory`() async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in EchoHandler(stream) }, engine: wires.engine) { fixture in
      let response = await Exchange.start(fixture.transport, body: [[1, 2], [3]]).response()
      #expect(response.status == 200 && response.body == [1, 2, 3] && response.closure == nil)
      #expect(response.trailers?.first("grpc-status") == "0")
    }
    #expect(wires.isUsed)
  }

  @Test func `bodies larger than every window pass both ways`() async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in EchoHandler(stream) }, engine: wires.engine) { fixture in
      let chunks = Array(repeating: [UInt8](repeating: 7, count: MemorySession.window), count: 20)
      let response = await Exchange.start(fixture.transport, body: chunks, keepsBody: false).response()
      #expect(response.bodySize == 20 * MemorySession.window && response.closure == nil)
    }
  }

  @Test func `a reset reaches the handler`() async throws {
    let (closures, continuation) = AsyncStream<StreamClosure?>.makeStream()
    let (begun, beginning) = AsyncStream<Void>.makeStream()
    let acceptor = ScriptedAcceptor { _, stream in
      beginning.yield()
      return HoldingHandler(stream, onClose: { continuation.yield($0) })
    }
    try await Fixture.run(acceptor, engine: wires.engine) { fixture in
      let exchange = Exchange.start(fixture.transport, finish: false)
      _ = await begun.first { _ in true }
      exchange.reset(.cancel)
      #expect(await closures.first { _ in true } == .some(.reset(.cancel)))
      #expect(await exchange.response().closure == .reset(.cancel))
    }
  }

  @Test func `a drained connection ends with its last stream`() async throws {
    try await Fixture.run(ScriptedAcceptor { _, stream in EchoHandler(stream) }, engine: wires.engine) { fixture in
      let exchange = Exchange.start(fixture.transport, body: [[1]], finish: false)
      _ = await exchange.wait { $0.body == [1] }
      async let drained: Void = fixture.server.drain(within: .seconds(600))
      // The client has heard of it when it looks for another connection, which nobody takes any more.
      _ = await fixture.transport.states().first { $0 != .ready }
      exchange.write([2])
      exchange.finish()
      let response = await exchange.response()
      #expect(response.body == [1, 2] && response.closure == nil)
      await drained
      #expect(fixture.server.connectionCount == 0)
    }
  }
}
