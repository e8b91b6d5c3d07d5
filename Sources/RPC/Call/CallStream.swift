internal import ProtobufRuntime

/// What both ends of a call have in common: messages that come in and who waits for them, messages that go out and who
/// waits for room.
///
/// Confined to `executor`, hence unchecked: every method is called there, but for those that say otherwise.
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
  enum Input<M> {
    case message(M)
    case end
    case nothingYet
  }

  final let executor: any CallExecutor
  final let decoding: DecodeLimits
  final var deframer: MessageDeframer
  final private(set) var inboundEnd = InboundEnd.open
  /// Bytes received whose window the peer has not got back.
  private final var heldBytes = 0
  private final var reader: CheckedContinuation<Void, Never>?
  private final var writers: [CheckedContinuation<Void, Never>] = []

  init(executor: any CallExecutor, messageBytes: Int, decoding: DecodeLimits) {
    self.executor = executor
    self.decoding = decoding
    deframer = MessageDeframer(limit: messageBytes)
  }

  // What the two ends do in their own way.

  /// Queues an encoded message.
  /// - Throws: if the call has ended.
  func send(_ bytes: [UInt8]) throws { preconditionFailure("overridden by each end") }
  /// Bytes queued that the connection has not taken.
  var queuedBytes: Int { preconditionFailure("overridden by each end") }
  /// Whether the peer declared a message encoding.
  var declaresEncoding: Bool { preconditionFailure("overridden by each end") }
  /// Gives window back to the peer.
  func returnWindow(_ count: Int) { preconditionFailure("overridden by each end") }
}

// MARK: - Reading

extension CallStream {
  /// Takes bytes of the body.
  final func buffer(_ bytes: Span<UInt8>) {
    guard case .open = inboundEnd else { return returnWindow(bytes.count) }
    heldBytes += bytes.count
    deframer.append(bytes)
    settleWindow()
    if reader != nil, isInputReady { wakeReader() }
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
    settleWindow()
    wakeReader()
  }

  /// The next message, waiting for it; nil at the end. From any thread, but one reader at a time.
  final func next<M: Message>(_ type: M.Type) async throws -> M? {
    while true {
      guard executor.isCurrent else { return try await executor.hop { try await self.next(type) } }
      switch try take(type) {
      case .message(let message): return message
      case .end: return nil
      case .nothingYet:
        await waitForInput()
        try Task.checkCancellation()
      }
    }
  }

  /// The next message if it is there.
  final func take<M: Message>(_ type: M.Type) throws -> Input<M> {
    do {
      if let frame = try deframer.next() {
        if frame.isCompressed { throw compressionError }
        let message = try decode(type, deframer.buffer.span.extracting(frame.payload))
        settleWindow()
        return .message(message)
      }
      switch inboundEnd {
      case .open: return .nothingYet
      case .finished:
        try deframer.finish()
        return .end
      case .failed(let error): throw error
      }
    } catch let error as FramingError {
      dropInput(error.rpcError)
      throw error.rpcError
    }
  }

  /// Decodes one message.
  final func decode<M: Message>(_ type: M.Type, _ bytes: Span<UInt8>) throws(RPCError) -> M {
    do throws(DecodeError) {
      // `bytes` of a span is unsafe only for elements with padding, which octets are without.
      return try unsafe M(decoding: bytes.bytes, limits: decoding)
    } catch {
      throw RPCError(decoding: error, of: M.fullName)
    }
  }

  /// What a compressed message is answered with while no compression is known: a compressed message without an
  /// encoding breaks the protocol, one with an encoding asks for what is not there.
  final var compressionError: RPCError {
    declaresEncoding
      ? RPCError(.unimplemented, "the message encoding is not supported")
      : RPCError(.internal, "a message is compressed, but the call declares no encoding")
  }

  /// Whether the reader would get anything but `.nothingYet`.
  private final var isInputReady: Bool {
    (try? deframer.hasNext()) ?? true
  }

  /// Gives back the window of all bytes but those of whole messages that wait to be read. A message that is not whole
  /// must not hold window, or one longer than the window would never come.
  private final func settleWindow() {
    let kept = isInputReady ? min(heldBytes, deframer.unreadCount) : 0
    let excess = heldBytes - kept
    if excess >= RPCLimits.windowReturnBytes || (kept == 0 && excess > 0) {
      heldBytes = kept
      returnWindow(excess)
    }
  }

  private final func waitForInput() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        precondition(reader == nil, "two tasks read the messages of one call")
        reader = continuation
      }
    } onCancel: {
      executor.execute { self.wakeReader() }
    }
  }

  private final func wakeReader() {
    guard let waiting = reader else { return }
    reader = nil
    waiting.resume()
  }
}

// MARK: - Writing

extension CallStream {
  /// Queues an encoded message once the queue is at or below its high-water mark. From any thread.
  final func write(_ bytes: [UInt8]) async throws {
    while true {
      guard executor.isCurrent else { return try await executor.hop { try await self.write(bytes) } }
      if queuedBytes <= StreamWaterMarks.high { return try send(bytes) }
      await waitForRoom()
      try Task.checkCancellation()
    }
  }

  /// Lets waiting writers go on.
  final func wakeWriters() {
    guard !writers.isEmpty else { return }
    let waiting = writers
    writers = []
    for writer in waiting { writer.resume() }
  }

  private final func waitForRoom() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { writers.append($0) }
    } onCancel: {
      executor.execute { self.wakeWriters() }
    }
  }
}

extension RPCError {
  /// The error for a message that cannot be decoded.
  init(decoding error: DecodeError, of name: String) {
    switch error {
    case .malformed: self.init(.invalidArgument, "not a valid \(name)")
    case .tooDeep: self.init(.invalidArgument, "the \(name) is nested too deeply")
    case .overBudget: self.init(.resourceExhausted, "decoding the \(name) takes too much memory")
    case .invalidUTF8(let field): self.init(.invalidArgument, "\(field) is not valid UTF-8")
    }
  }
}
