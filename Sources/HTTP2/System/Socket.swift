internal import CLinux

/// The system calls on sockets, typed. All sockets are non-blocking and closed on exec.
enum Socket {
  /// A socket that listens at `address`.
  ///
  /// A Unix socket's file that nobody serves any more is replaced; nothing else is.
  /// - Parameters:
  ///   - mode: the permission bits of a Unix socket's file; nil leaves it to the umask.
  ///   - sharesPort: whether other sockets of this user may listen at the same address (SO_REUSEPORT).
  static func listen(
    at address: SocketAddress, backlog: Int, mode: UInt32? = nil, sharesPort: Bool = false
  ) throws(SystemError) -> Descriptor {
    let socket = try make(family: address.family)
    if case .unix(let path) = address {
      if !address.isAbstract { try removeStaleSocket(at: path, address) }
    } else {
      try set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
      if sharesPort { try set(socket, SOL_SOCKET, SO_REUSEPORT, 1) }
    }
    if case .ipv6 = address { try set(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
    _ = try address.withSockaddr { (pointer, length) throws(SystemError) in
      try syscall("bind") { CLinux.bind(socket.number, pointer, length) }
    }
    // Nobody can connect before `listen`, so nobody gets in by the mode of the file's making.
    if let mode, case .unix(let path) = address, !path.hasPrefix("\0") {
      try syscall("chmod") { chmod(path, mode) }
    }
    try syscall("listen") { CLinux.listen(socket.number, Int32(clamping: backlog)) }
    return socket
  }

  /// A socket whose connection to `address` is under way: it becomes writable when the outcome is known.
  static func connect(to address: SocketAddress) throws(SystemError) -> Descriptor {
    let socket = try make(family: address.family)
    try tune(socket, address)
    _ = try address.withSockaddr { (pointer, length) throws(SystemError) in
      try syscallOrWouldBlock("connect") { CLinux.connect(socket.number, pointer, length) }
    }
    return socket
  }

  /// A connection that a listener took.
  struct Accepted: ~Copyable {
    let socket: Descriptor
    let address: SocketAddress
  }

  /// The next connection of a listening socket, or nil if there is none now.
  static func accept(_ listener: borrowing Descriptor) throws(SystemError) -> Accepted? {
    let number = listener.number
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let accepted = try withUnsafeMutablePointer(to: &storage) { pointer throws(SystemError) in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer throws(SystemError) in
        try syscallOrWouldBlock("accept4") {
          accept4(number, pointer, &length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
        }
      }
    }
    guard let accepted else { return nil }
    let socket = Descriptor(accepted)
    let address = SocketAddress(storage, length: length) ?? .unix(path: "")
    try tune(socket, address)
    return Accepted(socket: socket, address: address)
  }

  /// The address that the socket is bound to; tells the port that the kernel chose for port 0.
  static func boundAddress(of socket: borrowing Descriptor) throws(SystemError) -> SocketAddress {
    let number = socket.number
    return try address("getsockname") { getsockname(number, $0, &$1) }
  }

  /// The address of the other end.
  static func peerAddress(of socket: borrowing Descriptor) throws(SystemError) -> SocketAddress {
    let number = socket.number
    return try address("getpeername") { getpeername(number, $0, &$1) }
  }

  /// What a call that gives an address gives.
  private static func address(
    _ operation: StaticString, _ call: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Int32
  ) throws(SystemError) -> SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    try withUnsafeMutablePointer(to: &storage) { pointer throws(SystemError) in
      _ = try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer throws(SystemError) in
        try syscall(operation) { call(pointer, &length) }
      }
    }
    guard let address = SocketAddress(storage, length: length) else {
      throw SystemError(operation: "\(operation)", code: EAFNOSUPPORT)
    }
    return address
  }

  /// The outcome of a connect, once the socket is writable.
  static func connectOutcome(_ socket: borrowing Descriptor) throws(SystemError) {
    let number = socket.number
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    try syscall("getsockopt") { getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &length) }
    if code != 0 { throw SystemError(operation: "connect", code: code) }
  }

  private static func make(family: Int32) throws(SystemError) -> Descriptor {
    Descriptor(
      try syscall("socket") {
        socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
      })
  }

  /// Frames are gathered into one write per tick already: Nagle's algorithm would only delay them.
  private static func tune(_ socket: borrowing Descriptor, _ address: SocketAddress) throws(SystemError) {
    if case .unix = address { return }
    try set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    // A peer that vanished without a word, host and all, must not keep its connection and what hangs on it.
    try set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
    try set(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, HTTP2Limits.keepAliveIdleSeconds)
    try set(socket, Int32(IPPROTO_TCP), TCP_KEEPINTVL, HTTP2Limits.keepAliveProbeSeconds)
    try set(socket, Int32(IPPROTO_TCP), TCP_KEEPCNT, HTTP2Limits.keepAliveProbes)
  }

  private static func set(
    _ socket: borrowing Descriptor, _ level: Int32, _ option: Int32, _ value: Int32
  ) throws(SystemError) {
    let number = socket.number
    var value = value
    try syscall("setsockopt") { setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) }
  }

  private static func removeStaleSocket(at path: String, _ address: SocketAddress) throws(SystemError) {
    // A file that is no socket refuses connections too.
    guard SocketFile(at: path) != nil else { return }
    let probe = try make(family: AF_UNIX)
    do throws(SystemError) {
      _ = try address.withSockaddr { (pointer, length) throws(SystemError) in
        try syscallOrWouldBlock("connect") { CLinux.connect(probe.number, pointer, length) }
      }
    } catch {
      if error.code == ECONNREFUSED { try syscall("unlink") { unlink(path) } }
    }
  }
}

/// Names the file of a Unix socket, so that a later one of the same path is not taken for it.
struct SocketFile: Equatable {
  private let device: UInt
  private let inode: UInt

  /// - Returns: nil if there is no socket at `path`.
  init?(at path: String) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & mode_t(S_IFMT) == mode_t(S_IFSOCK) else { return nil }
    device = UInt(status.st_dev)
    inode = UInt(status.st_ino)
  }

  /// Removes the file if it still stands at `path`.
  func remove(at path: String) {
    // Whoever wants the path next also removes a stale socket; so a failure harms nobody.
    if SocketFile(at: path) == self { _ = unlink(path) }
  }
}
