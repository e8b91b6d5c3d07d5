/// What a call on the server has sent and may still send. Pure: it takes events and says what to do.
struct ServerCallState {
  private enum Phase {
    /// Nothing was sent. Next: `answering`, `ended`.
    case waiting
    /// The head was sent. Next: `ended`.
    case answering
    /// The status was sent or the stream is gone. Final.
    case ended
  }

  /// How to send a message.
  enum Writing: Equatable {
    case headFirst
    case plain
    /// The call has ended; the message goes nowhere.
    case refused
  }

  /// How to send the status.
  enum Ending: Equatable {
    /// Head and status in one.
    case trailersOnly
    /// The head, then the status.
    case headFirst
    case trailers
    /// A status was sent before, or nobody is there.
    case nothing
  }

  private var phase = Phase.waiting

  /// Whether nothing more can be sent.
  var hasEnded: Bool { phase == .ended }

  mutating func write() -> Writing {
    switch phase {
    case .waiting:
      phase = .answering
      return .headFirst
    case .answering: return .plain
    case .ended: return .refused
    }
  }

  /// - Parameter failed: an answer that failed before its head goes out as trailers only.
  mutating func end(failed: Bool) -> Ending {
    defer { phase = .ended }
    return switch phase {
    case .waiting: failed ? .trailersOnly : .headFirst
    case .answering: .trailers
    case .ended: .nothing
    }
  }

  /// The stream is gone.
  /// - Returns: whether the call was still under way.
  mutating func close() -> Bool {
    defer { phase = .ended }
    return phase != .ended
  }
}
