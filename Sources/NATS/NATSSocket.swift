internal import CLinux
internal import Glibc

/// A TCP socket that does not block. Closed when it is let go.
final class NATSSocket {
  let number: Int32
  private var tls: NATSTLS?

  private init(_ number: Int32) {
    self.number = number
  }

  deinit {
    tls = nil
    close(number)
  }

  /// Begins TLS. Before anything else is read or written, `handshake` must have ended.
  func encrypt(_ trust: NATSTrust, host: String) throws(NATSError) {
    tls = try NATSTLS(trust, socket: number, host: host)
  }

  /// See `NATSTLS`.
  func handshake() throws(NATSError) -> (isDone: Bool, wantsWrite: Bool) {
    try tls?.handshake() ?? (true, false)
  }

  /// Whether something can be read for which the socket itself is not ready.
  var hasPending: Bool { tls?.hasPending ?? false }

  enum Outcome {
    case bytes(Int)
    case wouldBlock
    case ended
  }

  private static func failure(_ operation: String, _ code: Int32 = errno) -> NATSError {
    NATSError(operation: operation, message: String(cString: strerror(code)))
  }

  /// Connects to the first address of a host that answers.
  /// - Parameter wait: waits until the socket can be written or the wait is over; says whether to go on.
  static func connect(
    _ address: NATSAddress, wait: (NATSSocket) throws(NATSError) -> Bool
  ) throws(NATSError) -> NATSSocket {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(address.host, String(address.port), &hints, &list)
    guard code == 0 else { throw NATSError(operation: "resolve", message: String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(list) }
    var last = NATSError(operation: "resolve", message: "no address")
    var entry = list
    while let each = entry?.pointee {
      do throws(NATSError) {
        return try open(each, wait)
      } catch {
        last = error
      }
      entry = each.ai_next
    }
    throw last
  }

  private static func open(
    _ entry: addrinfo, _ wait: (NATSSocket) throws(NATSError) -> Bool
  ) throws(NATSError) -> NATSSocket {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let number = CLinux.socket(entry.ai_family, kind, 0)
    guard number >= 0 else { throw failure("socket") }
    let socket = NATSSocket(number)
    if CLinux.connect(number, entry.ai_addr, entry.ai_addrlen) != 0 {
      guard errno == EINPROGRESS || errno == EINTR else { throw failure("connect") }
      guard try wait(socket) else { throw NATSError(operation: "connect", message: "timed out") }
      var code: Int32 = 0
      var length = socklen_t(MemoryLayout<Int32>.size)
      guard getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { throw failure("getsockopt") }
      guard code == 0 else { throw failure("connect", code) }
    }
    // Announcements are small and must not wait for each other.
    var on: Int32 = 1
    setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    return socket
  }

  func read(into buffer: inout [UInt8]) throws(NATSError) -> Outcome {
    if let tls { return try tls.read(into: &buffer) }
    while true {
      let count = recv(number, &buffer, buffer.count, 0)
      if count > 0 { return .bytes(count) }
      if count == 0 { return .ended }
      if errno == EINTR { continue }
      if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
      throw Self.failure("recv")
    }
  }

  func write(_ bytes: [UInt8], from start: Int) throws(NATSError) -> Outcome {
    if let tls { return try tls.write(bytes, from: start) }
    while true {
      let count = bytes.withUnsafeBytes { bytes in
        send(number, bytes.baseAddress.map { $0 + start }, bytes.count - start, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 { return .bytes(count) }
      if errno == EINTR { continue }
      if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
      throw Self.failure("send")
    }
  }
}

/// Wakes a thread that polls.
final class NATSWakeUp: Sendable {
  let number: Int32

  init() throws(NATSError) {
    number = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    guard number >= 0 else { throw NATSError(operation: "eventfd", message: String(cString: strerror(errno))) }
  }

  deinit {
    close(number)
  }

  func signal() {
    eventfd_write(number, 1)
  }

  func clear() {
    var value: eventfd_t = 0
    eventfd_read(number, &value)
  }
}
