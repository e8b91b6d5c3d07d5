internal import Base
internal import Synchronization

/// What both ends of a call have in common: messages that come in and who waits for them, messages that go out and who
/// waits for room.
///
/// Confined to `executor`, hence unchecked: every method is called there, but for those that say otherwise. Exclusive
/// access to what every message touches is not checked at run time: nothing is called while it is being changed.
@usableFromInline
class CallStream: @unchecked Sendable {
  /// Whether more messages can come in.
  enum InboundEnd {
    case open
    /// The peer half-closed in good order.
    case finished
    /// No message after those that are buffered; reading on throws this.
    case failed(any Error)
  }

  /// What is there for a reader.
  enum Input {
    /// The wire form of a message.
    case message(ArraySlice<UInt8>)
    case end
    case nothingYet
  }

  final let executor: any CallExecutor
  @safe @exclusivity(unchecked) final var deframer: MessageDeframer
  @safe @exclusivity(unchecked) final private(set) var inboundEnd = InboundEnd.open
  /// What went through the call.
  @safe @exclusivity(unchecked) final var counts = CallCounts()
  /// How the peer's messages may be compressed; nil for an encoding that is not known here.
  @safe @exclusivity(unchecked) final var inboundEncoding: MessageEncoding? = .identity
  /// How this side's messages are compressed. Known when the head goes out.
  final var outboundEncoding = MessageEncoding.identity
  /// Whether the message that was read last came compressed. From any thread.
  final let wasCompressed = Atomic(false)
  /// How the call ended; nil while it goes on.
  @safe @exclusivity(unchecked) final var finalStatus: StatusCode?
  /// Bytes received whose window the peer has not got back.
  @safe @exclusivity(unchecked) private final var heldBytes = 0
  /// Bytes held whose window the peer has back: of a message that is not whole.
  @safe @exclusivity(unchecked) private final var withoutWindow = 0
  /// The turn for which a message waits to be decompressed; then there is nothing to read.
  private final var turn: InflateTurns.Turn?
  /// A message that had its turn.
  private final var inflated: ArraySlice<UInt8>?
  @safe @exclusivity(unchecked) private final var reader: Suspension?
  @safe @exclusivity(unchecked) private final var writers: [Suspension] = []

  init(executor: any CallExecutor, messageBytes: Int) {
    self.executor = executor
    deframer = MessageDeframer(limit: messageBytes)
  }

  @usableFromInline
  final var progress: CallProgress { CallProgress(counts: counts, status: finalStatus) }

  // What the two ends do in their own way.

  /// Queues an encoded message.
  /// - Parameter compress: whether to compress it if the call's messages are.
  /// - Throws: if the call has ended.
  func send(_ bytes: [UInt8], compress: Bool) throws { preconditionFailure("overridden by each end") }
  /// Bytes queued that the connection has not taken.
  var queuedBytes: Int { preconditionFailure("overridden by each end") }
  /// Whether there is room for another message.
  var hasRoom: Bool { preconditionFailure("overridden by each end") }
  /// Whether something else than room keeps messages from going out.
  var isHeld: Bool { false }
  /// Waits for that.
  func awaitRelease() async throws {}
  /// The time, if somebody wants to know how long this end waits for the other.
  var waitingSince: Instant? { preconditionFailure("overridden by each end") }
  /// Hears how many bytes are held whose window the peer has back already.
  func holdsWithoutWindow(_ count: Int) {}
  /// Whose turn a message of this call takes when many are to be decompressed.
  var turnOwner: InflateTurns.Owner { preconditionFailure("overridden by each end") }
  /// Gives window back to the peer.
  func returnWindow(_ count: Int) { preconditionFailure("overridden by each end") }
}

// MARK: - Reading

extension CallStream {
  /// Takes bytes of the body.
  final func buffer(_ bytes: Span<UInt8>) {
    guard case .open = inboundEnd else { return returnWindow(bytes.count) }
    heldBytes += bytes.count
    counts.bytesReceived += bytes.count
    deframer.append(bytes)
    settleWindow()
    if reader != nil, hasInput { wakeReader() }
  }

  /// Ends the input. What is buffered can be read still.
  final func endInput(_ end: InboundEnd) {
    guard case .open = inboundEnd else { return }
    inboundEnd = end
    wakeReader()
  }

  /// Ends the input and drops what is buffered.
  final func dropInput(_ error: any Error) {
    inboundEnd = .failed(error)
    deframer = MessageDeframer(limit: 0)
    giveUpTurn()
    inflated = nil
    settleWindow()
    wakeReader()
  }

  /// The wire form of the next message, waiting for it; nil at the end. From any thread, but one reader at a time.
  ///
  /// It shares the receive buffer: decode it at once, or the next bytes that come in cost a copy. A message that is
  /// there costs no call of an async function.
  @inlinable @inline(__always)
  final func nextPayload() async throws -> ArraySlice<UInt8>? {
    if let payload = try payloadAtOnce() { return payload }
    return try await awaitPayload()
  }

  /// The wire form of the next message; nil if it is not there, at the end, and on other threads.
  @usableFromInline
  final func payloadAtOnce() throws -> ArraySlice<UInt8>? {
    guard executor.isCurrent, case .message(let payload) = try takePayload() else { return nil }
    return payload
  }

  @usableFromInline
  final func awaitPayload() async throws -> ArraySlice<UInt8>? {
    while true {
      guard executor.isCurrent else { return try await executor.hop { try await self.awaitPayload() } }
      switch try takePayload() {
      case .message(let payload): return payload
      case .end: return nil
      case .nothingYet:
        await waitForInput()
        try Task.checkCancellation()
      }
    }
  }

  /// The wire form of the next message if it is there.
  final func takePayload() throws -> Input {
    if inboundEncoding == .gzip {
      if let ready = inflated {
        inflated = nil
        return .message(ready)
      }
      if mustAwaitTurn() { return .nothingYet }
    }
    return try takeNow()
  }

  /// Whether the next message has to wait before it is decompressed. Its bytes stay counted until then.
  private final func mustAwaitTurn() -> Bool {
    if awaitsTurn { return true }
    guard deframer.hasNextCompressed, let turns = executor.inflating, !turns.mayGoOn else { return false }
    waitForTurn(turns) {
      // An error stays for the reader: the input has failed then.
      if case .message(let payload)? = try? self.takeNow() { self.inflated = payload }
    }
    return true
  }

  private final func takeNow() throws -> Input {
    do throws(FramingError) {
      if let frame = try deframer.next() {
        var payload = deframer.buffer[frame.payload]
        if frame.isCompressed || inboundEncoding != .identity { try decompress(&payload, frame) }
        counts.messagesReceived += 1
        deframer.release(above: RPCLimits.retainedBufferBytes)
        settleWindow()
        return .message(payload)
      }
      switch inboundEnd {
      case .open: return .nothingYet
      case .finished:
        try deframer.finish()
        return .end
      case .failed: break
      }
    } catch {
      dropInput(error.rpcError)
    }
    guard case .failed(let error) = inboundEnd else { preconditionFailure("the input has failed") }
    throw error
  }

  /// Makes the wire form of a payload that may be compressed.
  final func decompress(
    _ payload: inout ArraySlice<UInt8>, _ frame: MessageDeframer.Frame
  ) throws(FramingError) {
    wasCompressed.store(frame.isCompressed, ordering: .relaxed)
    guard frame.isCompressed else { return }
    payload = try MessageCompression.decompress(
      payload, inboundEncoding, limit: deframer.limit, counting: executor.inflating)
  }

  /// Whether the reader would get anything but `.nothingYet`.
  private final var isInputReady: Bool {
    (try? deframer.hasNext()) ?? true
  }

  /// Whether what is buffered is the beginning of a message and no more.
  final var holdsPartOfMessage: Bool { deframer.unreadCount > 0 && !isInputReady }

  /// Gives back the window of all bytes but those of whole messages that wait to be read. A message that is not whole
  /// must not hold window, or one longer than the window would never come; the server bounds the sum of such bytes.
  private final func settleWindow() {
    let kept = isInputReady ? min(heldBytes, deframer.unreadCount) : 0
    let excess = heldBytes - kept
    if excess >= RPCLimits.windowReturnBytes || (kept == 0 && excess > 0) {
      heldBytes = kept
      returnWindow(excess)
    }
    let unbacked = max(deframer.unreadCount - heldBytes, 0)
    if unbacked != withoutWindow {
      withoutWindow = unbacked
      holdsWithoutWindow(unbacked)
    }
  }

  private final func waitForInput() async {
    let start = waitingSince
    await withTaskCancellationHandler {
      await Suspension.wait { suspension in
        precondition(reader == nil, "two tasks read the messages of one call")
        // The task may have been set aside since it looked, and the loop have received something meanwhile: nobody
        // would wake a reader for what came before it waited.
        if hasInput || Task.isCancelled { return suspension.resume() }
        reader = suspension
        // It may be long, and there may be many such calls.
        deframer.release(above: RPCLimits.idleBufferBytes)
      }
    } onCancel: {
      executor.execute { self.wakeReader() }
    }
    if let start { counts.inputWaitNanoseconds += waited(since: start) }
  }

  private final func waited(since start: Instant) -> Int64 {
    // Less than no time if the clock was set back.
    max(waitingSince.map { ($0 - start).inNanoseconds } ?? 0, 0)
  }

  /// Whether a message or the end is there.
  private final var hasInput: Bool {
    if awaitsTurn { return false }
    if inflated != nil { return true }
    guard case .open = inboundEnd else { return true }
    return isInputReady
  }

  private final func wakeReader() {
    guard let waiting = reader else { return }
    reader = nil
    waiting.resume()
  }
}

// MARK: - Decompressing by turns

extension CallStream {
  /// Whether a message waits for its turn.
  final var awaitsTurn: Bool { turn != nil }

  /// Has `work` run at this call's turn, and then wakes the reader. It does not run if the call ends before.
  private final func waitForTurn(_ turns: InflateTurns, _ work: @escaping () -> Void) {
    turn = turns.wait(turnOwner) {
      self.turn = nil
      work()
      self.wakeReader()
    }
  }

  /// The same for a call whose input nobody reads as a stream. Returns after the turn, or when the call ends before it.
  final func awaitTurn(_ turns: InflateTurns, _ work: @escaping () -> Void) async {
    await Suspension.wait { suspension in
      precondition(reader == nil, "two tasks read the messages of one call")
      reader = suspension
      waitForTurn(turns, work)
    }
  }

  /// Nobody wants what waits.
  private final func giveUpTurn() {
    guard let turn else { return }
    self.turn = nil
    executor.inflating?.giveUp(turn)
  }
}

// MARK: - Writing

extension CallStream {
  /// Queues an encoded message once the queue has room. From any thread.
  /// - Parameter compress: whether to compress it if the call's messages are.
  @inlinable @inline(__always)
  final func write(_ bytes: [UInt8], compress: Bool) async throws {
    if try !writeAtOnce(bytes, compress: compress) { try await awaitWrite(bytes, compress: compress) }
  }

  /// Queues an encoded message if there is room.
  /// - Returns: false if there is none, and on other threads.
  @usableFromInline
  final func writeAtOnce(_ bytes: [UInt8], compress: Bool) throws -> Bool {
    guard executor.isCurrent, !isHeld, hasRoom else { return false }
    try send(bytes, compress: compress)
    return true
  }

  @usableFromInline
  final func awaitWrite(_ bytes: [UInt8], compress: Bool) async throws {
    while true {
      guard executor.isCurrent else {
        return try await executor.hop { try await self.awaitWrite(bytes, compress: compress) }
      }
      try await awaitRelease()
      if hasRoom { return try send(bytes, compress: compress) }
      await waitForRoom()
      try Task.checkCancellation()
    }
  }

  /// What goes out for an encoded message.
  final func outbound(_ bytes: [UInt8]) -> [UInt8] {
    outboundEncoding == .identity ? bytes : MessageCompression.compress(bytes)
  }

  /// Lets waiting writers go on.
  final func wakeWriters() {
    guard !writers.isEmpty else { return }
    let waiting = writers
    writers = []
    for writer in waiting { writer.resume() }
  }

  private final func waitForRoom() async {
    let start = waitingSince
    await withTaskCancellationHandler {
      await Suspension.wait { suspension in
        // As in waitForInput.
        if hasRoom || Task.isCancelled {
          suspension.resume()
        } else {
          writers.append(suspension)
        }
      }
    } onCancel: {
      executor.execute { self.wakeWriters() }
    }
    if let start { counts.roomWaitNanoseconds += waited(since: start) }
  }
}
