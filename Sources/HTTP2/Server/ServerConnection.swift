internal import RPC

/// A connection that a client has made to us.
final class ServerConnection: Connection, @unchecked Sendable {
  // Unchecked for the reason of its superclass.

  private(set) var peer: PeerInfo
  /// Whom the connection is counted for.
  let network: PeerNetwork?
  private let acceptor: any RequestAcceptor
  private let counter: ConnectionCounter
  /// Whether TLS, if there is any, was negotiated.
  private var isSecured = false
  private let onClose: @Sendable (ServerConnection) -> Void
  /// The first octets in the clear, up to three, until they tell which protocol the client speaks; then nil.
  private var opening: [UInt8]? = []
  private var isHTTP1 = false
  private var drain = Drain.none
  private var drainTimer: (any ScheduledWork)?
  private var pings = PingPolicy()

  private enum Drain {
    case none
    /// The first GOAWAY is out: requests on their way are still taken. → final
    case announced
    /// The second is out: the connection ends with its last stream.
    case final
  }

  /// - Parameters:
  ///   - held: where it counts what it holds; nil where nobody bounds that.
  ///   - onClose: called on the loop when the connection is gone.
  init(
    loop: EventLoop, channel: ByteChannel, peer: PeerInfo, network: PeerNetwork?, acceptor: any RequestAcceptor,
    limits: SharedLimits, counter: ConnectionCounter, held: HeldBytes? = nil,
    onClose: @escaping @Sendable (ServerConnection) -> Void
  ) {
    self.peer = peer
    self.network = network
    self.acceptor = acceptor
    self.counter = counter
    self.onClose = onClose
    super.init(loop: loop, channel: channel, role: .server, limits: limits, isConnected: true, held: held)
    self.peer = PeerInfo(peer, connection: inspectionID, identity: nil)
  }

  override var isServer: Bool { true }
  override var inspectionName: InspectionName { InspectionName(id: inspectionID, text: peer.address) }

  // MARK: Requests

  override func receivedRequest(_ streamID: Int32, _ block: inout HeaderBlock, endStream: Bool) -> HTTP2Stream? {
    let stream = ServerHTTP2Stream(connection: self, id: streamID)
    stream.receivedEnd = endStream
    add(stream)
    // Whoever holds nothing to speak of is served.
    guard !heldOnLoop.isFull || holding.held <= HTTP2Limits.unsettledBytes else {
      stream.reset(.refusedStream)
      return stream
    }
    if block.size > HTTP2Limits.uncountedHead {
      stream.headBytes = block.size
      holding.heads += block.size
    }
    let handler =
      block.isTooLarge
      ? OversizedHead.refuse(block.requestHead, on: stream) : acceptor.accept(block.requestHead, on: stream)
    stream.handler = handler
    if endStream { handler.receiveEnd() }
    return stream
  }

  override func isComplete(_ stream: HTTP2Stream) -> Bool { stream.sentEnd }

  // MARK: Drain

  /// Ends the connection when its streams have ended, as `retire` does, or at once if no HTTP is spoken on it yet.
  func startDrain() {
    guard drain == .none, state == .open else {
      if state == .handshaking { close(.shutdown) }
      return
    }
    // A client that has said nothing may not understand a GOAWAY.
    if opening != nil { return close(.shutdown) }
    retire()
  }

  /// Ends the connection when its streams have ended, and announces it first: a request may be on its way even if there
  /// are no streams.
  override func retire() {
    guard drain == .none, state == .open else { return }
    drain = .announced
    session.announceShutdown()
    session.ping(Self.drainPing)
    needsFlush()
    drainTimer = loop.schedule(after: limits.drainNoticeTimeout) { self.finalGoAway() }
  }

  override func receivedPong(_ payload: UInt64) {
    if payload == Self.drainPing, drain == .announced { finalGoAway() }
    super.receivedPong(payload)
  }

  private func finalGoAway() {
    guard drain != .final, state == .open else { return }
    drain = .final
    drainTimer?.cancel()
    drainTimer = nil
    session.refuseNewStreams()
    needsFlush()
    endIfDrained()
  }

  override func cut() {
    // An HTTP/1 answer that has no length must not look whole.
    if state == .open, !isHTTP1 {
      finalGoAway()
      fail(.shutdown)
      flush()
    }
    close(.shutdown)
  }

  override func streamRemoved() {
    if drain == .final { endIfDrained() }
  }

  private func endIfDrained() {
    if streams.isEmpty { fail(.shutdown) }
  }

  override func handshakeDone() {
    isSecured = true
    peer = PeerInfo(peer, connection: peer.connection, identity: channel.tls?.peerIdentity())
    counter.handshakes.increment()
    opening = nil
    // Without ALPN a client of TLS speaks HTTP/1 (RFC 9113 §3.2).
    if channel.tls?.hasChosenHTTP2 == false { useHTTP1() }
  }

  override func closed() {
    if channel.tls != nil, !isSecured { counter.failedHandshakes.increment() }
    drainTimer?.cancel()
    onClose(self)
  }

  private static let drainPing: UInt64 = 0x6f63_7465_7464_7261

  // MARK: Care

  override var careRules: ConnectionCare.Rules {
    isHTTP1 ? sharedLimits.http1CareRules : sharedLimits.serverCareRules
  }

  override func receivedPing() {
    guard failure == nil else { return }
    let isForgiven = hasSentForStream
    hasSentForStream = false
    guard !pings.admits(loop.tickTime, isForgiven: isForgiven, hasStreams: !streams.isEmpty, limits) else { return }
    session.goAway(.enhanceYourCalm, "too_many_pings")
    fail(.connectionLost("too many pings"))
  }

  // MARK: Protocols

  /// In the clear the first word is the client's: an HTTP/1 client could not read a SETTINGS frame.
  override var speaksFirst: Bool { channel.tls != nil }

  private func useHTTP1() {
    isHTTP1 = true
    use(HTTP1Session(limits: sharedLimits, isEncrypted: peer.isEncrypted, delegate: self))
    // The handshake is over; the session has times of its own.
    receivedSettings()
  }

  /// Tells HTTP/2's preface from a request of HTTP/1: by its first three octets, as no method begins with PRI.
  override func received(_ bytes: UnsafeRawBufferPointer) throws(SessionFailure) -> Bool {
    guard let kept = opening else { return true }
    let preface = "PRI".utf8
    let first = kept + bytes.prefix(preface.count - kept.count)
    if first.count < preface.count, preface.starts(with: first) {
      opening = first
      return false
    }
    opening = nil
    if !first.elementsEqual(preface) {
      guard HTTP1Octets.isToken(first[0]) || first[0] == HTTP1Octets.carriageReturn else {
        close(.connectionLost("not HTTP"))
        return false
      }
      useHTTP1()
    }
    if !kept.isEmpty {
      try kept.withUnsafeBufferPointer { kept throws(SessionFailure) in
        try session.receive(UnsafeRawBufferPointer(kept))
      }
    }
    return true
  }
}
