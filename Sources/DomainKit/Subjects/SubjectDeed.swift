public import Base

/// What somebody has done with a thing.
public struct SubjectDeed: Sendable, Equatable {
  /// What was done.
  public enum What: Sendable, Equatable {
    /// A like, an emoji (the text is empty for the others), or kept. Another emoji in the place of one is two deeds.
    case reaction(ReactionSort, emoji: String)
    /// Followed; a request counts once it is accepted.
    case follow
    /// A comment or reply can be seen, `cmt_…`.
    case comment(Identifier)
    /// A review can be seen, `rev_…`. Another score in the place of one is two deeds.
    case review(Identifier, score: Int32)
    /// A link was made, `link_…`.
    case share(Identifier)
    /// Came by somebody's link, once for each link.
    case arrival(Identifier, maker: Identifier)
    /// Reported to the moderators. Who did is nobody's business but theirs: say nothing of it.
    case report
  }

  public let what: What
  /// Who did it.
  public let user: Identifier
  /// Whether it is so no more: taken back, removed, or erased with its user.
  public let isTakenBack: Bool

  public init(_ what: What, by user: Identifier, isTakenBack: Bool = false) {
    self.what = what
    self.user = user
    self.isTakenBack = isTakenBack
  }
}
