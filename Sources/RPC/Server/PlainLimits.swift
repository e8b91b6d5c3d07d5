/// What peers can make plain requests hold.
public struct PlainLimits: Sendable {
  /// Requests that are answered at the same time; one more gets 503. Each holds a piece of what it reads, a quarter of a
  /// mebibyte in all, and an open file: half of those that a folder of blobs may have open.
  public var requests = 1024
  /// A peer that takes nothing of what is queued for so long is given up, as media players that were paused are: they ask
  /// for the rest when they need it.
  public var stallTime = Duration.seconds(60)

  public init() {}
}
