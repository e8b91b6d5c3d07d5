import Base

/// The bounds of the social domain.
public struct SocialLimits: Sendable {
  /// New follows of one user a day (UTC): whoever wants more is a machine.
  public var followsPerDay: Int64 = 200
  /// New links of one user a day (UTC).
  public var linksPerDay: Int64 = 200
  /// New emojis of one user a day (UTC), also in place of others: of each the owner of the thing is told.
  public var emojisPerDay: Int64 = 500
  /// Reports of one user a day (UTC): each costs a moderator's time.
  public var reportsPerDay: Int64 = 50
  /// How long a moderator has a report to himself or herself.
  public var triageTime = Duration.seconds(1800)
  /// How long after a decision somebody can appeal against it.
  public var appealWindow = Duration.seconds(30 * 86_400)
  /// Words of all moderators' lists together, as many again as the scorer takes are left for its own.
  public var listedWords = 10_000
  /// What moderators are shown of a thing's words, in code points: enough to judge it, and 500 of them fit a page.
  public var judgedWords = 5000
  /// Blocks and mutes of one user. Each is a row of 100 bytes.
  public var barriers: Int64 = 10_000
  /// Rows that one counter is spread over at most, by the node that counts. A read adds them up, and sixteen are one page.
  public var counterParts: Int64 = 16
  /// Comments and reviews that follow a change of who may see their thing in one transaction: a write of the index each.
  public var openedAtOnce = 64
  /// Rows that one transaction erases or removes.
  public var erasedAtOnce = 128

  public init() {}
}
