import Base
import HTTP2
import RPC
import Testing

/// How the body of a request reaches its handler, for every way in which a client can cut it.
@Suite(.ownThread) struct WholeRequestTests {
  private final class Recorder: ServerStreamHandler {
    private let stream: any ServerStream
    private let events: Locked<[String]>

    init(_ stream: any ServerStream, _ events: Locked<[String]>) {
      self.stream = stream
      self.events = events
    }
    func receive(_ bytes: Span<UInt8>) {
      events.withLock { $0.append("\(bytes.count) bytes") }
      stream.consumed(bytes.count)
    }
    func receiveEnd() {
      events.withLock { $0.append("end") }
      stream.respond(status: 200, headers: HeaderList(), endStream: true)
    }
    func receiveLast(_ bytes: Span<UInt8>) {
      events.withLock { $0.append("last \(bytes.count) bytes") }
      stream.respond(status: 200, headers: HeaderList(), endStream: true)
    }
    func drained() {}
    func closed(_ reason: StreamClosure?) {}
  }

  /// - Parameter frames: flags and payload of each DATA frame.
  private func events(_ frames: [(flags: UInt8, payload: [UInt8])]) async throws -> [String] {
    let events = Locked([String]())
    let acceptor = ScriptedAcceptor { _, stream in Recorder(stream, events) }
    try await Fixture.run(acceptor) { fixture in
      let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      let data = frames.flatMap { RawPeer.frame(RawPeer.FrameType.data, $0.flags, 1, $0.payload) }
      try peer.send(RawPeer.headers(1) + data)
      #expect(try peer.next(RawPeer.FrameType.headers)?.stream == 1)
    }
    return events.withLock { $0 }
  }

  private static let endStream: UInt8 = 1
  private static let padded: UInt8 = 8
  private static let octets: [UInt8] = [1, 2, 3, 4, 5]

  @Test func `a frame that ends its stream is told of with the end`() async throws {
    #expect(try await events([(Self.endStream, Self.octets)]) == ["last 5 bytes"])
    #expect(try await events([(0, Self.octets), (Self.endStream, [6])]) == ["5 bytes", "last 1 bytes"])
  }

  @Test func `an end of its own is told of on its own`() async throws {
    #expect(try await events([(0, Self.octets), (Self.endStream, [])]) == ["5 bytes", "end"])
    #expect(try await events([(Self.endStream, [])]) == ["end"])
  }

  @Test func `padding does not count`() async throws {
    let flags = Self.endStream | Self.padded
    #expect(try await events([(flags, [0] + Self.octets)]) == ["last 5 bytes"])
    #expect(try await events([(flags, [3] + Self.octets + [0, 0, 0])]) == ["5 bytes", "end"])
    #expect(try await events([(flags, [3, 0, 0, 0])]) == ["end"])
  }

  @Test func `what the last bytes took of the connection's window comes back`() async throws {
    // Whole requests of 16 KB, whose handler gives nothing back by itself: four times the window go through.
    let events = Locked([String]())
    let acceptor = ScriptedAcceptor { _, stream in Recorder(stream, events) }
    var limits = HTTP2Limits()
    limits.streamWindow = 65_535
    limits.connectionWindow = 65_535
    try await Fixture.run(acceptor, limits: limits) { fixture in
      let peer = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
      let body = [UInt8](repeating: 7, count: 16_000)
      for number in UInt32(0)..<16 {
        let stream = 2 * number + 1
        try peer.send(RawPeer.headers(stream) + RawPeer.frame(RawPeer.FrameType.data, Self.endStream, stream, body))
        #expect(try peer.next(RawPeer.FrameType.headers)?.stream == stream)
      }
    }
    #expect(events.withLock { $0.count } == 16)
  }
}
