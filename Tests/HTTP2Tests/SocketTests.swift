import Glibc
import Testing

@testable import HTTP2

@Suite struct SocketTests {
  @Test func `TCP notices peers that vanish on either side`() throws {
    let listener = try Socket.listen(at: #require(SocketAddress("127.0.0.1:0")), backlog: 1)
    let client = try Socket.connect(to: Socket.boundAddress(of: listener))
    var waiting = pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)
    #expect(poll(&waiting, 1, 600_000) == 1)
    guard let accepted = try Socket.accept(listener) else {
      Issue.record("nothing to accept")
      return
    }
    for number in [client.number, accepted.socket.number] {
      #expect(option(number, SOL_SOCKET, SO_KEEPALIVE) == 1)
      #expect(option(number, Int32(IPPROTO_TCP), TCP_KEEPIDLE) == HTTP2Limits.keepAliveIdleSeconds)
      #expect(option(number, Int32(IPPROTO_TCP), TCP_KEEPINTVL) == HTTP2Limits.keepAliveProbeSeconds)
      #expect(option(number, Int32(IPPROTO_TCP), TCP_KEEPCNT) == HTTP2Limits.keepAliveProbes)
    }
  }

  /// What the kernel has for a socket.
  private func option(_ number: Int32, _ level: Int32, _ name: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(number, level, name, &value, &length) == 0 ? value : nil
  }
}
