/// What a session remembers of streams that are not open any more, within bounds.
///
/// Opening a stream closes all lower ones that were never opened (RFC 9113 §5.1.1), so HEADERS on one of those are an
/// error of the connection. On a stream that this side has reset, the peer's frames may be under way still and are
/// ignored; on any other closed stream they are an error of the stream (§5.1).
struct StreamIDHistory {
  /// The highest id that the peer has opened.
  private(set) var highest: Int32 = 0
  private var skipped: [ClosedRange<Int32>] = []
  /// A ring of the streams that were reset last.
  private var reset: [Int32] = []
  private var oldestReset = 0
  private let maxReset: Int

  /// - Parameter maxReset: beyond these the oldest is forgotten, and frames on it are answered with RST_STREAM again.
  init(maxReset: Int) {
    self.maxReset = maxReset
  }

  /// How many ranges the peer has passed over. All are remembered: whoever counts them ends the session in time.
  var skippedRanges: Int { skipped.count }

  /// The peer opens a stream above all others.
  /// - Returns: whether it has passed over some that were next.
  mutating func opened(_ id: Int32) -> Bool {
    // Clients count in odd numbers, from 1.
    let expected = highest == 0 ? 1 : highest + 2
    highest = id
    guard id > expected else { return false }
    skipped.append(expected...(id - 1))
    return true
  }

  /// Whether a stream below the highest was passed over.
  func wasSkipped(_ id: Int32) -> Bool {
    !skipped.isEmpty && skipped.contains { $0.contains(id) }
  }

  /// This side has reset a stream.
  mutating func noteReset(_ id: Int32) {
    if reset.count < maxReset {
      reset.append(id)
    } else if maxReset > 0 {
      reset[oldestReset] = id
      oldestReset = (oldestReset + 1) % maxReset
    }
  }

  /// Whether this side has reset the stream, not too long ago.
  func wasReset(_ id: Int32) -> Bool { reset.contains(id) }
}
