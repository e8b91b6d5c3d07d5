internal import RPC

/// One stream of a connection, in what server and client have in common. Confined to its loop.
///
/// States: waiting for a connection (a client's only; `connection` is nil) → open → closed; there is no way back. The
/// two directions end on their own: `isFinished`/`sentEnd` and `receivedEnd`.
class HTTP2Stream {
  final var connection: Connection?
  /// After the end everything that the core asks for is ignored.
  final private(set) var isClosed = false
  final var id: Int32
  /// The place in the connection's list of streams.
  final var index = 0

  /// Body bytes that wait. Exclusive access is not checked at run time: the queue's methods call nothing of ours.
  @exclusivity(unchecked) final var outbound = OutboundQueue()
  /// What ends the body, if `isFinished`.
  final var trailers: HeaderList?
  /// The core has nothing more to send.
  final var isFinished = false
  /// The last frame of our direction has been handed to the session.
  final var sentEnd = false
  /// The session asked for bytes when there were none; it must be told of new ones.
  final var isDeferred = false
  // What the session keeps of the stream.

  /// Whether the session reports the end of the stream to its delegate.
  final var isOpen = false
  /// The stream is over, and the delegate has still to hear of it, with this code.
  final var isClosing = false
  final var closingCode: UInt32 = 0
  final var hasSentHead = false
  /// Whether the head of the response has come (a client's only).
  final var hasReceivedHead = false
  /// Whether the stream waits for its turn to send.
  final var isQueued = false
  /// Whether the stream waits for window of the connection.
  final var isStarved = false
  /// What of the declared content is still to come; nil if nothing was declared.
  final var contentLeft: Int?
  @exclusivity(unchecked) final var inbound = InboundWindow(size: 0)
  final var outboundWindow = 0

  /// Whether there is something to send: body, or what ends it.
  final var hasWork: Bool { outbound.count > 0 || isFinished }

  /// Whether `drained` will be called at the end of this tick.
  final var isDrainPending = false

  /// The peer has sent everything.
  final var receivedEnd = false
  /// Received body bytes whose window the peer does not have back yet.
  final var unconsumed = 0
  /// The length of the head of the request, if it is long enough to be counted.
  final var headBytes = 0
  /// Body bytes that have come.
  final var received = 0
  /// The core itself asked for the end.
  final var isResetByCore = false
  /// Body bytes that have gone to the peer.
  private final var taken = 0
  /// `taken` when `isStalled` was last asked; nil if nothing waited then.
  private final var takenBefore: Int?

  init(connection: Connection?, id: Int32) {
    self.connection = connection
    self.id = id
  }

  // MARK: From the session

  /// A header section other than the head of a request.
  func receiveHeaders(_ block: inout HeaderBlock, endStream: Bool) {}
  func receive(_ bytes: UnsafeRawBufferPointer) {}
  func receiveEnd() {}
  /// Both in one: these bytes are the last.
  func receiveLast(_ bytes: UnsafeRawBufferPointer) {
    receive(bytes)
    receiveEnd()
  }
  func drained() {}
  /// What its handler says about the call.
  var progress: CallProgress { CallProgress() }
  /// The last call, when everything else is settled.
  func closed(_ reason: StreamClosure?) {}
  /// The core wants the end of a stream that no connection has yet.
  func resetWhileWaiting(_ code: ResetCode) {}

  /// Ends the stream and tells its handler.
  final func close(_ reason: StreamClosure?) {
    guard !isClosed else { return }
    isClosed = true
    dropOutbound()
    if headBytes > 0 { connection?.holding.heads -= headBytes }
    connection = nil
    closed(reason)
  }

  private final func dropOutbound() {
    guard outbound.count > 0 else { return }
    connection?.holding.gone += outbound.count
    outbound.removeAll()
  }

  /// Bytes that are held for the peer.
  final var heldBytes: Int { outbound.count + unconsumed + headBytes }

  /// Whether something waited the last time this was asked, still does, and the peer has taken less than `minimum`
  /// bytes in between.
  final func isStalled(minimum: Int) -> Bool {
    guard outbound.count > 0 else {
      takenBefore = nil
      return false
    }
    defer { takenBefore = taken }
    return takenBefore.map { taken - $0 < minimum } ?? false
  }

  /// Whether a message of the request comes too slowly; to be asked once in each period.
  /// - Parameter canSend: whether the connection has window left.
  func isTooSlow(_ rule: MessagePace.Rule, canSend: Bool) -> Bool { false }
  /// Tells the handler that it is.
  func endForSlowness() {}

  // MARK: For the core

  final var queuedBytes: Int { outbound.count }

  /// Beyond the high-water mark there is room as long as all that streams have queued in this tick will fill one write
  /// which both the peer's windows and the socket, as far as is known, will take: one system call for four messages of
  /// 64 KiB costs a sixth less than four.
  final var hasRoom: Bool {
    let waiting = outbound.count
    if waiting <= StreamWaterMarks.high { return true }
    guard let connection else { return false }
    return waiting < outboundWindow && connection.takesMore
  }

  final func write(_ bytes: [UInt8]) {
    guard !isClosed, !isResetByCore else { return }
    precondition(!isFinished, "write after finish")
    outbound.append(bytes)
    connection?.noteQueued(bytes.count)
    resume()
  }

  final func finish(trailers: HeaderList?) {
    guard !isClosed, !isResetByCore, !isFinished else { return }
    self.trailers = trailers
    isFinished = true
    connection?.hasSentForStream = true
    resume()
  }

  final func reset(_ code: ResetCode) {
    guard !isClosed, !isResetByCore else { return }
    isResetByCore = true
    dropOutbound()
    if let connection { connection.reset(self, code) } else { resetWhileWaiting(code) }
  }

  final func consumed(_ count: Int) {
    guard let connection, count > 0 else { return }
    precondition(count <= unconsumed, "more bytes consumed than received")
    unconsumed -= count
    connection.session.consume(self, count)
    connection.gaveBack(count)
  }

  @inline(__always)
  private func resume() {
    guard let connection else { return }
    if isDeferred {
      isDeferred = false
      connection.session.resume(self)
    }
    connection.needsFlush()
  }

  /// Moves body bytes to the output.
  /// - Returns: whether the delegate is to ask for more: `streamDrained`.
  @inline(__always)
  final func take(_ length: Int, into output: OutputBuffer) -> Bool {
    let before = outbound.count
    outbound.move(length, to: output)
    taken &+= length
    if let connection {
      connection.hasSentForStream = true
      connection.holding.gone += length
    }
    guard before > StreamWaterMarks.low, outbound.count <= StreamWaterMarks.low, !isFinished, !isDrainPending
    else { return false }
    isDrainPending = true
    return true
  }
}
