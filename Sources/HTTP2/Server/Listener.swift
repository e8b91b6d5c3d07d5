internal import RPC

/// A listening socket on one loop. It accepts for all loops: spreading connections evenly is worth more than the
/// microsecond that handing one over costs, and the kernel's own spreading (SO_REUSEPORT) leaves loops idle when
/// there are few connections.
final class Listener: ReadinessHandler, @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement to `loop`.
  let address: ListenAddress
  private let loop: EventLoop
  private let socket: Descriptor
  private let onAccept: @Sendable (consuming Socket.Accepted) -> Void
  private var isOpen = false

  /// Binds; connections are taken from `start` on.
  init(
    _ address: ListenAddress, loop: EventLoop,
    onAccept: @escaping @Sendable (consuming Socket.Accepted) -> Void
  ) throws(SystemError) {
    socket = try Socket.listen(at: address.address, backlog: HTTP2Limits.backlog)
    self.address = ListenAddress(try Socket.boundAddress(of: socket), isEncrypted: address.isEncrypted)
    self.loop = loop
    self.onAccept = onAccept
  }

  /// On the loop.
  func start() throws(SystemError) {
    try loop.register(socket, .read, self)
    isOpen = true
  }

  /// Stops listening, on the loop; connections that were not accepted yet are refused when this object goes.
  func stop() {
    guard isOpen else { return }
    isOpen = false
    loop.deregister(socket)
  }

  func ready(_ readiness: Readiness) {
    for _ in 0..<HTTP2Limits.acceptsPerTick {
      do {
        guard let accepted = try Socket.accept(socket) else { return }
        onAccept(accepted)
      } catch {
        // A connection that died while it waited is nobody's concern.
        if error.isExhaustion { return pause() }
      }
    }
  }

  /// Without a free descriptor epoll would report the waiting connection again and again.
  private func pause() {
    loop.update(socket, [])
    _ = loop.schedule(after: HTTP2Limits.acceptPause) { [weak self] in
      guard let self, self.isOpen else { return }
      self.loop.update(self.socket, .read)
    }
  }
}
