import Glibc

/// A port of 127.0.0.1 that nobody else gets for as long as this is kept, whoever serves there or nobody: its socket is
/// bound, but does not listen. A server that sets SO_REUSEADDR can listen on the port, as often as it likes.
public final class ReservedPort: Sendable {
  public let number: UInt16
  private let socket: Int32

  public init() throws(ChildProcess.Failure) {
    let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var isReused: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let size = length
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard descriptor >= 0, isBound else { throw ChildProcess.Failure(operation: "bind", code: errno) }
    (socket, number) = (descriptor, UInt16(bigEndian: address.sin_port))
  }

  deinit { close(socket) }
}
