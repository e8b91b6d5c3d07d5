/// What a session remembers of streams that are not open any more, within bounds.
///
/// Opening a stream closes all lower ones that were never opened (RFC 9113 §5.1.1), so HEADERS on one of those are an
/// error of the connection. On a stream that this side has reset, the peer's frames may be under way still and are
/// ignored; on any other closed stream they are an error of the stream (§5.1).
struct StreamIDHistory {
  /// The highest id that the peer has opened.
  private(set) var highest: Int32 = 0
  private var skipped: [ClosedRange<Int32>] = []
  private let maxRanges: Int
  /// A ring of the streams that were reset last.
  private var reset: [Int32] = []
  private var oldestReset = 0
  private let maxReset: Int

  /// - Parameters:
  ///   - maxRanges: beyond these the oldest skipped range is forgotten, and HEADERS in it count as those of a closed
  ///     stream.
  ///   - maxReset: beyond these the oldest is forgotten, and frames on it are answered with RST_STREAM again.
  init(maxRanges: Int, maxReset: Int) {
    self.maxRanges = maxRanges
    self.maxReset = maxReset
  }

  /// The peer opens a stream above all others.
  mutating func opened(_ id: Int32) {
    // Clients count in odd numbers, from 1.
    let expected = highest == 0 ? 1 : highest + 2
    if id > expected {
      skipped.append(expected...(id - 1))
      if skipped.count > maxRanges { skipped.removeFirst() }
    }
    highest = id
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
