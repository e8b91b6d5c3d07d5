import Glibc
import Testing

@testable import HTTP2

@Suite struct SocketTests {
  @Test func `TCP notices peers that vanish on either side`() throws {
    let listener = try Socket.listen(at: #require(SocketAddress("127.0.0.1:0")), backlog: 1)
    let client = try Socket.connect(to: Socket.boundAddress(of: listener))
    var waiting = pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)
    #expect(poll(&waiting, 1, 10_000) == 1)
    guard let accepted = try Socket.accept(listener) else {
      Issue.record("nothing to accept")
      return
    }
    #expect(keepsAlive(client.number) && keepsAlive(accepted.socket.number))
  }

  private func keepsAlive(_ number: Int32) -> Bool {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(number, SOL_SOCKET, SO_KEEPALIVE, &value, &length) == 0 && value == 1
  }
}
