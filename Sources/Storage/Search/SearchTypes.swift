internal import Base

/// What an index holds of a document.
public struct SearchDocument: Sendable {
  public var id: Int64
  /// The text of each field; fields that are not named have none.
  public var texts: [String: String]
  /// Owner, visibility, category: what queries filter by, for exact match.
  public var tags: [String]
  /// What queries filter by range, and by position: a price, an instant.
  public var numbers: [Int64]
  /// A factor of the relevance, from 1/16 to 16.
  public var boost: Double
  /// Its words are about a person: they are stored as hashes alone, so that nothing of them is left when the document
  /// is gone. They are found, and completed, but not suggested.
  public var isPersonal: Bool

  public init(
    id: Int64, texts: [String: String], tags: [String] = [], numbers: [Int64] = [], boost: Double = 1,
    isPersonal: Bool = false
  ) {
    self.id = id
    self.texts = texts
    self.tags = tags
    self.numbers = numbers
    self.boost = boost
    self.isPersonal = isPersonal
  }
}

/// Which hits come first; ties by lower id.
public enum SearchOrder: Sendable, Hashable {
  case relevance
  /// Those whose number at a position is least; then those that have none.
  case rising(Int)
  /// Those whose number at a position is greatest; then those that have none.
  case falling(Int)

  var position: Int? {
    switch self {
    case .relevance: nil
    case .rising(let position), .falling(let position): position
    }
  }

  /// What a document scores by its number: a score is greater the earlier its hit comes.
  func score(of number: Int64?) -> Int64 {
    guard let number else { return .min }
    // Turns the order around without an overflow.
    return if case .rising = self { ~number } else { number }
  }
}

/// What is looked for: documents that have all words and all tags.
public struct SearchQuery: Sendable, Hashable {
  /// Any text; no character in it has a special meaning. Empty: whatever has the tags, by boost.
  public var text: String
  /// All of them must be there.
  public var tags: [String]
  /// Ranges of the document's numbers, by position.
  public var ranges: [Int: ClosedRange<Int64>]
  /// Whether the last word may be the beginning of one, as in a search while typing.
  public var completesLastWord: Bool
  /// Whether words are taken for misspelt ones if nothing has them all as they are: each may then be one that it is near to,
  /// as `SearchIndex.suggest` has it.
  public var correctsWords: Bool
  /// Tags to count among the hits.
  public var facets: [String]
  public var order: SearchOrder

  public init(
    _ text: String, tags: [String] = [], ranges: [Int: ClosedRange<Int64>] = [:], completesLastWord: Bool = false,
    correctsWords: Bool = false, facets: [String] = [], order: SearchOrder = .relevance
  ) {
    self.order = order
    self.correctsWords = correctsWords
    self.text = text
    self.tags = tags
    self.ranges = ranges
    self.completesLastWord = completesLastWord
    self.facets = facets
  }
}

/// One document that was found.
public struct SearchHit: Sendable, Equatable {
  public let id: Int64
  /// Greater is better; comparable within one query only. Of a query with an order of its own it tells that order.
  public let score: Int64
}

/// One page of hits, those that come first in the query's order first.
public struct SearchPage: Sendable {
  public let hits: [SearchHit]
  /// Where the next page begins; nil after the last.
  public let next: SearchCursor?
  /// Whether the hits are the best of all that match, and counts are exact. Else so many of the newest documents were
  /// looked at as have `SearchLimits.postings`, or not all completions of the last word: counts are lower bounds.
  public let isComplete: Bool
  /// How many of the hits have each tag of `SearchQuery.facets`. On the first page only.
  public let facets: [String: Int]
  /// Whether nothing has the words as they are, and these have words near to them.
  public let isCorrected: Bool
}

/// Where a page begins. Its values go into a page token that is signed (the domain kit's), and come back from there.
///
/// The promise: on the node that made the first page, for `SearchLimits.resultListLifetime` and while not more than
/// `SearchLimits.resultLists` lists are newer, the pages are those of one snapshot, whatever is added, changed or
/// removed meanwhile: no hit is repeated and none is missed, except that what was removed, or has lost a tag that was
/// asked for, is left out. Later or elsewhere the list is made anew with the first page's weights of words, goes on
/// behind the last hit, and leaves out what was added or changed after the first page: what has not changed since is
/// neither repeated nor missed, and nothing new comes in between, but for what was written within
/// `SearchLimits.clockDifference` of the first page, or by a transaction that was under way then.
public struct SearchCursor: Sendable, Equatable {
  let list: Int64
  let offset: Int64
  let last: SearchHit
  let query: Int64
  let weights: [Int64]
  /// What was changed later was not there for the first page; nil in a cursor of a program that did not say so.
  let latest: Instant?

  init(list: Int64, offset: Int64, last: SearchHit, query: Int64, weights: [Int64], latest: Instant?) {
    self.list = list
    self.offset = offset
    self.last = last
    self.query = query
    self.weights = weights
    self.latest = latest
  }

  /// - Returns: nil for values that are no cursor's.
  public init?(_ values: [SQLValue]) {
    var numbers: [Int64] = []
    for value in values {
      guard case .integer(let number) = value else { return nil }
      numbers.append(number)
    }
    guard numbers.count >= 5, numbers[1] >= 0 else { return nil }
    // No weight is negative, so a negative number behind them is the time. Earlier programs have none, and take this one
    // for a weight of a word that is not there.
    var weights = Array(numbers[5...])
    let latest = weights.last.flatMap { $0 < 0 && $0 > .min ? Instant(nanoseconds: -$0) : nil }
    if latest != nil { weights.removeLast() }
    guard weights.count <= SearchLimits.queryWords, weights.allSatisfy({ $0 >= 0 }) else { return nil }
    self.init(
      list: numbers[0], offset: numbers[1], last: SearchHit(id: numbers[2], score: numbers[3]), query: numbers[4],
      weights: weights, latest: latest)
  }

  /// For the page token.
  public var values: [SQLValue] {
    ([list, offset, last.id, last.score, query] + weights + (latest.map { [-$0.nanoseconds] } ?? []))
      .map { .integer($0) }
  }
}

/// A query that is refused. Nothing was looked up.
public enum SearchError: Error, Sendable, Equatable {
  /// More than `SearchLimits.queryBytes`.
  case queryTooLong
  /// More than `SearchLimits.queryWords`.
  case tooManyWords
  /// Neither a letter, nor a digit, nor a tag.
  case nothingToSearch
  /// More tags and ranges than `SearchLimits.filters`, or a position that no document has.
  case tooManyFilters
  /// More than `SearchLimits.facets`.
  case tooManyFacets
  /// Below 1 or above `SearchLimits.pageSize`.
  case badPageSize
  /// The cursor was made for another query.
  case foreignCursor
}
