internal import Base

/// gzip (RFC 1952) of whole messages in memory. From any thread.
///
/// zlib's states are large (a compressor has 256 KiB) and costly to make, so they are kept for the next message: as many
/// as there were threads at work at once, `CompressionLimits.retainedStates` at most. A message takes no other memory than its output.
public enum Gzip {
  private static let deflaters = StatePool<Deflater>()
  private static let inflaters = StatePool<Inflater>()

  /// Compresses `input`.
  /// - Parameter headroom: octets of any value to put before the result, for the caller to fill.
  /// - Returns: nil if the result would not be smaller than `input`.
  public static func compress(_ input: Span<UInt8>, headroom: Int = 0) -> [UInt8]? {
    deflaters.with { $0.compress(input, headroom: headroom) }
  }

  /// Decompresses `input`: one or more members, and nothing behind them.
  /// - Parameter limit: the greatest size of the result in bytes. What goes beyond is never produced, whatever `input`
  ///   would grow to.
  public static func decompress(_ input: Span<UInt8>, limit: Int) throws(GzipError) -> [UInt8] {
    try inflaters.with { (inflater) throws(GzipError) in try inflater.decompress(input, limit: limit) }
  }
}

/// Why something cannot be decompressed.
public enum GzipError: Error, Equatable {
  /// Not gzip, cut short, changed on its way, or followed by something else.
  case corrupt
  /// The result is larger than the limit.
  case tooLarge(limit: Int)
}

/// What a pool makes and keeps.
protocol PooledState: AnyObject {
  init()
}

/// States that nobody uses at the moment.
///
/// Not by thread: an event loop would keep its states for ever, also those that it needed once.
final class StatePool<State: PooledState>: @unchecked Sendable {
  // Unchecked because the compiler cannot see that a state has one user: who took it out of the list.
  private struct Idle: @unchecked Sendable {
    // Unchecked for the same reason.
    var states: [State] = []
  }

  private let idle = Locked(Idle())

  func with<Result, Failure: Error>(_ body: (State) throws(Failure) -> Result) throws(Failure) -> Result {
    let state = take() ?? State()
    defer { giveBack(state) }
    return try body(state)
  }

  /// How many are kept now.
  var count: Int { idle.withLock { $0.states.count } }

  private func take() -> State? {
    nonisolated(unsafe) var taken: State?  // Written inside the lock only.
    idle.withLock { taken = $0.states.popLast() }
    return taken
  }

  private func giveBack(_ state: State) {
    nonisolated(unsafe) let state = state  // The caller does not use it any more.
    idle.withLock { idle in
      if idle.states.count < CompressionLimits.retainedStates { idle.states.append(state) }
    }
  }
}
