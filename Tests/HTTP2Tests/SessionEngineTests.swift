import Base
import Glibc
import ProtobufRuntime
import RPC
import Testing

@testable import HTTP2

/// Connections, streams and the RPC core on an engine that is neither HTTP/2 nor HTTP/1: they need nothing but
/// `SessionEngine`.
@Suite struct SessionEngineTests {
  /// The client's end: a connection as it is, with streams that note what comes.
  private final class Client: Connection, @unchecked Sendable {
    // Unchecked for the reason of its superclass.

    final class Stream: HTTP2Stream {
      private let note: @Sendable (String) -> Void

      init(_ note: @escaping @Sendable (String) -> Void) {
        self.note = note
        super.init(connection: nil, id: 0)
      }

      override func receiveHeaders(_ block: inout HeaderBlock, endStream: Bool) {
        let status = block.headers.first("grpc-status").map { " grpc-status \($0)" } ?? ""
        note((block.status == 0 ? "trailers" : "head \(block.status)") + status)
      }
      override func receive(_ bytes: UnsafeRawBufferPointer) {
        note("body " + bytes.map { String($0) }.joined(separator: " "))
        consumed(bytes.count)
      }
      override func closed(_ reason: StreamClosure?) { note("closed \(reason.map { "\($0)" } ?? "well")") }
    }

    func call(_ path: String, _ chunks: [[UInt8]], note: @escaping @Sendable (String) -> Void) -> Stream {
      let stream = Stream(note)
      let headers: HeaderList = ["content-type": "application/grpc", "te": "trailers"]
      _ = session.open(
        RequestHead(method: "POST", path: path, scheme: "http", authority: "x", headers: headers), stream)
      stream.connection = self
      add(stream)
      for chunk in chunks { stream.write(chunk) }
      stream.finish(trailers: nil)
      return stream
    }
  }

  private struct Pair {
    let client: Client
    let clientLoop: EventLoop
    let serverClosed: AsyncStream<Void>
  }

  private static func run(
    _ acceptor: any RequestAcceptor, _ body: (Pair) async throws -> Void
  ) async throws {
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    let (serverEnd, clientEnd) = (ends[0], ends[1])
    let group = try EventLoopGroup(loops: 2)
    let (up, down) = (MemorySession.Wire(), MemorySession.Wire())
    let limits = SharedLimits(HTTP2Limits(), random: SeededRandomSource(seed: 1))
    let (closed, continuation) = AsyncStream<Void>.makeStream()
    group.loops[0].execute {
      let loop = group.loops[0]
      guard let channel = try? ByteChannel(Descriptor(serverEnd), tls: nil) else { return }
      let connection = ServerConnection(
        loop: loop, channel: channel, peer: PeerInfo(address: "unix:", isEncrypted: false), network: nil,
        acceptor: acceptor,
        limits: limits, counter: ConnectionCounter(), onClose: { _ in continuation.yield() })
      connection.use(MemorySession(incoming: up, outgoing: down, delegate: connection))
      try? connection.start(timeout: .seconds(60))
    }
    let loop = group.loops[1]
    let client = await withCheckedContinuation { (made: CheckedContinuation<Client?, Never>) in
      loop.execute {
        guard let channel = try? ByteChannel(Descriptor(clientEnd), tls: nil) else {
          return made.resume(returning: nil)
        }
        let client = Client(loop: loop, channel: channel, role: .client, limits: limits, isConnected: true)
        client.use(MemorySession(incoming: down, outgoing: up, delegate: client))
        try? client.start(timeout: .seconds(60))
        made.resume(returning: client)
      }
    }
    try await body(Pair(client: try #require(client), clientLoop: loop, serverClosed: closed))
    loop.execute { client?.finish() }
    var iterator = closed.makeAsyncIterator()
    _ = await iterator.next()
    await group.shutdown()
  }

  /// Makes a call and returns what its stream notes until it is closed.
  private static func call(_ pair: Pair, _ path: String, _ chunks: [[UInt8]]) async -> [String] {
    let (notes, continuation) = AsyncStream<String>.makeStream()
    pair.clientLoop.execute {
      _ = pair.client.call(path, chunks) { note in
        continuation.yield(note)
        if note.hasPrefix("closed") { continuation.finish() }
      }
    }
    var all: [String] = []
    for await note in notes { all.append(note) }
    return all
  }

  private static let echo = MethodDescriptor(service: "test.Service", name: "Unary", kind: .unary)
  private static let chat = MethodDescriptor(service: "test.Service", name: "Chat", kind: .bidirectional)

  private static var server: RPCServer {
    var registry = ServiceRegistry()
    registry.unary(echo) { (request: RawMessage, _: ServerContext) in request }
    registry.bidirectional(chat) {
      (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _: ServerContext) in
      while let message = try await requests.next() { try await responses.write(message) }
    }
    return RPCServer(registry: registry)
  }

  @Test func `a unary call works on an engine in memory`() async throws {
    try await Self.run(Self.server) { pair in
      let notes = await Self.call(pair, "/test.Service/Unary", [[0, 0, 0, 0, 2], [4, 2]])
      #expect(notes == ["head 200", "body 0 0 0 0 2 4 2", "trailers grpc-status 0", "closed well"])
    }
  }

  @Test func `an error is an answer without body`() async throws {
    try await Self.run(Self.server) { pair in
      let notes = await Self.call(pair, "/test.Service/Nothing", [])
      #expect(notes == ["head 200 grpc-status 12", "closed well"])
    }
  }

  @Test func `streams larger than every window pass both ways`() async throws {
    try await Self.run(Self.server) { pair in
      let message = [0, 0, 1, 0, 0] + [UInt8](repeating: 7, count: 1 << 16)
      let notes = await Self.call(pair, "/test.Service/Chat", Array(repeating: message, count: 20))
      let octets = notes.filter { $0.hasPrefix("body") }.reduce(0) { $0 + $1.split(separator: " ").count - 1 }
      #expect(octets == 20 * message.count)
      #expect(notes.suffix(2) == ["trailers grpc-status 0", "closed well"])
    }
  }

  @Test func `a reset reaches the handler`() async throws {
    let (closures, continuation) = AsyncStream<StreamClosure?>.makeStream()
    let (begun, beginning) = AsyncStream<Void>.makeStream()
    let acceptor = ScriptedAcceptor { _, stream in
      beginning.yield()
      return HoldingHandler(stream, onClose: { continuation.yield($0) })
    }
    try await Self.run(acceptor) { pair in
      let stream = Locked<Client.Stream?>(nil)
      pair.clientLoop.execute {
        let opened = pair.client.call("/a/b", [[1]]) { _ in }
        stream.withLock { $0 = opened }
      }
      var starts = begun.makeAsyncIterator()
      _ = await starts.next()
      pair.clientLoop.execute { stream.withLock { $0?.reset(.cancel) } }
      var iterator = closures.makeAsyncIterator()
      #expect(await iterator.next() == .some(.reset(.cancel)))
    }
  }
}
