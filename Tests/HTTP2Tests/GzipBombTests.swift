import Base
import RPC
import Testing

@testable import HTTP2

/// Very many messages that grow a thousandfold, over real sockets. What is measured are octets for each tick of the
/// server's loop, which do not depend on the machine.
@Suite struct GzipBombTests {
  private typealias T = RawPeer.FrameType
  private static let bombs = 100
  private static let messageBytes = 4 << 20
  private static let small = MethodDescriptor(service: "a", name: "b", kind: .unary)
  private static let stream = MethodDescriptor(service: "a", name: "up", kind: .clientStreaming)

  /// Counts the bombs and answers every request with how many there were.
  private final class House: Sendable {
    let taken = Locked(0)

    func take(_ message: RawMessage) -> RawMessage {
      let count = taken.withLock { taken in
        if message.bytes.count == GzipBombTests.messageBytes { taken += 1 }
        return taken
      }
      return RawMessage(Array("\(count)".utf8))
    }

    var count: Int { taken.withLock { $0 } }

    func server() -> RPCServer {
      var registry = ServiceRegistry()
      registry.unary(GzipBombTests.small) { (request: RawMessage, _) -> RawMessage in self.take(request) }
      registry.clientStreaming(GzipBombTests.stream) { (requests: RequestReader<RawMessage>, _) in
        var last = RawMessage()
        while let request = try await requests.next() { last = self.take(request) }
        return last
      }
      return RPCServer(registry: registry)
    }
  }

  /// 4 MiB of zeros with prefix, compressed.
  private static let bomb: [UInt8] = {
    let message = EncodedMessage(RawMessage([UInt8](repeating: 0, count: messageBytes))).bytes
    return MessageCompression.compress(message)
  }()

  private static func head(_ stream: UInt32, _ method: MethodDescriptor) -> [UInt8] {
    let fields = [
      (":method", "POST"), (":scheme", "http"), (":path", method.path), (":authority", "x"),
      ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip"),
    ]
    return RawPeer.headers(stream, fields.flatMap { RawPeer.literal($0.0, $0.1) })
  }

  private static func data(_ octets: [UInt8], _ stream: UInt32, end: Bool) -> [UInt8] {
    var frames: [UInt8] = []
    var rest = octets[...]
    repeat {
      let piece = rest.prefix(16_384)
      rest = rest.dropFirst(piece.count)
      frames += RawPeer.frame(T.data, end && rest.isEmpty ? 1 : 0, stream, Array(piece))
    } while !rest.isEmpty
    return frames
  }

  /// All bombs at once: each a call of its own, or ten to a stream.
  private static func attack(_ method: MethodDescriptor) -> [UInt8] {
    let perCall = method.kind == .unary ? 1 : 10
    return (0..<bombs / perCall).flatMap { index in
      let stream = UInt32(2 * index + 1)
      return head(stream, method)
        + (1...perCall).flatMap { data(bomb, stream, end: $0 == perCall) }
    }
  }

  private func inflating(_ fixture: Fixture) throws -> InflateTurns {
    try #require(fixture.serverGroup.loops[0].inflating)
  }

  private func waiting(_ fixture: Fixture) async throws -> Int {
    let turns = try inflating(fixture)
    return await fixture.serverGroup.loops[0].value { turns.waitingCount }
  }

  @Test(arguments: [small, stream])
  func `bombs of one peer wait for their turns, and nobody for all of them`(method: MethodDescriptor) async throws {
    let house = House()
    try await Fixture.run(house.server()) { fixture in
      let channel = RPCChannel(transport: fixture.transport, authority: "localhost")
      func call(_ options: CallOptions = CallOptions()) async throws -> Int {
        let reply: RawMessage = try await channel.unary(
          Self.small, RawMessage([UInt8](repeating: 1, count: 1000)), options: options)
        return try #require(Int(String(decoding: reply.bytes, as: UTF8.self)))
      }
      #expect(try await call() == 0)
      let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      try peer.send(Self.attack(method))
      while house.count == 0 { await Task.yield() }
      // A call that needs no decompressing, and one that does, come between.
      #expect(try await call() < Self.bombs)
      #expect(try await call(CallOptions(compression: .gzip)) < Self.bombs)
      while house.count < Self.bombs { await Task.yield() }
      try peer.synchronize()
      #expect(try await call(CallOptions(compression: .gzip)) == Self.bombs)
      let turns = try inflating(fixture)
      let most = await fixture.serverGroup.loops[0].value { turns.mostPerTick }
      #expect(most >= Self.messageBytes)
      #expect(most < (1 << 20) + Self.messageBytes)
      #expect(try await waiting(fixture) == 0)
    }
  }

  @Test(arguments: [small, stream])
  func `bombs whose connection is closed give their turns up`(method: MethodDescriptor) async throws {
    let house = House()
    try await Fixture.run(house.server()) { fixture in
      var peer: RawPeer? = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      try peer?.send(Self.attack(method))
      while house.count == 0 { await Task.yield() }
      peer = nil
      while fixture.server.connectionCount > 0 { await Task.yield() }
      #expect(try await waiting(fixture) == 0)
      #expect(house.count < Self.bombs)
    }
  }
}
