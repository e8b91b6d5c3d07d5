internal import Base

/// What a search has found, in its order, from some place on.
struct SearchResultList: Sendable {
  let query: Int64
  let hits: [SearchHit]
  let isComplete: Bool
  /// The list goes on behind this hit; nil: it is whole.
  let after: SearchHit?

  /// Where the hits begin that follow another one; nil if the list begins behind them.
  func place(after last: SearchHit) -> Int? {
    if let after, SearchTop.isBefore(last, after) { return nil }
    var (low, high) = (0, hits.count)
    while low < high {
      let middle = (low + high) / 2
      if SearchTop.isBefore(last, hits[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// The result lists that a node remembers, so that further pages need no further search. Safe to share.
final class SearchResults: Sendable {
  private let lists = Locked(BoundedCache<Int64, SearchResultList>(capacity: SearchLimits.resultLists))

  /// - Parameter id: by which all nodes know it.
  func keep(_ list: SearchResultList, as id: Int64) {
    lists.withLock { $0[id] = list }
  }

  /// Nil if the list was pushed out or not made here, or begins behind the cursor.
  func list(for cursor: SearchCursor) -> SearchResultList? {
    guard let list = lists.withLock({ $0[cursor.list] }), list.query == cursor.query,
      list.place(after: cursor.last) != nil
    else { return nil }
    return list
  }
}
