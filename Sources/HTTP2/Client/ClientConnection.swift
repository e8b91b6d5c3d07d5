internal import RPC

/// A connection that we make to a server.
final class ClientConnection: Connection, @unchecked Sendable {
  // Unchecked for the reason of its superclass.

  /// Where the server is.
  var address: SocketAddress { subchannel.address }
  // A cycle while the connection lives; the subchannel lets go of it at its end.
  private let subchannel: Subchannel
  private let tls: TLSClientConfiguration?
  /// Whether the server has sent SETTINGS, so that it certainly is one.
  private(set) var isReady = false
  /// Whether no more streams are to be opened.
  private(set) var isRetiring = false
  /// How many streams were opened.
  private var opened = 0

  init(
    loop: EventLoop, channel: ByteChannel, subchannel: Subchannel, tls: TLSClientConfiguration?, limits: SharedLimits
  ) {
    self.subchannel = subchannel
    self.tls = tls
    super.init(loop: loop, channel: channel, role: .client, limits: limits, isConnected: false)
    if let session = channel.tls, let old = tls?.takeSession(for: session.serverName) { session.resume(old) }
  }

  override var inspectionName: InspectionName { InspectionName(id: inspectionID, text: "\(address)") }

  override func closed() {
    sharedLimits.census.remove(self)
  }

  /// How many more streams the server allows now.
  var room: Int { isReady && !isRetiring && state == .open ? session.peerMaxConcurrentStreams - streams.count : 0 }

  /// - Returns: false if the connection cannot take one more.
  func open(_ stream: ClientHTTP2Stream) -> Bool {
    guard session.open(stream.head, stream) else {
      // The ids are used up: others must not wait for the last of the streams.
      subchannel.connectionRetires(self)
      retire()
      return false
    }
    stream.connection = self
    add(stream)
    needsFlush()
    opened += 1
    if opened == limits.maxRequestsPerConnection { retire() }
    return true
  }

  /// Opens no more streams, and ends with the last.
  override func retire() {
    isRetiring = true
    subchannel.connectionRetires(self)
    endIfUnused()
  }

  private func endIfUnused() {
    guard isRetiring, streams.isEmpty else { return }
    if state == .open, isReady {
      session.terminate(.noError)
      fail(.shutdown)
    } else {
      close(.shutdown)
    }
  }

  /// The end of the response is the end of the exchange, whatever became of the request.
  override func isComplete(_ stream: HTTP2Stream) -> Bool { stream.receivedEnd }

  override func closure(of stream: HTTP2Stream, endedBy reason: StreamClosure) -> StreamClosure {
    // The ids are odd, one after the other (RFC 9113 §5.1.1).
    guard Int(stream.id) > 2 * streamsSent else { return reason }
    return switch reason {
    case .connectionLost(let why): .unsent(why)
    case .refused: .unsent("its peer takes no more requests")
    default: reason
    }
  }

  override func receivedSettings() {
    super.receivedSettings()
    if !isReady { sharedLimits.census.add(self) }
    isReady = true
    subchannel.connectionReady(self)
  }

  override func receivedGoAway(lastStreamID: Int32, code: UInt32) {
    isRetiring = true
    if code == ResetCode.enhanceYourCalm.rawValue { sharedLimits.slowKeepAliveDown() }
    subchannel.connectionRetires(self)
    needsFlush()
  }

  override func streamRemoved() {
    if isRetiring {
      // Not at once: the session is in the middle of its work.
      if streams.isEmpty { loop.execute { self.endIfUnused() } }
    } else {
      subchannel.connectionHasRoom(self)
    }
  }

  override func ended(_ reason: StreamClosure) {
    if let session = channel.tls, let new = session.resumableSession() { tls?.store(new, for: session.serverName) }
    subchannel.connectionEnded(self, reason)
  }
}
