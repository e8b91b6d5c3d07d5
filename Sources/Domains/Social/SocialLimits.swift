import Base

/// The bounds of the social domain.
public struct SocialLimits: Sendable {
  /// New follows of one user a day (UTC): whoever wants more is a machine.
  public var followsPerDay: Int64 = 200
  /// New links of one user a day (UTC).
  public var linksPerDay: Int64 = 200
  /// Blocks and mutes of one user. Each is a row of 100 bytes.
  public var barriers: Int64 = 10_000
  /// Rows that one counter is spread over, so that those who like one thing at the same time do not wait for each other.
  /// A read adds them up. Sixteen are more than the writers of a node, and still one page.
  public var counterParts: Int64 = 16
  /// Rows that one transaction erases.
  public var erasedAtOnce = 128

  public init() {}
}
