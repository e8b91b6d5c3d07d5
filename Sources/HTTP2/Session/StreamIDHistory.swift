/// Which stream ids a client has skipped. Opening an id closes all lower ones that were never opened (RFC 9113
/// §5.1.1), so HEADERS on one of those are an error of the connection; HEADERS on a stream that did exist are not
/// always.
struct StreamIDHistory {
  private var highest: Int32 = 0
  private var skipped: [ClosedRange<Int32>] = []
  private let maxRanges: Int

  /// - Parameter maxRanges: beyond these the oldest range is forgotten, and an error in it passes unnoticed.
  init(maxRanges: Int) {
    self.maxRanges = maxRanges
  }

  /// Whether HEADERS may come on this id, which counts as opened from now on.
  mutating func mayCarryHeaders(_ id: Int32) -> Bool {
    if id > highest {
      // Clients count in odd numbers, from 1.
      let expected = highest == 0 ? 1 : highest + 2
      if id > expected {
        if skipped.count == maxRanges { skipped.removeFirst() }
        skipped.append(expected...(id - 1))
      }
      highest = id
      return true
    }
    return skipped.isEmpty || !skipped.contains { $0.contains(id) }
  }
}
