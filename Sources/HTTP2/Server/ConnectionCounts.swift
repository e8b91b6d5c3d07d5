internal import Synchronization

/// What became of the connections of a server since its start.
public struct ConnectionCounts: Sendable, Equatable {
  /// Connections taken from the kernel, those that were refused then included.
  public var accepted = 0
  /// Connections closed at once: there were too many, the server was draining, or there was no memory for TLS.
  public var refused = 0
  /// TLS handshakes that succeeded.
  public var handshakes = 0
  /// Connections that ended, for whatever reason, before their TLS handshake had succeeded.
  public var failedHandshakes = 0
  /// Connections that are open now.
  public var open = 0

  public init(
    accepted: Int = 0, refused: Int = 0, handshakes: Int = 0, failedHandshakes: Int = 0, open: Int = 0
  ) {
    self.accepted = accepted
    self.refused = refused
    self.handshakes = handshakes
    self.failedHandshakes = failedHandshakes
    self.open = open
  }
}

/// Counts for `ConnectionCounts`, from any thread.
final class ConnectionCounter: Sendable {
  let accepted = Atomic(0)
  let refused = Atomic(0)
  let handshakes = Atomic(0)
  let failedHandshakes = Atomic(0)

  func counts(open: Int) -> ConnectionCounts {
    ConnectionCounts(
      accepted: accepted.load(ordering: .relaxed), refused: refused.load(ordering: .relaxed),
      handshakes: handshakes.load(ordering: .relaxed), failedHandshakes: failedHandshakes.load(ordering: .relaxed),
      open: open)
  }
}

extension Atomic<Int> {
  func increment() { add(1, ordering: .relaxed) }
}
