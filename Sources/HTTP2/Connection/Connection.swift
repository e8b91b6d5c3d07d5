internal import CLinux
internal import RPC

/// One connection: moves octets between its socket and its session, keeps its streams, and ends both. What differs
/// between server and client is in the subclasses. Confined to its loop.
class Connection: ReadinessHandler, TickFlushable, SessionDelegate, @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement: work for the loop captures connections.

  enum State {
    /// The socket is being connected (a client's only). → handshaking, open, closed
    case connecting
    /// TLS is being negotiated. → open, closed
    case handshaking
    /// → lingering, closed
    case open
    /// Everything is said and the streams are gone; the peer's end is awaited. → closed
    case lingering
    case closed
  }

  final let loop: EventLoop
  final let role: HTTP2Session.Role
  final let channel: ByteChannel
  final let sharedLimits: SharedLimits
  final let inspectionID = InspectionID.next()
  // Not nil from init to the end; set late because the session wants this object as delegate.
  final private(set) var session: (any SessionEngine)!
  final private(set) var state: State
  // Of these, exclusive access is not checked at run time: every call changes them several times, and what runs while
  // they change does not come back to them.
  @exclusivity(unchecked) final var streams: [HTTP2Stream] = []
  /// What went over the connection, without the calls under way.
  @exclusivity(unchecked) final var traffic = ConnectionTraffic()

  /// Output that the socket did not take, and how much of it is sent since.
  final var pending = PendingOutput()
  /// How many streams had begun when octets were last sent: of later ones, nothing has left that the peer could use.
  @exclusivity(unchecked) final var streamsSent = 0
  /// Octets of bodies that streams have queued since the last flush began.
  @exclusivity(unchecked) final var queuedSinceFlush = 0
  final var isFlushQueued = false
  /// Streams whose handlers are to hear that there is room.
  final var drained: [HTTP2Stream] = []
  /// Runs while `pending` waits for the peer.
  final var sendDeadline: (any ScheduledWork)?
  private var isReadQueued = false
  private var interest: Readiness
  // The timers hold the connection until they are cancelled, at its end. Not weakly: an object that was ever referred
  // to weakly counts its references in a side table for the rest of its life, at several times the price.
  private var deadline: (any ScheduledWork)?
  private var headerDeadline: (any ScheduledWork)?
  // Exclusive access is not checked at run time: its methods call nothing of ours.
  @exclusivity(unchecked) final var care = ConnectionCare()
  final var careTimer: (any ScheduledWork)?
  @exclusivity(unchecked) final var window: ReceiveWindow
  @exclusivity(unchecked) final var holding = Holding()
  /// What all connections of the server or client on this loop hold.
  final let heldOnLoop: HeldBytes
  /// The place among the unfinished handshakes of the loop.
  final var handshakeIndex: Int?
  /// Whether HEADERS, DATA or window went out for a stream since the peer's last PING.
  final var hasSentForStream = false
  final var demandDeadline: (any ScheduledWork)?
  final var demand = SessionDemand.anything
  /// Streams that the connection has taken along, or that have ended for what they held.
  final var streamsAtEnd = 0
  /// Why the streams will be told that they end, once the last words are sent.
  final private(set) var failure: StreamClosure?

  /// - Parameters:
  ///   - isConnected: false for a socket whose connect is under way.
  ///   - held: where it counts what it holds; nil where nobody bounds that, as for a client, which holds what it wants.
  init(
    loop: EventLoop, channel: ByteChannel, role: HTTP2Session.Role, limits: SharedLimits, isConnected: Bool,
    held: HeldBytes? = nil
  ) {
    self.loop = loop
    heldOnLoop = held ?? loop.unbounded
    self.channel = channel
    self.role = role
    sharedLimits = limits
    window = ReceiveWindow(limits.values)
    state = isConnected ? (channel.tls == nil ? .open : .handshaking) : .connecting
    interest = isConnected ? .read : .write
    session = limits.makeEngine(self)
  }

  final var limits: HTTP2Limits { sharedLimits.values }

  /// When to look after this connection, and how.
  var careRules: ConnectionCare.Rules { sharedLimits.clientCareRules }

  /// Puts another session in the place of the first, which has not begun.
  final func use(_ engine: any SessionEngine) {
    session = engine
  }

  /// Begins to read and write. The peer must have sent SETTINGS within `timeout`.
  final func start(timeout: Duration) throws(SystemError) {
    try loop.register(channel.descriptor, interest, self)
    deadline = loop.schedule(after: timeout) {
      self.close(.connectionLost("the handshake took too long"))
    }
    if state != .connecting { connected() }
  }

  private func connected() {
    if channel.tls != nil {
      // A client has the first word: a server waits for it.
      if state == .handshaking, role == .server {
        loop.handshakes.add(self, limit: limits.maxHandshakes, random: sharedLimits.random)
      } else {
        handshake()
      }
    } else if speaksFirst {
      needsFlush()
    }
  }

  var isServer: Bool { false }
  /// Names the connection for operators by its other end.
  var inspectionName: InspectionName { InspectionName(id: inspectionID, text: "") }

  /// Whether the session's first frames go out before the peer has said anything.
  var speaksFirst: Bool { true }

  // MARK: Reading

  final func ready(_ readiness: Readiness) {
    switch state {
    case .connecting:
      do {
        try Socket.connectOutcome(channel.descriptor)
        state = channel.tls == nil ? .open : .handshaking
        updateInterest()
        connected()
      } catch {
        close(.connectionLost("\(error)"))
      }
    case .handshaking:
      handshake()
    case .open:
      if failure != nil || demand == .silence, !readiness.isDisjoint(with: [.error, .hangUp]) {
        return close(.connectionLost("closed by the peer"))
      }
      // One that has its turn later in this tick has had enough of the last.
      if !isReadQueued, !readiness.isDisjoint(with: [.read, .error, .hangUp]) { readAvailable() }
      if readiness.contains(.write), state == .open { flush() }
    case .lingering:
      swallow()
    case .closed:
      break
    }
  }

  /// TLS is negotiated, and nothing was read or written under it.
  func handshakeDone() {}

  private func handshake() {
    guard role == .client || loop.handshakes.mayGoOn(loop) else { return }
    let start = EventLoop.monotonicTime()
    defer { if role == .server { loop.handshakes.spend(EventLoop.monotonicTime() - start) } }
    do {
      // Only a channel with TLS starts in this state.
      switch try channel.tls!.handshake() {
      case .done:
        loop.handshakes.remove(self)
        state = .open
        handshakeDone()
        updateInterest()
        needsFlush()
        readAvailable()
      case .wantsRead:
        setInterest(.read)
      case .wantsWrite:
        setInterest([.read, .write])
      }
    } catch {
      close(.connectionLost("\(error)"))
    }
  }

  private func readAvailable() {
    var rounds = 0
    while state == .open, failure == nil, session.demand != .silence {
      let outcome: ByteChannel.Outcome
      do {
        outcome = try channel.read(into: loop.readBuffer)
      } catch {
        return close(.connectionLost("\(error)"))
      }
      switch outcome {
      case .wouldBlock:
        return
      case .end:
        return close(.connectionLost("closed by the peer"))
      case .moved(let count):
        care.lastReceived = loop.tickTime
        let isUsedUp = count < loop.readBuffer.count && !channel.hasPending
        take(UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count]))
        rounds += 1
        if isUsedUp { return }
        if rounds == HTTP2Limits.readsPerTick {
          return readLater()
        }
      }
    }
    // What is not wanted must not wake us either.
    if state == .open, failure == nil {
      followDemand()
      updateInterest()
    }
  }

  /// Reads in the next tick: OpenSSL may hold octets that epoll does not know of. Once at a time, or a peer that always
  /// sends gains turns.
  final func readLater() {
    guard !isReadQueued else { return }
    isReadQueued = true
    loop.executeNextTick {
      self.isReadQueued = false
      self.ready(.read)
    }
  }

  final func take(_ bytes: UnsafeRawBufferPointer) {
    do {
      guard try received(bytes) else { return }
      try session.receive(bytes)
    } catch {
      fail(.connectionLost(error.description))
    }
    if session.queuedFrames > limits.maxQueuedFrames, !pending.isEmpty {
      return close(.connectionLost("the peer does not read"))
    }
    watchHeaderBlock()
    needsFlush()
  }

  private func watchHeaderBlock() {
    if session.isInsideHeaderBlock {
      guard headerDeadline == nil else { return }
      headerDeadline = loop.schedule(after: limits.headerTimeout) {
        self.close(.connectionLost("a header block took too long"))
      }
    } else if let timer = headerDeadline {
      timer.cancel()
      headerDeadline = nil
    }
  }

  /// Waits for what this state can use.
  final func updateInterest() {
    switch state {
    case .connecting: setInterest(.write)
    case .open:
      let reads: Readiness = failure == nil && demand != .silence ? .read : []
      setInterest(pending.isEmpty ? reads : reads.union(.write))
    case .handshaking, .lingering: setInterest(.read)
    case .closed: break
    }
  }

  private func setInterest(_ new: Readiness) {
    guard new != interest else { return }
    interest = new
    loop.update(channel.descriptor, new)
  }

  /// A look at octets before the session sees them; false if they are not for it.
  func received(_ bytes: UnsafeRawBufferPointer) throws(SessionFailure) -> Bool { true }

  // MARK: Streams

  final func add(_ stream: HTTP2Stream) {
    stream.index = streams.count
    streams.append(stream)
    traffic.streamsStarted += 1
    traffic.lastStreamStarted = loop.tickTime
  }

  private func remove(_ stream: HTTP2Stream) {
    let last = streams.removeLast()
    if last !== stream {
      streams[stream.index] = last
      last.index = stream.index
    }
  }

  /// What to tell the handler of a stream that ends for this reason, for which it may have a better word.
  func closure(of stream: HTTP2Stream, endedBy reason: StreamClosure) -> StreamClosure { reason }

  /// Nothing is left to do for a stream; subclasses look whether the connection should end.
  func streamRemoved() {}

  /// The connection has idled or lived long enough, or its session is used up; a server's drains.
  func retire() {}

  /// The time that its streams had to end is over: the connection ends at once, after what the socket takes of what is ready.
  func cut() { close(.shutdown) }

  // MARK: The end

  /// Ends the connection because of an error, after the session's last words. Nothing is read any more, and a peer
  /// that does not read them is not waited for.
  final func fail(_ reason: StreamClosure) {
    guard failure == nil else { return }
    failure = reason
    cancelDeadlines()
    deadline = loop.schedule(after: limits.lingerTimeout) { self.close(reason) }
    updateInterest()
    needsFlush()
  }

  /// All is said: says so, and waits for the peer's end, so that a reset does not overtake the last octets.
  final func finish() {
    guard state == .open else { return }
    state = .lingering
    cancelDeadlines()
    let reason = failure ?? .connectionLost("the connection has ended")
    endStreams(reason)
    settleHeld()
    channel.finishWriting()
    updateInterest()
    deadline = loop.schedule(after: limits.lingerTimeout) {
      self.close(.connectionLost("the connection has ended"))
    }
    ended(reason)
    swallow()
  }

  /// Ends the connection at once. Harmless when repeated.
  final func close(_ reason: StreamClosure) {
    guard state != .closed else { return }
    let wasOpen = state != .lingering
    state = .closed
    loop.handshakes.remove(self)
    cancelDeadlines()
    loop.deregister(channel.descriptor)
    endStreams(failure ?? reason)
    settleHeld()
    if wasOpen { ended(failure ?? reason) }
    closed()
    // Its memory is the loop's, while the last reference to this object may go anywhere. Later, for callers inside it.
    loop.execute { self.session = nil }
  }

  /// The streams are gone and nothing more will be sent: not of use any more. Called once.
  func ended(_ reason: StreamClosure) {}

  /// The socket is closed when this object goes. Called once.
  func closed() {}

  /// A session does not report the streams that it takes along.
  private func endStreams(_ reason: StreamClosure) {
    let orphans = streams
    streamsAtEnd += orphans.count
    streams = []
    for stream in orphans {
      let reason = closure(of: stream, endedBy: reason)
      traffic.ended(stream, reason)
      stream.close(reason)
    }
  }

  private func cancelDeadlines() {
    for timer in [deadline, headerDeadline, demandDeadline, sendDeadline, careTimer] { timer?.cancel() }
    (deadline, headerDeadline, demandDeadline, sendDeadline, careTimer) = (nil, nil, nil, nil, nil)
  }

  // MARK: SessionDelegate

  func receivedSettings() {
    // After a failure the deadline is the one of the farewell.
    guard failure == nil, let deadline else { return }
    deadline.cancel()
    self.deadline = nil
    beginCare()
  }

  func receivedRequest(_ streamID: Int32, _ block: inout HeaderBlock, endStream: Bool) -> HTTP2Stream? { nil }
  func receivedGoAway(lastStreamID: Int32, code: UInt32) {}
  func receivedPing() {}
  func receivedPong(_ payload: UInt64) {
    if payload == Self.windowPing { windowMeasured() }
  }

  final func streamClosed(_ stream: HTTP2Stream, code: UInt32) {
    remove(stream)
    if streams.isEmpty { care.idleSince = loop.tickTime }
    let reason = closure(of: stream, code)
    traffic.ended(stream, reason)
    stream.close(reason)
    streamRemoved()
  }

  /// Whether the response was whole, from this side's view.
  func isComplete(_ stream: HTTP2Stream) -> Bool { stream.receivedEnd && stream.sentEnd }
}
