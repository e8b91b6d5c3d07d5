public import Base
public import Storage

/// Links that users give away, which credit whoever made them. The social domain implements it; all of it runs in the
/// caller's transaction.
public protocol ShareLinks: Sendable {
  /// Makes a user's link to a thing that the user may see, or gives the one that there is.
  /// - Throws: `KitError.notFound`, `.dayLimitExceeded`.
  func make(to subject: SubjectID, by caller: Caller, in writer: any Writer) throws -> SharedLink

  /// What a token leads to; nil for one that leads nowhere, or to what the caller may not see.
  /// - Parameter caller: nil for somebody without credentials.
  func find(_ token: String, for caller: Caller?, in reader: any Reader) throws -> SharedLink?

  /// The same for somebody who follows the link: it counts once for each user, and never for its maker.
  func follow(_ token: String, by caller: Caller, in writer: any Writer) throws -> SharedLink?

  /// The links that have brought a user, the first one first.
  func arrivals(of user: Identifier, limit: Int, in reader: any Reader) throws -> [LinkArrival]
}

/// A link of a user.
public struct SharedLink: Sendable, Equatable {
  /// `link_…`.
  public let id: Identifier
  public let subject: SubjectID
  /// Whom it credits.
  public let maker: Identifier
  /// What is given away. It says nothing, cannot be guessed, and never expires; its maker can revoke it.
  public let token: String

  public init(id: Identifier, subject: SubjectID, maker: Identifier, token: String) {
    (self.id, self.subject, self.maker, self.token) = (id, subject, maker, token)
  }
}

/// That a user came by a link.
public struct LinkArrival: Sendable, Equatable {
  /// `link_…`.
  public let link: Identifier
  public let subject: SubjectID
  /// Who made the link.
  public let maker: Identifier
  public let at: Instant

  public init(link: Identifier, subject: SubjectID, maker: Identifier, at: Instant) {
    (self.link, self.subject, self.maker, self.at) = (link, subject, maker, at)
  }
}
