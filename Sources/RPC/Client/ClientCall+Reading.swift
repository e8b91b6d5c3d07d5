public import ProtobufRuntime

/// Reading, from any thread.
extension ClientCall {
  /// The next message of the answer; nil after the last if the status is OK. A cancelled reader cancels the call.
  @inlinable
  func nextResponse<M: Message>(_ type: M.Type) async throws(RPCError) -> M? {
    do {
      guard let payload = try await nextPayload() else { return nil }
      return try M(received: payload.span, limits: decodeLimits)
    } catch {
      // After a malformed message, or when the reader was cancelled, the server need not go on.
      cancel()
      throw Self.callError(error)
    }
  }

  /// The only message of an answer.
  @inlinable
  func soleResponse<M: Message>(_ type: M.Type) async throws(RPCError) -> M {
    guard let message = try await nextResponse(type) else {
      throw RPCError.wrongCardinality("the server sent a status and no message")
    }
    guard try await nextResponse(type) == nil else {
      cancel()
      throw RPCError.wrongCardinality("the server sent more than one message")
    }
    return message
  }

  /// What the server sent before its messages. Waits for it.
  func initialMetadata() async throws(RPCError) -> Metadata {
    try await wait { $0.head != nil || $0.outcome != nil }
    return try await read { call in
      if let head = call.head { return Metadata(received: head) }
      throw call.outcome?.error ?? RPCError(.internal, "no head")
    }
  }

  /// What the server sent with its status. Waits for it, also when the status is an error.
  func trailingMetadata() async throws(RPCError) -> Metadata {
    try await wait { $0.outcome != nil }
    return try await read { Metadata(received: $0.outcome?.trailers ?? HeaderList()) }
  }

  private func read<Result: Sendable>(
    _ body: @escaping @Sendable (ClientCall) throws -> Result
  ) async throws(RPCError) -> Result {
    do {
      return executor.isCurrent ? try body(self) : try await executor.hop { try body(self) }
    } catch {
      throw Self.callError(error)
    }
  }

  private func wait(_ isDone: @escaping @Sendable (ClientCall) -> Bool) async throws(RPCError) {
    do {
      while true {
        guard executor.isCurrent else { return try await executor.hop { try await self.wait(isDone) } }
        if isDone(self) { return }
        try Task.checkCancellation()
        await withTaskCancellationHandler {
          await withCheckedContinuation { continuation in
            // As in CallStream.waitForInput.
            if isDone(self) || Task.isCancelled { continuation.resume() } else { waiters.append(continuation) }
          }
        } onCancel: {
          executor.execute { self.wakeWaiters() }
        }
      }
    } catch {
      throw Self.callError(error)
    }
  }

  func wakeWaiters() {
    let waiting = waiters
    waiters = []
    for waiter in waiting { waiter.resume() }
  }
}
