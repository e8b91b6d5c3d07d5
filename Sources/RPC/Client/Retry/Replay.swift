/// A request as far as it has been sent, for sending it once more when a server refused it unseen. The messages are shared
/// with the stream, not copied.
struct Replay {
  private enum State {
    case nothing
    /// Of most calls, which have no other; it takes nothing from the budget.
    case message([UInt8])
    case messages(RetryBuffer)
    /// It was too much, there is an answer, or it was repeated.
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

  /// What was sent, for the last time.
  /// - Returns: nil if that is not at hand; nothing inside if it was the head alone.
  mutating func take() -> [[UInt8]]? {
    defer { forget() }
    switch state {
    case .nothing: return []
    case .message(let bytes): return [bytes]
    case .messages(let buffer): return buffer.messages
    case .gone: return nil
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
