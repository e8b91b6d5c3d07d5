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
  /// The words are a person's, so none of them may outlive the entry. They are found, but not suggested.
  public var isPersonal: Bool

  /// How many tags an entry has at most.
  public static let tagLimit = 32

  public init(
    title: String, summary: String = "", words: String = "", tags: [String] = [], boost: Double = 1,
    isPersonal: Bool = false
  ) {
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

  public func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {
    try update(subject, in: writer)
  }
}
