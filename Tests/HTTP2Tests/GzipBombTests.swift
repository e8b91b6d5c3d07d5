import Base
import Glibc
import RPC
import Testing

@testable import HTTP2

/// Very many messages that grow a thousandfold, over real sockets. What is measured are octets for each tick of the
/// server's loop, which do not depend on the machine.
@Suite(.ownThread) struct GzipBombTests {
  private typealias T = RawPeer.FrameType
  /// So few that their octets fit into the buffers of a socket that nobody reads.
  private static let bombs = 9
  private static let messageBytes = 4 << 20
  private static let small = MethodDescriptor(service: "a", name: "b", kind: .unary)
  private static let stream = MethodDescriptor(service: "a", name: "up", kind: .clientStreaming)

  /// Counts the bombs and answers every request with how many there were. The first holds the loop up until the test has
  /// sent all that it wants to be there at the next tick.
  private final class House: Sendable {
    private let taken = Locked(0)
    private let gate = BlockingQueue<Void>(limit: 1)

    func take(_ message: RawMessage) -> RawMessage {
      let count = taken.withLock { taken in
        if message.bytes.count == GzipBombTests.messageBytes { taken += 1 }
        return taken
      }
      if count == 1 { _ = gate.pop(atMost: 1) }
      return RawMessage(Array("\(count)".utf8))
    }

    var count: Int { taken.withLock { $0 } }

    /// Waits for the first bomb, which holds the loop up from then on.
    func waitForFirst() async {
      while count == 0 { await Task.yield() }
    }

    /// Lets the loop go on.
    func open() { gate.close() }

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

  /// All bombs: each a call of its own, or three to a stream, which is what its first window lets through.
  private static func attack(_ method: MethodDescriptor) -> [UInt8] {
    let perCall = method.kind == .unary ? 1 : 3
    return (0..<bombs / perCall).flatMap { index in
      let stream = UInt32(2 * index + 1)
      return head(stream, method) + (1...perCall).flatMap { data(bomb, stream, end: $0 == perCall) }
    }
  }

  /// A call with a thousand octets.
  private static func call(_ stream: UInt32, isCompressed: Bool) -> [UInt8] {
    let message = EncodedMessage(RawMessage([UInt8](repeating: 1, count: 1000))).bytes
    return head(stream, small) + data(isCompressed ? MessageCompression.compress(message) : message, stream, end: true)
  }

  /// How many bombs had been taken when the next call was answered.
  private func answer(_ peer: RawPeer) throws -> Int {
    let frame = try #require(try peer.next(T.data))
    return try #require(Int(String(decoding: frame.payload.dropFirst(5), as: UTF8.self)))
  }

  /// A client whose connection is there.
  private func client(_ fixture: Fixture) throws -> RawPeer {
    let address = fixture.server.boundAddresses[0].address
    let peer = if let port = address.port { try RawPeer(port: port) } else { try RawPeer(unix: address) }
    try peer.send(RawPeer.preface + RawPeer.frame(T.settings, 0, 0, []))
    try peer.synchronize()
    return peer
  }

  private func inflating(_ fixture: Fixture) throws -> InflateTurns {
    try #require(fixture.serverGroup.loops[0].inflating)
  }

  private func waiting(_ fixture: Fixture) async throws -> Int {
    let turns = try inflating(fixture)
    return await fixture.serverGroup.loops[0].value { turns.waitingCount }
  }

  @Test(arguments: [small, stream], [false, true])
  func `bombs of one peer wait for their turns, and nobody for all of them`(
    method: MethodDescriptor, isUnix: Bool
  ) async throws {
    let house = House()
    // There all clients have one address.
    let unix = ListenAddress.cleartext("unix-abstract:octet-bombs-\(SystemRandomSource().next())")
    try await Fixture.run(house.server(), listen: isUnix ? unix : nil) { fixture in
      defer { house.open() }
      let (attacker, plain, compressing) = (try client(fixture), try client(fixture), try client(fixture))
      try attacker.send(Self.attack(method))
      await house.waitForFirst()
      try plain.send(Self.call(1, isCompressed: false))
      try compressing.send(Self.call(1, isCompressed: true))
      house.open()
      // In the next tick a bomb may come before, in the one after that another one.
      #expect(try answer(plain) <= 2)
      #expect(try answer(compressing) <= 3)
      while house.count < Self.bombs { await Task.yield() }
      try attacker.synchronize()
      try compressing.send(Self.call(3, isCompressed: true))
      #expect(try answer(compressing) == Self.bombs)
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
      defer { house.open() }
      var peer: RawPeer? = try client(fixture)
      try peer?.send(Self.attack(method))
      await house.waitForFirst()
      peer = nil
      house.open()
      while fixture.server.connectionCount > 0 { await Task.yield() }
      #expect(try await waiting(fixture) == 0)
      #expect(house.count <= 3)
    }
  }
}

extension RawPeer {
  /// Connects to a Unix socket.
  fileprivate convenience init(unix address: SocketAddress) throws {
    let socket = try Socket.connect(to: address)
    // The same socket, whose calls block from now on, under a number that belongs to this peer.
    let number = dup(socket.number)
    _ = fcntl(number, F_SETFL, 0)
    self.init(connected: number)
  }
}
