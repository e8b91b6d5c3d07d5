internal import Base

/// When a connection is to be asked for a sign of life, and when it has lived, idled or stalled long enough.
///
/// A value without timers and sockets: it is told what happens and asked what is due, so one timer serves all of it,
/// and what happens often (octets received, a stream ended) costs the store of a time. The periods and their meaning
/// are those of gRPC's keepalive (proposals A8 and A9). Times are nanoseconds of the loop's clock.
struct ConnectionCare {
  /// What is the same for all connections of a server or client. nil switches a rule off.
  struct Rules: Sendable {
    /// Silence after which the peer is asked for a sign of life.
    var keepAliveTime: Int64?
    /// Silence after that question which ends the connection.
    var keepAliveTimeout: Int64
    /// Whether a connection without streams is asked too.
    var asksWithoutStreams: Bool
    /// Time without streams after which the connection is drained.
    var maxIdle: Int64?
    /// Age at which the connection is drained.
    var maxAge: Int64?
    /// Time from then on after which it ends, streams or not.
    var maxAgeGrace: Int64?
    /// The period in which a stream that waits for its peer must move on.
    var stallPeriod: Int64?
    /// The period in which a message of a request must go on.
    var messagePeriod: Int64?
  }

  enum Action {
    case none
    /// Ask for a sign of life.
    case ping
    /// There was none.
    case giveUp
    /// Drain the connection.
    case retire
    /// The grace is over.
    case end
    /// Look for streams that do not move on.
    case judgeStreams
    /// Look for messages that come too slowly.
    case judgeMessages
  }

  private static let never = Int64.max

  /// When octets last came.
  var lastReceived: Int64
  /// When the last stream ended.
  var idleSince: Int64
  private var askedAt = never
  private var retireAt = never
  private var endAt = never
  private var judgeAt = never
  private var judgeMessagesAt = never
  private var isRetiring = false

  /// Before the connection is open: nothing is ever due.
  init() {
    lastReceived = 0
    idleSince = 0
  }

  /// - Parameter random: gives the jitter of the age, a tenth either way, so that connections made together do not end
  ///   together.
  init(now: Int64, _ rules: Rules, random: any RandomSource) {
    lastReceived = now
    idleSince = now
    if let age = rules.maxAge {
      let tenth = age / 10
      retireAt = now + age - tenth + Int64(random.below(UInt64(2 * tenth + 1)))
    }
    if let period = rules.stallPeriod { judgeAt = now + period }
    if let period = rules.messagePeriod { judgeMessagesAt = now + period }
  }

  /// What is to be done at `now`; to be asked again until there is nothing.
  mutating func due(_ now: Int64, _ rules: Rules, hasStreams: Bool) -> Action {
    if now >= endAt {
      endAt = Self.never
      return .end
    }
    if !isRetiring, now >= retireAt {
      isRetiring = true
      if let grace = rules.maxAgeGrace { endAt = now + grace }
      return .retire
    }
    if !isRetiring, !hasStreams, let idle = rules.maxIdle, now >= idleSince + idle {
      isRetiring = true
      return .retire
    }
    if now >= judgeAt {
      judgeAt = rules.stallPeriod.map { now + $0 } ?? Self.never
      return .judgeStreams
    }
    if now >= judgeMessagesAt {
      judgeMessagesAt = rules.messagePeriod.map { now + $0 } ?? Self.never
      return .judgeMessages
    }
    return keepAliveDue(now, rules, hasStreams)
  }

  private mutating func keepAliveDue(_ now: Int64, _ rules: Rules, _ hasStreams: Bool) -> Action {
    guard let time = rules.keepAliveTime else { return .none }
    if askedAt != Self.never {
      // Any octet is a sign of life.
      if lastReceived >= askedAt {
        askedAt = Self.never
      } else {
        return now >= askedAt + rules.keepAliveTimeout ? .giveUp : .none
      }
    }
    guard now >= lastReceived + time, hasStreams || rules.asksWithoutStreams else { return .none }
    askedAt = now
    return .ping
  }

  /// When `due` may have something to say again, or nil if it never will.
  func nextTime(_ now: Int64, _ rules: Rules, hasStreams: Bool) -> Int64? {
    var next = min(endAt, judgeAt, judgeMessagesAt)
    if !isRetiring {
      next = min(next, retireAt)
      // While there are streams, the time is looked at in passing: each stream's end would cost a timer otherwise.
      if let idle = rules.maxIdle { next = min(next, (hasStreams ? now : idleSince) + idle) }
    }
    if let time = rules.keepAliveTime {
      if askedAt != Self.never {
        next = min(next, askedAt + rules.keepAliveTimeout)
      } else {
        let due = lastReceived + time
        next = min(next, due > now ? due : now + time)
      }
    }
    return next == Self.never ? nil : next
  }
}

extension ConnectionCare.Rules {
  /// For the connections of a server.
  static func server(_ limits: HTTP2Limits) -> Self {
    Self(
      keepAliveTime: limits.keepAliveTime.map(\.boundedNanoseconds),
      keepAliveTimeout: limits.keepAliveTimeout.boundedNanoseconds, asksWithoutStreams: true,
      maxIdle: limits.maxConnectionIdle.map(\.boundedNanoseconds),
      maxAge: limits.maxConnectionAge.map(\.boundedNanoseconds),
      maxAgeGrace: limits.maxConnectionAgeGrace.map(\.boundedNanoseconds),
      stallPeriod: limits.stallTimeout.map(\.boundedNanoseconds),
      messagePeriod: limits.messagePeriod.map(\.boundedNanoseconds))
  }

  /// For the connections of a client.
  static func client(_ limits: HTTP2Limits) -> Self {
    Self(
      keepAliveTime: limits.clientKeepAliveTime.map { max($0, HTTP2Limits.shortestKeepAliveTime).boundedNanoseconds },
      keepAliveTimeout: limits.keepAliveTimeout.boundedNanoseconds,
      asksWithoutStreams: limits.clientKeepAliveWithoutStreams)
  }

  /// HTTP/1 has no sign of life but an answer: whether the peer is still there is TCP's concern (its own probes).
  var withoutKeepAlive: Self {
    var rules = self
    rules.keepAliveTime = nil
    return rules
  }

  /// Whether there is anything to do for a connection at all.
  var isEmpty: Bool {
    keepAliveTime == nil && maxIdle == nil && maxAge == nil && stallPeriod == nil && messagePeriod == nil
  }
}

extension Duration {
  /// Not negative, and not so far away that sums overflow.
  fileprivate var boundedNanoseconds: Int64 { min(max(inNanoseconds, 0), HTTP2Limits.farthestTimer) }
}
