import Base
import Glibc
import Testing

@testable import NATS

/// A socket that takes connections and says what it likes.
final class FakeServer: Sendable {
  let port: UInt16
  private let listener: Int32

  struct Failure: Error {}

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = listener
    port = try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { plain in
        guard bind(descriptor, plain, length) == 0, listen(descriptor, 8) == 0,
          getsockname(descriptor, plain, &length) == 0
        else { throw Failure() }
      }
      return UInt16(bigEndian: pointer.pointee.sin_port)
    }
  }

  deinit {
    close(listener)
  }

  var url: String { "nats://127.0.0.1:\(port)" }

  /// Takes the next connection and says something to it. Kept open.
  func accept(_ text: [UInt8]) async throws -> Int32 {
    try await OSThread.run(name: "fake-nats") { [self] in
      let connection = Glibc.accept(listener, nil, nil)
      guard connection >= 0 else { throw Failure() }
      _ = send(connection, text, text.count, Int32(MSG_NOSIGNAL))
      return connection
    }
  }
}

@Suite(.timeLimit(.minutes(60)))
struct FakeServerTests {
  private let greeting = Array("INFO {}\r\nPONG\r\n".utf8)

  private func bus(_ server: FakeServer, _ change: (inout NATSLimits) -> Void = { _ in }) throws -> NATSBus {
    var limits = NATSLimits.hasty
    change(&limits)
    return try NATSBus(url: server.url, name: "test", random: SeededRandomSource(seed: 3), limits: limits)
  }

  @Test func `leaves a server that talks garbage, and comes back`() async throws {
    let server = try FakeServer()
    let bus = try bus(server)
    let random = SeededRandomSource(seed: 4)
    var connections: [Int32] = []
    for round in 0..<20 {
      let garbage = round % 2 == 0 ? random.bytes(3000) + [0x0a] : greeting + [0x0a] + random.bytes(100_000)
      connections.append(try await server.accept(garbage))
    }
    connections += try await greet(bus, bus.figures.connects + 1, server)
    #expect(bus.figures.lastError != nil)
    bus.close()
    for connection in connections { close(connection) }
  }

  /// Greets the bus until it was connected so often. On a busy machine a greeting may come too late, and the connection
  /// that it was for is gone; there is another one then.
  private func greet(_ bus: NATSBus, _ count: Int, _ server: FakeServer) async throws -> [Int32] {
    var connections: [Int32] = []
    while bus.figures.connects < count {
      let before = bus.figures.connects
      let connection = try await server.accept(greeting)
      connections.append(connection)
      while bus.figures.connects == before, !isGone(connection) {
        try Task.checkCancellation()
        await Task.yield()
      }
    }
    return connections
  }

  /// Whether the bus has left it; what the bus has said before is of no interest.
  private func isGone(_ connection: Int32) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 4096)
    var taken = 1
    while taken > 0 { taken = recv(connection, &chunk, chunk.count, Int32(MSG_DONTWAIT)) }
    return taken == 0 || errno != EAGAIN
  }

  @Test func `leaves a server that says nothing within connectTimeout`() async throws {
    let server = try FakeServer()
    let bus = try bus(server) { $0.connectTimeout = .milliseconds(500) }
    let first = try await server.accept([])
    // Chatter does not make the handshake longer.
    let second = try await server.accept(Array("INFO {}\r\n+OK\r\n".utf8))
    let others = try await greet(bus, 1, server)
    bus.close()
    for connection in [first, second] + others { close(connection) }
  }

  @Test func `pings after pingInterval and leaves a server that does not answer within pingTimeout`() async throws {
    let server = try FakeServer()
    let bus = try bus(server) {
      $0.pingInterval = .milliseconds(20)
      $0.pingTimeout = .milliseconds(20)
    }
    let connections = try await greet(bus, 2, server)
    bus.close()
    for connection in connections { close(connection) }
  }

  @Test func `takes in more than readBytes`() async throws {
    let server = try FakeServer()
    let bus = try bus(server) { $0.readBytes = 16 }
    let inbox = Inbox()
    let subscription = bus.subscribe("a") { inbox.put($0) }
    let payload = [UInt8](repeating: 0x61, count: 1000)
    let head = Array("MSG a 1 1000\r\n".utf8)
    let connection = try await server.accept(greeting + head + payload + [0x0d, 0x0a])
    #expect(try await inbox.take() == payload)
    withExtendedLifetime(subscription) {}
    bus.close()
    close(connection)
  }
}
