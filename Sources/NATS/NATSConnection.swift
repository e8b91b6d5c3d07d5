internal import Base
internal import CLinux

/// The bus's thread: connects to one server after the other, and carries what comes and goes.
struct NATSConnection {
  private let addresses: [NATSAddress]
  /// Not nil if one of the addresses uses TLS.
  private let trust: NATSTrust?
  private let name: String
  private let random: any RandomSource
  private let limits: NATSLimits
  private let state: Locked<NATSState>
  private let wakeUp: NATSWakeUp
  private let tell: @Sendable (NATSNews) -> Void

  init(
    _ addresses: [NATSAddress], trust: NATSTrust?, name: String, random: any RandomSource, limits: NATSLimits,
    state: Locked<NATSState>, wakeUp: NATSWakeUp, tell: @escaping @Sendable (NATSNews) -> Void
  ) {
    self.addresses = addresses
    self.trust = trust
    self.name = name
    self.random = random
    self.limits = limits
    self.state = state
    self.wakeUp = wakeUp
    self.tell = tell
  }

  private var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Until the bus is closed.
  func run() {
    // Nodes that start together spread over the servers.
    var next = Int(random.below(UInt64(addresses.count)))
    var failures = 0
    while !isClosed {
      do throws(NATSError) {
        try serve(addresses[next])
      } catch {
        let (wasReady, reason) = state.withLock { ($0.isReady, $0.disconnected(error)) }
        if let reason { tell(.lost(reason)) }
        failures = wasReady ? 1 : failures + 1
      }
      next = (next + 1) % addresses.count
      pause(until: .now + random.jittered(limits.reconnectDelay(afterFailures: failures)))
    }
    _ = state.withLock { $0.disconnected(nil) }
  }

  private func pause(until end: ContinuousClock.Instant) {
    while !isClosed, ContinuousClock.now < end { _ = wait(for: nil, writing: false, until: end) }
  }

  /// Waits for the socket or for somebody who wakes the thread.
  /// - Returns: what is ready on the socket.
  private func wait(for socket: NATSSocket?, writing: Bool, until end: ContinuousClock.Instant) -> Int16 {
    let left = max(.zero, end - .now).inNanoseconds / 1_000_000 + 1
    var waiting = [
      pollfd(fd: wakeUp.number, events: Int16(POLLIN), revents: 0),
      // A negative number is passed over.
      pollfd(fd: socket?.number ?? -1, events: Int16(POLLIN) | (writing ? Int16(POLLOUT) : 0), revents: 0),
    ]
    poll(&waiting, nfds_t(waiting.count), Int32(clamping: left))
    if waiting[0].revents != 0 { wakeUp.clear() }
    return waiting[1].revents
  }

  /// Talks to a server until it is gone or the bus is closed.
  private func serve(_ address: NATSAddress) throws(NATSError) {
    var deadline = ContinuousClock.now + limits.connectTimeout
    let socket = try NATSSocket.connect(address) { socket throws(NATSError) in
      while !isClosed, ContinuousClock.now < deadline {
        if wait(for: socket, writing: true, until: deadline) != 0 { return true }
      }
      return false
    }
    var buffer = [UInt8](repeating: 0, count: limits.readBytes)
    if address.usesTLS, let trust { try encrypt(socket, trust, address, until: deadline, &buffer) }
    var parser = NATSParser(limits: limits)
    var writing: [UInt8] = []
    var written = 0
    // Over TLS the server has said who it is before.
    var isIntroduced = address.usesTLS
    if isIntroduced { state.withLock { $0.introduce(address.connectLine(name: name)) } }
    var isAsked = true
    while !isClosed {
      if written == writing.count { (writing, written) = (state.withLock { $0.takeOutput() }, 0) }
      if written < writing.count, case .bytes(let count) = try socket.write(writing, from: written) {
        written += count
        state.withLock { $0.unwritten = writing.count - written }
        if written == writing.count, state.withLock({ $0.hasOutput }) { continue }
      }
      let ready = wait(for: socket, writing: written < writing.count, until: deadline)
      if ready & ~Int16(POLLOUT) != 0 {
        repeat {
          switch try socket.read(into: &buffer) {
          case .ended: throw NATSError(operation: "read", message: "the server has closed the connection")
          case .wouldBlock: break
          case .bytes(let count):
            parser.append(buffer[..<count])
            while let message = try parser.next() { try handle(message, address, &isIntroduced) }
            // The handshake has one deadline, whatever comes in.
            if state.withLock({ $0.isReady }) { (deadline, isAsked) = (.now + limits.pingInterval, false) }
          }
        } while socket.hasPending && !isClosed
      }
      guard ContinuousClock.now >= deadline else { continue }
      if isAsked { throw NATSError(operation: "read", message: "the server does not answer") }
      state.withLock { $0.ping(confirmingSubscriptions: false) }
      (deadline, isAsked) = (.now + limits.pingTimeout, true)
    }
  }

  /// Reads the server's first line, which is never encrypted and is believed in nothing, and makes the handshake.
  private func encrypt(
    _ socket: NATSSocket, _ trust: NATSTrust, _ address: NATSAddress, until deadline: ContinuousClock.Instant,
    _ buffer: inout [UInt8]
  ) throws(NATSError) {
    var parser = NATSParser(limits: limits)
    var greeting: NATSServerMessage?
    while greeting == nil {
      try awaitSocket(socket, writing: false, until: deadline)
      switch try socket.read(into: &buffer) {
      case .ended: throw NATSError(operation: "read", message: "the server has closed the connection")
      case .wouldBlock: continue
      case .bytes(let count): parser.append(buffer[..<count])
      }
      greeting = try parser.next()
    }
    // What somebody on the way may have added must not pass for what the server says later.
    guard greeting == .info, parser.isEmpty else {
      throw NATSError(operation: "read", message: "the server does not wait for the handshake")
    }
    try socket.encrypt(trust, host: address.host)
    while true {
      let (isDone, wantsWrite) = try socket.handshake()
      if isDone { return }
      try awaitSocket(socket, writing: wantsWrite, until: deadline)
    }
  }

  /// Waits until the socket is ready.
  private func awaitSocket(
    _ socket: NATSSocket, writing: Bool, until deadline: ContinuousClock.Instant
  ) throws(NATSError) {
    while wait(for: socket, writing: writing, until: deadline) == 0 {
      guard !isClosed, ContinuousClock.now < deadline else {
        throw NATSError(operation: "connect", message: "timed out")
      }
    }
  }

  private func handle(
    _ message: NATSServerMessage, _ address: NATSAddress, _ isIntroduced: inout Bool
  ) throws(NATSError) {
    switch message {
    case .info:
      // A server says it again when its cluster changes.
      if !isIntroduced { state.withLock { $0.introduce(address.connectLine(name: name)) } }
      isIntroduced = true
    case .message(let subscription, let payload):
      state.withLock { $0.received(subscription) }?(payload)
    case .ping: try state.withLock { state throws(NATSError) in try state.pong() }
    case .pong:
      let (isNew, handlers) = state.withLock { state in
        let wasReady = state.isReady
        let handlers = state.ponged()
        return (!wasReady && state.isReady, handlers)
      }
      if isNew { tell(.reached) }
      for handler in handlers { handler() }
    case .ok: break
    case .error(let text): state.withLock { $0.failed(NATSError(operation: "server", message: text)) }
    }
  }
}
