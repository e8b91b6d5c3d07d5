public import Base
public import Storage

/// What people have said and done about things, as domains read it in their own transaction to show it, or to rank by it.
/// The social domain implements it; `Kit.community` reaches it.
///
/// Nothing of it asks who may know. What a user keeps (`ReactionSort.save`) is for that user's own eyes; what it is used
/// for beyond that, the domain answers for.
public protocol CommunityReads: Sendable {
  /// What is counted of things; a thing of which nothing was ever said is not in it.
  func counts(of subjects: [SubjectID], in reader: any Reader) throws -> [SubjectID: SubjectCounts]

  /// What a user follows of one kind, by rising id. Requests that wait are not among it.
  /// - Parameters:
  ///   - kind: the prefix, such as `user`.
  ///   - after: only those after it; nil for the first page.
  func followed(
    by user: Identifier, kind: String, after: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [Identifier]

  /// A user's reactions to one thing, at most one of each sort.
  func reactions(of user: Identifier, to subject: SubjectID, in reader: any Reader) throws -> [ReactionMade]

  /// A user's reactions of one sort to things of one kind, newest first.
  /// - Parameter before: the `id` of the last one of the page before; nil for the first page.
  func reactions(
    of user: Identifier, _ sort: ReactionSort, on kind: String, before: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [ReactionMade]

  /// The reactions of one sort to things of one kind that the people whom a user follows have made since an instant, newest
  /// first.
  func reactionsOfFollowed(
    by user: Identifier, _ sort: ReactionSort, on kind: String, since: Instant, limit: Int, in reader: any Reader
  ) throws -> [ReactionMade]
}

/// What is counted of one thing.
public struct SubjectCounts: Sendable, Equatable {
  public var likes: Int64 = 0
  /// Those who keep it.
  public var saves: Int64 = 0
  /// Those who gave it an emoji, by emoji.
  public var emojis: [String: Int64] = [:]
  /// Visible comments on it and replies to them.
  public var comments: Int64 = 0
  /// Links to it that lead there.
  public var shares: Int64 = 0
  public var followers: Int64 = 0
  /// What it follows itself, if it is a user.
  public var following: Int64 = 0
  /// Visible reviews.
  public var reviews: Int64 = 0
  /// The sum of their scores.
  public var scoreSum: Int64 = 0

  public init() {}
}

/// What a reaction is.
public enum ReactionSort: Int64, Sendable, CaseIterable {
  /// Once a user.
  case like = 1
  /// One emoji a user.
  case emoji = 2
  /// Kept for oneself.
  case save = 3

  /// What the kind of a thing calls it.
  public var option: ReactionKinds {
    switch self {
    case .like: .like
    case .emoji: .emoji
    case .save: .save
    }
  }
}

/// A user's reaction to a thing.
public struct ReactionMade: Sendable, Equatable {
  /// When in the order of all it was made.
  public let id: Identifier
  public let user: Identifier
  public let subject: SubjectID
  public let sort: ReactionSort
  /// Empty but for an emoji.
  public let emoji: String
  public let madeAt: Instant

  public init(
    id: Identifier, user: Identifier, subject: SubjectID, sort: ReactionSort, emoji: String, madeAt: Instant
  ) {
    (self.id, self.user, self.subject, self.sort) = (id, user, subject, sort)
    (self.emoji, self.madeAt) = (emoji, madeAt)
  }
}
