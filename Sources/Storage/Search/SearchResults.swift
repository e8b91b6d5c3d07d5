internal import Base

/// The result lists that a node remembers, so that further pages show the snapshot of the first. Safe to share.
final class SearchResults: Sendable {
  private struct List: Sendable {
    let query: Int64
    let hits: [SearchHit]
    let isComplete: Bool
    let latest: Instant?
    let expiresAt: Instant
  }

  private let lists = Locked(BoundedCache<Int64, List>(capacity: SearchLimits.resultLists))
  private let clock: any WallClock
  private let random: any RandomSource

  init(clock: any WallClock, random: any RandomSource) {
    self.clock = clock
    self.random = random
  }

  /// - Parameter latest: what was changed later has still to be left out of the list; nil: nothing has.
  /// - Returns: the number under which the list is found again.
  func keep(_ hits: [SearchHit], isComplete: Bool, query: Int64, latest: Instant?) -> Int64 {
    let id = Int64(bitPattern: random.next())
    let list = List(
      query: query, hits: hits, isComplete: isComplete, latest: latest,
      expiresAt: clock.now() + SearchLimits.resultListLifetime)
    lists.withLock { $0[id] = list }
    return id
  }

  /// Nil if the list is too old, was pushed out, or is another node's.
  func list(_ id: Int64, query: Int64) -> (hits: [SearchHit], isComplete: Bool, latest: Instant?)? {
    guard let list = lists.withLock({ $0[id] }), list.query == query, list.expiresAt > clock.now() else { return nil }
    return (list.hits, list.isComplete, list.latest)
  }
}
