public import Base
internal import CLinux
public import RPC

/// An HTTP/2 server: listens, and hands each request to an acceptor on the loop of its connection.
///
/// ```swift
/// let server = try HTTP2Server(acceptor: rpcServer, listen: [.cleartext("127.0.0.1:8080")!], group: group)
/// try await server.start()
/// print(server.boundAddresses)
/// …
/// await server.drain(within: .seconds(30))
/// ```
/// All methods may be called from any thread but those of the loops.
public final class HTTP2Server: Sendable {
  struct State {
    var isDraining = false
    var connections: [ObjectIdentifier: ServerConnection] = [:]
    /// Connections that are counted, among them those which are not in `connections` yet.
    var admitted = 0
    var admittedFrom: [PeerNetwork: Int] = [:]
    var whenEmpty: [CheckedContinuation<Void, Never>] = []
    /// Connections closed, with the streams they took along, since memory was last given back.
    var closedSinceTrim = 0
    /// Gives it back.
    var trim: @Sendable () -> Void
    /// Calls of the connections that are gone.
    var closedCalls = CallTotals()

    init(trim: @escaping @Sendable () -> Void) {
      self.trim = trim
    }

    /// Counts one more connection, unless that would be too many.
    mutating func admit(from network: PeerNetwork?, _ limits: HTTP2Limits) -> Bool {
      guard !isDraining, admitted < limits.maxConnections else { return false }
      if let network {
        let count = admittedFrom[network] ?? 0
        guard count < limits.maxConnectionsPerAddress else { return false }
        admittedFrom[network] = count + 1
      }
      admitted += 1
      return true
    }

    /// Counts one less.
    mutating func release(_ network: PeerNetwork?) {
      admitted -= 1
      guard let network, let count = admittedFrom[network] else { return }
      admittedFrom[network] = count > 1 ? count - 1 : nil
    }

    /// Forgets a connection. Returns who waits for the last one, and what gives memory back if many have gone.
    mutating func remove(
      _ connection: ServerConnection
    ) -> (waiters: [CheckedContinuation<Void, Never>], trim: (@Sendable () -> Void)?) {
      connections[ObjectIdentifier(connection)] = nil
      release(connection.network)
      closedCalls += connection.callTotals
      // A stream takes about as much as a connection.
      closedSinceTrim += 1 + connection.streamsAtEnd
      let trims = closedSinceTrim >= HTTP2Limits.closedConnectionsPerTrim && closedSinceTrim > connections.count
      if trims { closedSinceTrim = 0 }
      guard connections.isEmpty else { return ([], trims ? trim : nil) }
      defer { whenEmpty = [] }
      return (whenEmpty, trims ? trim : nil)
    }
  }

  private let acceptor: any RequestAcceptor
  private let group: EventLoopGroup
  private let tls: TLSServerConfiguration?
  let listeners: [(listener: Listener, loop: EventLoop)]
  /// Where the server listens, in the order of `listen`, with the ports that the kernel chose.
  public let boundAddresses: [ListenAddress]
  let state: Locked<State>
  /// What the connections hold, by the number of their loop.
  let held: [Int: HeldBytes]
  public let inspectionID = InspectionID.next()
  private let counter: ConnectionCounter

  /// Binds the addresses; nothing is accepted before `start`.
  /// - Parameters:
  ///   - tls: needed if one of the addresses is encrypted.
  ///   - random: gives the jitter of the age of connections.
  /// - Throws: `SystemError` if an address cannot be bound.
  public convenience init(
    acceptor: any RequestAcceptor, listen addresses: [ListenAddress], tls: TLSServerConfiguration? = nil,
    limits: HTTP2Limits = HTTP2Limits(), group: EventLoopGroup, random: any RandomSource = SystemRandomSource()
  ) throws(SystemError) {
    try self.init(
      acceptor: acceptor, listen: addresses, tls: tls, shared: SharedLimits(limits, random: random), group: group)
  }

  init(
    acceptor: any RequestAcceptor, listen addresses: [ListenAddress], tls: TLSServerConfiguration?,
    shared limits: SharedLimits, group: EventLoopGroup
  ) throws(SystemError) {
    precondition(tls != nil || !addresses.contains { $0.isEncrypted }, "an encrypted address needs a certificate")
    self.acceptor = acceptor
    self.group = group
    self.tls = tls
    // It waits in a loop's timers, also when the group ends.
    let state = Locked(State { [weak group] in if let group { HTTP2Server.giveMemoryBack(of: group.loops[...]) } })
    self.state = state
    let held = Self.shares(of: limits.values.heldBytes, among: group.loops, state)
    self.held = held
    let counter = ConnectionCounter()
    self.counter = counter
    var listeners: [(Listener, EventLoop)] = []
    var bound: [ListenAddress] = []
    for (index, address) in addresses.enumerated() {
      let context: @Sendable () -> TLSContext? = { address.isEncrypted ? tls?.context : nil }
      let accept: @Sendable (consuming Socket.Accepted, EventLoop) -> Void = { accepted, loop in
        HTTP2Server.accepted(accepted, context(), state, acceptor, limits, counter, held[loop.number], loop)
      }
      if address.acceptsOnEveryLoop, address.address.port != nil {
        var shared = address
        for loop in group.loops {
          let listener = try Listener(shared, loop: loop) { accept($0, loop) }
          // The first one's port is that of all.
          shared = listener.address
          listeners.append((listener, loop))
        }
        bound.append(shared)
      } else {
        let loop = group.loops[index % group.loops.count]
        let listener = try Listener(address, loop: loop) { accept($0, group.rotate()) }
        listeners.append((listener, loop))
        bound.append(listener.address)
      }
    }
    boundAddresses = bound
    self.listeners = listeners
  }

  /// The number of open connections.
  public var connectionCount: Int { state.withLock { $0.connections.count } }

  /// What became of the connections since the start. From any thread.
  public var connectionCounts: ConnectionCounts { counter.counts(open: connectionCount) }

  /// Begins to accept.
  public func start() async throws {
    for (listener, loop) in listeners {
      try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
        loop.execute { done.resume(with: Result { try listener.start() }) }
      }
    }
  }

  /// Reads the certificate again; see `TLSServerConfiguration.reload()`.
  public func reloadCertificate() throws(TLSError) {
    try tls?.reload()
  }

  /// Ends the service: no new connections, and those that are open end when their requests have ended, also the requests
  /// that were on their way: each gets two GOAWAYs, the second when the client has shown that it knows of the first, or
  /// after `HTTP2Limits.drainNoticeTimeout`. What is left after `limit` is closed: its handlers hear `.shutdown`, and
  /// clients of HTTP/2 which of their requests were never seen.
  /// Returns when all connections are closed. May be called again, say with a shorter limit.
  public func drain(within limit: Duration) async {
    // First: whoever finds that nobody listens any more can rely on what the connections know.
    let connections = state.withLock { state in
      state.isDraining = true
      return Array(state.connections.values)
    }
    for connection in connections { connection.loop.execute { connection.startDrain() } }
    for (listener, loop) in listeners {
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        loop.execute {
          listener.stop()
          done.resume()
        }
      }
    }
    // Also catches a connection whose client lingers beyond the limit.
    let timer = group.loops[0].schedule(after: limit) { [state] in
      let rest = state.withLock { Array($0.connections.values) }
      for connection in rest { connection.loop.execute { connection.cut() } }
    }
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      let isEmpty = state.withLock { state in
        if state.connections.isEmpty { return true }
        state.whenEmpty.append(done)
        return false
      }
      if isEmpty { done.resume() }
    }
    timer.cancel()
  }

  // MARK: Connections

  private static func shares(
    of limit: Int, among loops: [EventLoop], _ state: Locked<State>
  ) -> [Int: HeldBytes] {
    let shares = loops.map { loop in
      let share = HeldBytes(limit: limit / loops.count) {
        let all = state.withLock { Array($0.connections.values) }
        return all.filter { $0.loop === loop }
      }
      return (loop.number, share)
    }
    return Dictionary(uniqueKeysWithValues: shares)
  }

  private static func accepted(
    _ accepted: consuming Socket.Accepted, _ context: TLSContext?, _ state: Locked<State>,
    _ acceptor: any RequestAcceptor, _ limits: SharedLimits, _ counter: ConnectionCounter, _ held: HeldBytes?,
    _ loop: EventLoop
  ) {
    counter.accepted.increment()
    let network = PeerNetwork(accepted.address, countsLoopback: limits.values.limitsLoopback)
    guard state.withLock({ $0.admit(from: network, limits.values) }) else {
      // Counted while the socket is held, so that its peer does not see the end of it earlier.
      return counter.refused.increment()
    }
    let peer = PeerInfo(address: accepted.address.peerText, isEncrypted: context != nil)
    guard let channel = try? ByteChannel(accepted.socket, tls: context) else {
      state.withLock { $0.release(network) }
      return counter.refused.increment()
    }
    let handover = Handover(channel: channel)
    loop.execute {
      let connection = ServerConnection(
        loop: loop, channel: handover.channel, peer: peer, network: network, acceptor: acceptor, limits: limits,
        counter: counter, held: held
      ) { closed in
        let (waiters, trim) = state.withLock { $0.remove(closed) }
        for waiter in waiters { waiter.resume() }
        // Handlers that were under way let go of theirs in the turns to come.
        if let trim { _ = loop.schedule(after: HTTP2Limits.trimDelay, trim) }
      }
      let isWelcome = state.withLock { state in
        guard !state.isDraining else {
          counter.refused.increment()
          state.release(network)
          return false
        }
        state.connections[ObjectIdentifier(connection)] = connection
        return true
      }
      guard isWelcome else { return }
      do {
        try connection.start(timeout: limits.values.handshakeTimeout)
      } catch {
        for waiter in state.withLock({ $0.remove(connection) }).waiters { waiter.resume() }
      }
    }
  }

  /// Has the loops free what they keep for later, one after the other, and then the C library, which keeps what is freed for
  /// itself: on a thread of its own, because it takes milliseconds.
  static func giveMemoryBack(of loops: ArraySlice<EventLoop>) {
    guard let loop = loops.first else {
      // If there is no thread to be had, the memory stays where it is.
      _ = try? OSThread(ifPossible: "octet-trim") { malloc_trim(0) }
      return
    }
    loop.execute {
      loop.sessionMemory.giveBack()
      giveMemoryBack(of: loops.dropFirst())
    }
  }

  /// Carries a channel from the accepting loop to its own; nobody else has it meanwhile.
  private struct Handover: @unchecked Sendable {
    let channel: ByteChannel
  }
}
