internal import Base

/// The tokens that pay for further attempts of calls (gRPC's A6), of one channel. Used from any thread: a channel has one
/// for all of its loops.
final class RetryThrottle: Sendable {
  // In thousandths of a token, as the ratio has three decimal places.
  private static let unit = 1000
  private let most: Int
  private let gain: Int
  private let tokens: Locked<Int>

  init(_ config: RetryThrottling) {
    most = config.maxTokens * Self.unit
    gain = Int(min(config.tokenRatio * Double(Self.unit), Double(most)))
    tokens = Locked(most)
  }

  /// An attempt failed in a way that would allow another, or the server asked for none.
  func failed() {
    tokens.withLock { $0 = max($0 - Self.unit, 0) }
  }

  /// A call has succeeded.
  func succeeded() {
    tokens.withLock { $0 = min($0 + gain, most) }
  }

  /// Whether further attempts may be made.
  var allowsAttempts: Bool { tokens.withLock { $0 > most / 2 } }
}

/// The bytes that calls of one channel hold for further attempts. Used from any thread.
final class RetryBufferBudget: Sendable {
  private let limit: Int
  private let held = Locked(0)

  init(limit: Int) {
    self.limit = limit
  }

  /// - Returns: false if that would be too many.
  func take(_ count: Int) -> Bool {
    held.withLock { held in
      guard held + count <= limit else { return false }
      held += count
      return true
    }
  }

  func giveBack(_ count: Int) {
    held.withLock { $0 -= count }
  }
}
