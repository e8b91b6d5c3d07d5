internal import RPC

/// A listening socket on one loop. As a rule it accepts for all loops: spreading connections evenly is worth more than
/// the microsecond that handing one over costs, and the kernel's own spreading (SO_REUSEPORT) leaves loops idle when
/// there are few connections. `ListenAddress.acceptsOnEveryLoop` chooses the other way.
final class Listener: ReadinessHandler, @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement to `loop`.
  let address: ListenAddress
  let inspectionName: InspectionName
  private let loop: EventLoop
  /// nil once the server has stopped listening.
  private var socket: ListeningSocket?
  private var isRegistered = false
  /// The file of a Unix socket.
  private var file: SocketFile?
  private let accept: Accept
  private let onAccept: @Sendable (consuming Socket.Accepted) -> Void

  /// Takes the next connection of a listening socket; nil if there is none.
  typealias Accept = @Sendable (borrowing Descriptor) throws(SystemError) -> Socket.Accepted?

  /// Binds; connections are taken from `start` on.
  /// - Parameter accept: the system's, or a test's that fails.
  init(
    _ address: ListenAddress, loop: EventLoop, accept: @escaping Accept = { try Socket.accept($0) },
    onAccept: @escaping @Sendable (consuming Socket.Accepted) -> Void
  ) throws(SystemError) {
    let descriptor = try Socket.listen(
      at: address.address, backlog: HTTP2Limits.backlog, mode: address.fileMode,
      sharesPort: address.acceptsOnEveryLoop)
    var bound = address
    bound.address = try Socket.boundAddress(of: descriptor)
    self.address = bound
    if case .unix(let path) = bound.address { file = SocketFile(at: path) }
    inspectionName = InspectionName(id: InspectionID.next(), text: bound.description)
    socket = ListeningSocket(descriptor)
    self.loop = loop
    self.accept = accept
    self.onAccept = onAccept
  }

  /// On the loop.
  func start() throws(SystemError) {
    guard let socket else { return }
    try loop.register(socket.descriptor, .read, self)
    isRegistered = true
  }

  /// Stops listening, on the loop; connections that were not accepted yet are refused.
  func stop() {
    if let socket, isRegistered { loop.deregister(socket.descriptor) }
    isRegistered = false
    socket = nil
    if case .unix(let path) = address.address { file?.remove(at: path) }
    file = nil
  }

  func ready(_ readiness: Readiness) {
    guard let socket else { return }
    for _ in 0..<HTTP2Limits.acceptsPerTick {
      do {
        guard let accepted = try accept(socket.descriptor) else { return }
        onAccept(accepted)
      } catch {
        // A connection that died while it waited is nobody's concern.
        if error.isExhaustion { return pause(socket) }
      }
    }
  }

  /// Without a free descriptor epoll would report the waiting connection again and again.
  private func pause(_ socket: ListeningSocket) {
    loop.update(socket.descriptor, [])
    _ = loop.schedule(after: HTTP2Limits.acceptPause) { [weak self] in
      guard let self, let socket = self.socket else { return }
      self.loop.update(socket.descriptor, .read)
    }
  }

  /// A class, so that closing is letting go of it.
  private final class ListeningSocket {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) {
      self.descriptor = descriptor
    }
  }
}
