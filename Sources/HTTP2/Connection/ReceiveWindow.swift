/// How large the windows should be that a connection gives its peer: as much as its handlers take in one round trip.
///
/// The estimator of gRPC ("bandwidth-delay product"): a PING is sent, and the bytes are counted until its answer comes.
/// If they come near to the window, and faster than ever, the window was what limited them, and it becomes twice what
/// was counted. Unlike gRPC we count the bytes that handlers have taken, not those received: a handler that does not read
/// leaves the window, and what is held for it, as it is, whatever its peer does. A value without timers and sockets;
/// times are nanoseconds of the loop's clock.
struct ReceiveWindow {
  /// The window of a stream.
  private(set) var size: Int
  private let maximum: Int
  /// Bytes taken since the last PING, or since its answer.
  private var taken = 0
  /// Bytes after which the next PING is worth while.
  private var pause: Int
  /// When the PING on its way was sent.
  private var sentAt: Int64?
  /// The best rate so far, in bytes a millisecond.
  private var bestRate = 0

  init(_ limits: HTTP2Limits) {
    size = limits.streamWindow
    maximum = max(limits.maxStreamWindow, limits.streamWindow)
    pause = size < maximum ? size / 2 : .max
  }

  /// Notes that handlers have taken `count` bytes.
  /// - Returns: whether a PING is worth while now.
  @inline(__always)
  mutating func took(_ count: Int) -> Bool {
    taken &+= count
    return taken >= pause && sentAt == nil
  }

  /// The PING is on its way.
  mutating func asked(_ now: Int64) {
    sentAt = now
    taken = 0
  }

  /// The answer is there.
  /// - Returns: whether the window has grown.
  mutating func answered(_ now: Int64) -> Bool {
    guard let sentAt else { return false }
    let microseconds = Int(max((now - sentAt) / 1000, 1))
    let count = min(taken, Self.countLimit)
    let rate = count * 1000 / microseconds
    self.sentAt = nil
    taken = 0
    if count >= size / 3 * 2, rate > bestRate, size < maximum {
      bestRate = rate
      let grown = min(max(2 * count, size), maximum)
      defer { size = grown }
      pause = grown < maximum ? grown / 2 : .max
      return grown > size
    }
    bestRate = max(bestRate, rate)
    // It is large enough for now: ask more seldom.
    pause = min(pause * 2, size * HTTP2Limits.windowPause)
    return false
  }

  /// Keeps products in range.
  private static let countLimit = 1 << 50
}
