public import ProtobufRuntime

/// Sends the messages of a streaming answer, in order. Safe to use from several tasks; their messages then interleave.
public struct ResponseWriter<Element: Message>: Sendable {
  @usableFromInline let call: ServerCall

  @usableFromInline
  init(_ context: ServerContext) {
    call = context.call
  }

  /// Queues a message, after waiting for the peer to take enough of those before it.
  /// - Parameter compress: false to leave this one uncompressed in a call whose `responseCompression` is not identity.
  /// - Throws: `CancellationError` when the call is over.
  @inlinable
  public func write(_ message: Element, compress: Bool = true) async throws {
    try await call.write(EncodedMessage(message).bytes, compress: compress)
  }

  /// Queues a message that was encoded before, perhaps for many streams. It must be of this stream's type. It goes out
  /// as it is, never compressed, so that all streams share its bytes.
  /// - Throws: `CancellationError` when the call is over.
  @inlinable
  public func write(encoded message: EncodedMessage) async throws {
    try await call.write(message.bytes, compress: false)
  }

  /// The same stream for a publisher that cannot wait for one reader.
  public var sink: ResponseSink { ResponseSink(call: call) }
}

/// A streaming answer as a publisher to many sees it: nothing here suspends.
///
/// A publisher keeps the sinks of each executor together, visits the executor once for all of them, and offers each
/// the same encoded message, or the same batch of all that has been published since its last visit.
public struct ResponseSink: Sendable {
  let call: ServerCall

  /// What became of a message that was offered.
  public enum Outcome: Sendable, Hashable {
    case queued
    /// The reader is slow: the queue is above its high-water mark; or the answer is held still. The message was not taken.
    case full
    /// The call is over; forget the sink.
    case ended
  }

  /// The executor on which `offer` and `queuedBytes` may be used.
  public var executor: any CallExecutor { call.executor }

  /// Bytes queued that the connection has not taken. On the executor only.
  public var queuedBytes: Int { call.queuedBytes }

  /// Queues a message if there is room; it is not compressed. On the executor only.
  public func offer(_ message: EncodedMessage) -> Outcome {
    offer(message.bytes)
  }

  /// Queues all messages of a batch if there is room, or none. On the executor only.
  public func offer(_ batch: EncodedBatch) -> Outcome {
    if batch.count == 0 { return call.state.hasEnded ? .ended : .queued }
    let outcome = offer(batch.bytes)
    if outcome == .queued { call.counts.messagesSent += batch.count - 1 }
    return outcome
  }

  private func offer(_ bytes: [UInt8]) -> Outcome {
    precondition(call.executor.isCurrent, "a sink belongs to its executor")
    if call.state.hasEnded { return .ended }
    if call.isHeld {
      call.releaseForSink()
      return .full
    }
    if !call.hasRoom { return .full }
    do {
      try call.send(bytes, compress: false)
      return .queued
    } catch {
      return .ended
    }
  }

  /// Ends the call with an error, behind what is queued; its handler's task is cancelled. Nothing happens if the call is
  /// over. On the executor only.
  public func end(_ error: some RPCErrorConvertible) {
    precondition(call.executor.isCurrent, "a sink belongs to its executor")
    call.end(failing: error.rpcError)
  }

  /// Sets what to call, on the executor, whenever the queue has drained after it was full. From any thread.
  public func onDrained(_ body: @escaping @Sendable () -> Void) {
    call.observeDrain(body)
  }
}
