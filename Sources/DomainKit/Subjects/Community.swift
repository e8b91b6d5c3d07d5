public import Base
public import Storage

/// What users are to each other, and what moderators have forbidden them. The social domain implements it.
public protocol Community: Sendable {
  /// Whether one of two users has blocked the other. What one of them owns is then hidden from the other:
  /// `SubjectRegistry` asks for all domains.
  func isBlocked(_ a: Identifier, _ b: Identifier, in reader: any Reader) throws -> Bool

  /// Whether a user wants to hear nothing of another one.
  func hasMuted(_ user: Identifier, _ other: Identifier, in reader: any Reader) throws -> Bool

  /// Those of some people whom a user is not to hear: whom the user has blocked or muted, and who have blocked the user.
  func unheard(by user: Identifier, among others: Set<Identifier>, in reader: any Reader) throws -> Set<Identifier>

  /// Whether a user follows something; a request that waits does not count.
  func isFollowing(_ user: Identifier, _ subject: SubjectID, in reader: any Reader) throws -> Bool

  /// Until when a user may not post; nil for one who may. `Kit.mutate` asks for methods whose policy says that they post.
  func restriction(of user: Identifier, in reader: any Reader) throws -> Instant?

  /// Whether moderators have decided that nobody sees a thing any more, and nobody has overturned that.
  func isRemoved(_ subject: SubjectID, in reader: any Reader) throws -> Bool
}

extension Community {
  public func unheard(
    by user: Identifier, among others: Set<Identifier>, in reader: any Reader
  ) throws -> Set<Identifier> {
    try others.filter { try isBlocked(user, $0, in: reader) || hasMuted(user, $0, in: reader) }
  }
}

/// The community of a kit: domains that are made before the social domain ask it as well as those after it. Where there is
/// no social domain, nobody has said anything of anybody.
///
/// Linked once, before the first call; safe to share between threads.
public final class CommunityLink: Community {
  private struct Target: Sendable {
    let community: any Community
    let reads: (any CommunityReads)?
  }

  private let target = Locked<Target?>(nil)

  public init() {}

  /// Says who answers. Once.
  /// - Parameter reads: knows what people have said about things; nil where nobody says anything.
  public func link(to community: any Community, reads: (any CommunityReads)? = nil) {
    target.withLock { target in
      precondition(target == nil, "two communities")
      target = Target(community: community, reads: reads)
    }
  }

  private var community: (any Community)? { target.withLock { $0?.community } }
  private var reads: (any CommunityReads)? { target.withLock { $0?.reads } }

  public func isBlocked(_ a: Identifier, _ b: Identifier, in reader: any Reader) throws -> Bool {
    try community?.isBlocked(a, b, in: reader) ?? false
  }

  public func hasMuted(_ user: Identifier, _ other: Identifier, in reader: any Reader) throws -> Bool {
    try community?.hasMuted(user, other, in: reader) ?? false
  }

  public func unheard(
    by user: Identifier, among others: Set<Identifier>, in reader: any Reader
  ) throws -> Set<Identifier> {
    try community?.unheard(by: user, among: others, in: reader) ?? []
  }

  public func isFollowing(_ user: Identifier, _ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try community?.isFollowing(user, subject, in: reader) ?? false
  }

  public func restriction(of user: Identifier, in reader: any Reader) throws -> Instant? {
    try community?.restriction(of: user, in: reader)
  }

  public func isRemoved(_ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try community?.isRemoved(subject, in: reader) ?? false
  }
}

extension CommunityLink: CommunityReads {
  public func counts(of subjects: [SubjectID], in reader: any Reader) throws -> [SubjectID: SubjectCounts] {
    try reads?.counts(of: subjects, in: reader) ?? [:]
  }

  public func followed(
    by user: Identifier, kind: String, after: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [Identifier] {
    try reads?.followed(by: user, kind: kind, after: after, limit: limit, in: reader) ?? []
  }

  public func reactions(of user: Identifier, to subject: SubjectID, in reader: any Reader) throws -> [ReactionMade] {
    try reads?.reactions(of: user, to: subject, in: reader) ?? []
  }

  public func reactions(
    of user: Identifier, _ sort: ReactionSort, on kind: String, before: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [ReactionMade] {
    try reads?.reactions(of: user, sort, on: kind, before: before, limit: limit, in: reader) ?? []
  }

  public func reactionsOfFollowed(
    by user: Identifier, _ sort: ReactionSort, on kind: String, since: Instant, limit: Int, in reader: any Reader
  ) throws -> [ReactionMade] {
    try reads?.reactionsOfFollowed(by: user, sort, on: kind, since: since, limit: limit, in: reader) ?? []
  }
}
