/// A request as far as it has been given to a stream, for sending it once more when no server has seen it. The messages
/// are shared with the stream, not copied.
struct Replay {
  private enum State {
    case nothing
    /// Of most calls, which have no other; it takes nothing from the budget.
    case message([UInt8])
    case messages(RetryBuffer)
    /// It was too much, or there is an answer.
    case gone
  }

  private var state = State.nothing

  /// Keeps a message, or finds that the request is too long for that.
  mutating func sent(_ bytes: [UInt8], budget: RetryBufferBudget) {
    switch state {
    case .nothing:
      state = bytes.count <= RPCLimits.retryBufferBytesPerCall ? .message(bytes) : .gone
    case .message(let first):
      state = .messages(RetryBuffer(budget: budget))
      if keep(first) { _ = keep(bytes) }
    case .messages:
      _ = keep(bytes)
    case .gone:
      break
    }
  }

  /// - Returns: false if the message is too much; nothing is kept then.
  private mutating func keep(_ bytes: [UInt8]) -> Bool {
    guard case .messages(var buffer) = state else { return false }
    // Not held twice while it changes.
    state = .gone
    guard buffer.append(bytes) else {
      buffer.release()
      return false
    }
    state = .messages(buffer)
    return true
  }

  /// What was sent; it is kept anew as it is sent once more.
  /// - Returns: nil if that is not at hand; nothing inside if it was the head alone.
  mutating func take() -> [[UInt8]]? {
    switch state {
    case .gone: return nil
    case .nothing: return []
    case .message(let bytes):
      state = .nothing
      return [bytes]
    case .messages(var buffer):
      state = .nothing
      defer { buffer.release() }
      return buffer.messages
    }
  }

  /// The request is not to be repeated.
  mutating func forget() {
    if case .messages(var buffer) = state {
      state = .gone
      buffer.release()
    }
    state = .gone
  }
}

/// Which calls are sent once more, though no policy says so, as no server has seen them (gRPC's A6, "Transparent
/// Retries").
struct TransparentRetries {
  private var wasRefused = false
  private var unsent = 0

  /// `RPCLimits.unsentRetries` times if nothing of the request was sent, but once if it was refused: a server that does so
  /// twice is to be believed.
  mutating func maySendAgain(after reason: StreamClosure) -> Bool {
    switch reason {
    case .unsent where unsent < RPCLimits.unsentRetries:
      unsent += 1
      return true
    case .refused where !wasRefused:
      wasRefused = true
      return true
    default: return false
    }
  }
}
