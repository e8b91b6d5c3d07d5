/// How many of a topic's events are kept for replay. What goes beyond either bound is compacted in the background; the
/// topic's numbers go on, and readers who come back for what is gone get `resumeTokenTooOld`.
public struct TopicRetention: Sendable, Equatable {
  /// Events older than this go; nil for no bound.
  public var age: Duration?

  /// Events before the newest so many go; nil for no bound.
  public var count: UInt64?

  public init(age: Duration? = nil, count: UInt64? = nil) {
    self.age = age
    self.count = count
  }
}
