internal import Base

/// Where a page begins. Its values go into a page token that is signed (the domain kit's), and come back from there.
///
/// The promise, for `SearchLimits.cursorLifetime` and on every node: the pages are those of one state of the index, that of
/// the first page, whatever is added, changed or removed meanwhile. No hit is repeated and none is missed, except that what
/// was removed, or has lost a tag that was asked for, is left out. Later the cursor is refused.
///
/// What the nodes go by are clocks: what is written within `SearchLimits.clockDifference` of the first page, or by a
/// transaction that was under way then, may come as it was before or after it.
public struct SearchCursor: Sendable, Equatable {
  /// Under which the nodes remember the list.
  let list: Int64
  /// How many hits the pages before have gone through.
  let offset: Int64
  let last: SearchHit
  let query: Int64
  /// When the first page was made.
  let madeAt: Instant
  /// What a hit must have, with the weights of the first page.
  let groups: [SearchScan.Group]
  /// Whether the first page looked at all completions of the last word.
  let hasAllWords: Bool

  init(
    list: Int64, offset: Int64, last: SearchHit, query: Int64, madeAt: Instant, groups: [SearchScan.Group],
    hasAllWords: Bool
  ) {
    self.list = list
    self.offset = offset
    self.last = last
    self.query = query
    self.madeAt = madeAt
    self.groups = groups
    self.hasAllWords = hasAllWords
  }

  /// So many hits further on.
  func moved(by count: Int, to last: SearchHit) -> SearchCursor {
    SearchCursor(
      list: list, offset: offset + Int64(count), last: last, query: query, madeAt: madeAt, groups: groups,
      hasAllWords: hasAllWords)
  }

  // MARK: - Values

  /// - Returns: nil for values that are no cursor's.
  public init?(_ values: [SQLValue]) {
    var numbers: [Int64] = []
    for value in values {
      guard case .integer(let number) = value else { return nil }
      numbers.append(number)
    }
    guard numbers.count >= 7, numbers[1] >= 0, let groups = Self.groups(numbers[7...]) else { return nil }
    self.init(
      list: numbers[0], offset: numbers[1], last: SearchHit(id: numbers[2], score: numbers[3]), query: numbers[4],
      madeAt: Instant(nanoseconds: numbers[5]), groups: groups, hasAllWords: numbers[6] != 0)
  }

  /// For the page token: up to a hundred.
  public var values: [SQLValue] {
    let place = [list, offset, last.id, last.score, query, madeAt.nanoseconds, hasAllWords ? 1 : 0]
    return (place + groups.flatMap { [Int64($0.keys.count), $0.weight] + $0.keys }).map { .integer($0) }
  }

  /// The reverse of how `values` has them: of each how many keys there are, the weight, and the keys.
  private static func groups(_ numbers: ArraySlice<Int64>) -> [SearchScan.Group]? {
    var groups: [SearchScan.Group] = []
    var rest = numbers
    while let count = rest.popFirst() {
      guard let weight = rest.popFirst(), weight >= 0, count >= 0, count <= Int64(rest.count),
        groups.count < SearchLimits.queryWords
      else { return nil }
      groups.append(SearchScan.Group(keys: Array(rest.prefix(Int(count))), weight: weight))
      rest = rest.dropFirst(Int(count))
    }
    return groups
  }
}
