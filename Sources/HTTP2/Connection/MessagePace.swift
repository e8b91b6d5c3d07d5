/// How fast a message of a request comes, judged once in a period: a value without timers and sockets, so that what
/// happens often, octets that come and messages that are whole, costs nothing here.
struct MessagePace {
  /// What a message must do.
  struct Rule {
    /// The octets that must come in a period.
    var minimum: Int
    /// The time, in nanoseconds, in which a message must be whole.
    var timeout: Int64
    /// The time of this judgement.
    var now: Int64
  }

  private struct Seen {
    /// When this message was first seen that is not whole.
    var since: Int64
    /// How many messages came before it.
    var messages: Int
    /// What had come of the body at the last judgement.
    var bytes: Int
  }

  private var seen: Seen?

  /// Whether a message that is not whole has brought too little since the last judgement, or has come for too long.
  /// - Parameters:
  ///   - messages: how many messages came before it: whether it is the one of the last judgement.
  ///   - bytes: what has come of the body.
  mutating func isTooSlow(_ rule: Rule, messages: Int, bytes: Int) -> Bool {
    guard var last = seen, last.messages == messages else {
      seen = Seen(since: rule.now, messages: messages, bytes: bytes)
      return false
    }
    let progress = bytes - last.bytes
    last.bytes = bytes
    seen = last
    return progress < rule.minimum || rule.now - last.since >= rule.timeout
  }
}
