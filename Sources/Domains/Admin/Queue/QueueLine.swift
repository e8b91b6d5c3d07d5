import Base
import DomainKit

/// Who waits in an open queue, in order, in memory. It is made from the rows and loses nothing with them: who gave up or was
/// given up is found out when the turn comes.
struct QueueLine: Sendable {
  struct Spot: Sendable {
    let key: QueueOrder.Key
    let place: QueuePlace
  }

  let order: QueueOrder
  private(set) var spots: [Spot]
  /// Up to where those who came later are known.
  private(set) var lastSequence: Int64 = 0

  /// - Parameter lobby: all who wait in the lobby, in any order.
  init(_ order: QueueOrder, lobby: [QueuePlace]) {
    self.order = order
    spots = lobby.map { Spot(key: order.key(of: $0), place: $0) }.sorted { $0.key < $1.key }
  }

  /// Adds those who came later than all that are known, in their order.
  mutating func append(_ later: [QueuePlace]) {
    spots += later.map { Spot(key: order.key(of: $0), place: $0) }
    if let last = later.last { lastSequence = last.sequence }
  }

  /// Forgets those whose turn it was.
  mutating func drop(upTo called: QueueOrder.Key?) {
    let count = index(after: called)
    // Half of them at least, so that the rest is rarely moved.
    if count > spots.count / 2 { spots.removeFirst(count) }
  }

  /// Where those begin whose turn it was not yet.
  func index(after called: QueueOrder.Key?) -> Int {
    guard let called else { return 0 }
    return firstIndex { called < $0 }
  }

  /// How many there are up to and with a place, of those whose turn it was not yet.
  func number(of key: QueueOrder.Key, after called: QueueOrder.Key?) -> Int64 {
    Int64(firstIndex { key < $0 } - index(after: called))
  }

  /// The first spot for which `isBeyond` holds, which it then does for all that follow.
  private func firstIndex(where isBeyond: (QueueOrder.Key) -> Bool) -> Int {
    var (low, high) = (0, spots.count)
    while low < high {
      let middle = (low + high) / 2
      if isBeyond(spots[middle].key) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
