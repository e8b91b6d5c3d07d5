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
  /// The first page is longer ago than `SearchLimits.cursorLifetime`, or too much has changed since to tell what it would
  /// have gone on with.
  case cursorExpired
}
