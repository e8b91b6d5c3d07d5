public import Base
public import Storage

/// How a domain lets its things of one kind be found by their words.
///
/// What is found is a function of the domain's rows and of nothing else: the search domain asks for it in the
/// transaction that changes them, when it builds its index anew, and when it is audited.
public protocol FindableKind: Sendable {
  /// The prefix of the printed ids, such as `prod`. The domain has a `SubjectKind` of this prefix.
  var prefix: String { get }

  /// What is found of a thing; nil for one that is not there or not to be found.
  func entry(of id: Identifier, in reader: any Reader) throws -> FindableEntry?

  /// The things that there are, also those that are not to be found, by rising id.
  /// - Parameter id: only those after it.
  func things(after id: Identifier, limit: Int, in reader: any Reader) throws -> [Identifier]
}

/// What is found of one thing.
public struct FindableEntry: Sendable, Equatable {
  /// What a hit shows first. Its words count three times.
  public var title: String
  /// What a hit shows below.
  public var summary: String
  /// Further words to be found by, not shown.
  public var words: String
  /// What hits are filtered by and counted, such as `category/shoes`; at most `tagLimit`, each with a slash.
  public var tags: [String]
  /// A factor of the relevance, from 1/16 to 16.
  public var boost: Double
  /// What the domain's own searches are narrowed and ordered by, by position: a price, an instant; at most `numberLimit`.
  public var numbers: [Int64]
  /// The words are a person's, so none of them may outlive the entry. They are found, but not suggested.
  public var isPersonal: Bool

  /// How many tags an entry has at most.
  public static let tagLimit = 32
  /// How many numbers an entry has at most.
  public static let numberLimit = 16

  public init(
    title: String, summary: String = "", words: String = "", tags: [String] = [], boost: Double = 1,
    numbers: [Int64] = [], isPersonal: Bool = false
  ) {
    self.numbers = numbers
    self.title = title
    self.summary = summary
    self.words = words
    self.tags = tags
    self.boost = boost
    self.isPersonal = isPersonal
  }
}

/// Keeps what is found in step with the domains' rows. The search domain implements it.
public protocol Findables: Sendable {
  /// Puts what is found of a thing as the transaction leaves it.
  func update(_ subject: SubjectID, in writer: any Writer) throws

  /// Finds things of one kind for a domain that ranks them itself, in its own transaction. Who may see them is not asked.
  /// - Returns: the most relevant ones, best first.
  /// - Throws: a refusal with INVALID_REQUEST for a text that cannot be looked for.
  func find(_ query: FindableQuery, limit: Int, in reader: any Reader) throws -> [FoundThing]

  /// Finds things of one kind page by page. For ten minutes and on any node the pages are those of one state of the index: no
  /// thing is repeated or missed, whatever changes meanwhile; one that has gone, or has lost a tag or left a range, is left
  /// out. A page token has up to 1,300 characters.
  /// - Parameters:
  ///   - size: from 1 to `FindableQuery.pageLimit`.
  ///   - key: `next` of the page before, of an equal query, by way of a page token (`Page.after`); nil for the first page.
  /// - Throws: like `find`; a refusal with PAGE_EXPIRED if the first page is longer ago, more than some thousand things have changed since,
  ///   or the index was built anew.
  func page(_ query: FindableQuery, size: Int, after key: [SQLValue]?, in reader: any Reader) throws -> FoundPage
}

/// Things that were found, and where the next page begins.
public struct FoundPage: Sendable, Equatable {
  public let things: [FoundThing]
  /// For `Page.token(after:)`; nil after the last page.
  public let next: [SQLValue]?
  /// Whether more than the index looks at for one query has the words and tags, so that these are the first of the newest.
  public let isEstimated: Bool
  /// Whether nothing has the words as they are, and these have words near to them.
  public let isCorrected: Bool

  public init(things: [FoundThing] = [], next: [SQLValue]? = nil, isEstimated: Bool = false, isCorrected: Bool = false)
  {
    (self.things, self.next, self.isEstimated, self.isCorrected) = (things, next, isEstimated, isCorrected)
  }
}

/// What a domain looks for among its own things.
public struct FindableQuery: Sendable, Equatable {
  /// The most that one search gives, over all pages.
  public static let limit = 1000
  /// The most that one page gives.
  public static let pageLimit = SearchLimits.pageSize

  /// The prefix of the things' ids.
  public var kind: String
  /// Words, all of which a thing has; if nothing has them all, words that they may be misspellings of. Empty: whatever has the
  /// tags.
  public var text: String
  public var tags: [String]
  /// Ranges of the entries' numbers, by position.
  public var ranges: [Int: ClosedRange<Int64>]
  /// Whether the last word may be the beginning of one.
  public var completesLastWord: Bool
  /// What comes first: the cheapest by `.rising(0)`, say, if entries have their price as number 0.
  public var order: SearchOrder

  public init(
    _ kind: String, _ text: String, tags: [String] = [], ranges: [Int: ClosedRange<Int64>] = [:],
    completesLastWord: Bool = false, order: SearchOrder = .relevance
  ) {
    self.order = order
    (self.kind, self.text, self.tags, self.ranges) = (kind, text, tags, ranges)
    self.completesLastWord = completesLastWord
  }
}

/// A thing that was found.
public struct FoundThing: Sendable, Equatable {
  public let id: Identifier
  /// BM25 × boost; greater is better. 0 in a query with another order.
  public let relevance: Double

  public init(id: Identifier, relevance: Double) {
    (self.id, self.relevance) = (id, relevance)
  }
}

/// The search domain as other domains reach it. Nothing is found until it is linked.
public final class FindablesLink: Findables, SubjectObserver {
  private let target = Locked<(any Findables)?>(nil)

  /// Once, before the first call.
  public func link(to findables: any Findables) {
    target.withLock { target in
      precondition(target == nil, "there is one search domain")
      target = findables
    }
  }

  /// To be called in each transaction that changes what is found of a thing; after the change. A change of who may see
  /// it, which `SubjectRegistry.visibilityChanged` is told, is enough by itself.
  public func update(_ subject: SubjectID, in writer: any Writer) throws {
    try target.withLock { $0 }?.update(subject, in: writer)
  }

  public func find(_ query: FindableQuery, limit: Int, in reader: any Reader) throws -> [FoundThing] {
    try target.withLock { $0 }?.find(query, limit: limit, in: reader) ?? []
  }

  public func page(
    _ query: FindableQuery, size: Int, after key: [SQLValue]?, in reader: any Reader
  ) throws -> FoundPage {
    try target.withLock { $0 }?.page(query, size: size, after: key, in: reader) ?? FoundPage()
  }

  public func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {
    try update(subject, in: writer)
  }
}
