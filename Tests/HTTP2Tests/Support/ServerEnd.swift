import Base
import Glibc
import RPC
import Testing

@testable import HTTP2

/// A server's connection on one end of a pair of Unix sockets, and a peer of bare frames on the other: what the peer has
/// sent is there, all of it, and the test can look at the connection.
final class ServerEnd: @unchecked Sendable {
  // Unchecked because of the peer, which only the test uses.
  let group: EventLoopGroup
  let connection: ServerConnection
  let peer: RawPeer

  var loop: EventLoop { group.loops[0] }

  private init(_ group: EventLoopGroup, _ connection: ServerConnection, _ peer: RawPeer) {
    self.group = group
    self.connection = connection
    self.peer = peer
  }

  /// Runs `body`, then closes everything.
  /// - Parameter sendBuffer: the size of the kernel's buffer for what the server sends; nil leaves it to the kernel.
  static func run(
    _ acceptor: any RequestAcceptor, on group: EventLoopGroup, limits: HTTP2Limits = HTTP2Limits(),
    sendBuffer: Int32? = nil, _ body: (ServerEnd) async throws -> Void
  ) async throws {
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let (serverEnd, peerEnd) = (ends[0], ends[1])
    _ = fcntl(serverEnd, F_SETFL, O_NONBLOCK)
    if var size = sendBuffer {
      setsockopt(serverEnd, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    let loop = group.loops[0]
    let limits = Fixture.patient(limits, group.time)
    let connection: ServerConnection? = await loop.value {
      guard let channel = try? ByteChannel(Descriptor(serverEnd), tls: nil) else { return nil }
      let connection = ServerConnection(
        loop: loop, channel: channel, peer: PeerInfo(address: "unix:", isEncrypted: false), network: nil,
        acceptor: acceptor, limits: SharedLimits(limits, random: SeededRandomSource(seed: 1)),
        counter: ConnectionCounter(), onClose: { _ in })
      try? connection.start(timeout: limits.handshakeTimeout)
      return connection
    }
    let end = ServerEnd(group, try #require(connection), RawPeer(connected: peerEnd))
    let result: Result<Void, any Error>
    do {
      try await body(end)
      result = .success(())
    } catch {
      result = .failure(error)
    }
    await loop.value { end.connection.close(.shutdown) }
    await group.shutdown()
    try result.get()
  }

  /// Has the peer send octets, which the kernel must have room for, while the loop looks at nothing. On the loop.
  func sendAtOnce(_ octets: [UInt8]) {
    #expect(throws: Never.self) { try peer.send(octets) }
  }

  /// Octets that the kernel has for the server. On the loop.
  var unreadOctets: Int {
    var count: Int32 = 0
    // FIONREAD, which Swift does not see.
    let number = connection.channel.descriptor.number
    return connection.state != .closed && ioctl(number, 0x541b, &count) == 0 ? Int(count) : 0
  }

  /// What `look` gives in the tick in which `begin` runs and in each after it, until it gives nil.
  func eachTick<Value: Sendable>(
    after begin: @escaping @Sendable () -> Void, _ look: @escaping @Sendable () -> Value?
  ) async -> [Value] {
    let seen = Locked([Value]())
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      loop.execute { [loop] in
        begin()
        Self.sample(loop, seen, done, look)
      }
    }
    return seen.withLock { $0 }
  }

  private static func sample<Value: Sendable>(
    _ loop: EventLoop, _ seen: Locked<[Value]>, _ done: CheckedContinuation<Void, Never>,
    _ look: @escaping @Sendable () -> Value?
  ) {
    guard let value = look() else { return done.resume() }
    seen.withLock { $0.append(value) }
    // A timer that is due at once goes off in the next tick.
    _ = loop.schedule(after: .zero) { sample(loop, seen, done, look) }
  }
}
