/// What one subscriber has been given and what it waits for. A pure state machine; a lock around it makes it safe.
///
/// Order and completeness rest on the sequence numbers alone: live events that repeat are dropped, and at a gap the
/// subscriber goes back to reading from the database, so it does not matter how events reach it.
struct SubscriptionState {
  enum Mode: Equatable {
    /// Reads pages from the database. Goes to `live` when a page was the last and nothing newer has been announced,
    /// or to `ended`.
    case replaying
    /// Takes events as they are committed. Goes to `replaying` at a gap, or to `ended`.
    case live
    /// Final.
    case ended(TopicError)
  }

  /// What the reader does next.
  enum Step {
    case take(TopicEvent)
    case load(after: UInt64)
    case wait
    case end(TopicError)
  }

  let limits: TopicLimits
  private(set) var mode = Mode.replaying
  /// The last event that the reader has taken.
  private(set) var taken: TopicPosition
  /// Whether `taken` says which topic of its name this is about.
  private var isTopicKnown = false
  /// The next event that belongs at the end of `queue`.
  private var expected: UInt64
  /// The newest event that is known to be committed.
  private var announced: UInt64 = 0
  private var queue: [TopicEvent] = []
  private var head = 0
  private var queuedBytes = 0

  init(after sequence: UInt64, limits: TopicLimits) {
    taken = TopicPosition(sequence: sequence, born: 0)
    expected = sequence + 1
    self.limits = limits
  }

  /// Is told which topic of its name it is about, before anything was taken.
  mutating func start(born: Int64) {
    taken.born = born
    isTopicKnown = true
  }

  /// Starts at a position that is known to be the present end, so that nothing has to be read.
  mutating func start(after position: TopicPosition) {
    taken = position
    isTopicKnown = true
    expected = position.sequence + 1
    if mode == .replaying, announced < expected { mode = .live }
  }

  /// A committed event comes in.
  mutating func announce(_ event: TopicEvent, lastToken: (TopicPosition) -> String) {
    guard isSameTopic(event.born) else { return }
    announced = max(announced, event.sequence)
    guard mode == .live, event.sequence >= expected else { return }
    guard event.sequence == expected else {
      mode = .replaying
      return
    }
    append(event)
    if queue.count - head > limits.queuedEvents || queuedBytes > limits.queuedBytes {
      end(.slowReader(lastToken: lastToken(taken)))
    }
  }

  /// Somebody says how far the topic is, and not what was published: it has to be read.
  mutating func announce(_ position: TopicPosition) {
    // Who has not begun yet may see another topic of this name; it is told again.
    guard isTopicKnown, isSameTopic(position.born) else { return }
    announced = max(announced, position.sequence)
    if mode == .live, position.sequence >= expected { mode = .replaying }
  }

  /// A page asked for by `load` comes in.
  /// - Parameter last: the topic's newest event as of the page, also if it is not there any more.
  mutating func loaded(_ page: [TopicEvent], last: TopicPosition) {
    guard mode == .replaying, isSameTopic(last.born) else { return }
    for event in page {
      // A hole means that compaction was faster than this reader.
      guard event.sequence == expected else { return end(.resumeTokenTooOld) }
      append(event)
    }
    guard page.count < limits.pageEvents else { return }
    // Compaction may also have left nothing at all, or no such topic.
    guard last.sequence < expected else { return end(.resumeTokenTooOld) }
    if announced < expected { mode = .live }
  }

  /// Whether an event can be taken at once.
  var hasQueued: Bool { head < queue.count }

  mutating func next() -> Step {
    if head < queue.count {
      let event = queue[head]
      head += 1
      if head == queue.count {
        queue.removeAll(keepingCapacity: true)
        head = 0
      }
      queuedBytes -= event.payload.count
      taken = TopicPosition(sequence: event.sequence, born: event.born)
      return .take(event)
    }
    switch mode {
    case .replaying: return .load(after: expected - 1)
    case .live: return .wait
    case .ended(let error): return .end(error)
    }
  }

  /// Ends the subscription; what was queued is let go.
  mutating func end(_ error: TopicError) {
    if case .ended = mode { return }
    mode = .ended(error)
    queue = []
    head = 0
    queuedBytes = 0
  }

  /// Ends the subscription if the topic has been removed, and the event belongs to a later one of its name. Before the
  /// first event there is no topic yet, so whichever comes is the one.
  private mutating func isSameTopic(_ born: Int64) -> Bool {
    if !isTopicKnown || born == taken.born { return true }
    if expected == 1 {
      taken.born = born
      return true
    }
    end(.resumeTokenTooOld)
    return false
  }

  private mutating func append(_ event: TopicEvent) {
    // What has been taken is let go once it is half of the array.
    if head > 32, head * 2 > queue.count {
      queue.removeFirst(head)
      head = 0
    }
    queue.append(event)
    queuedBytes += event.payload.count
    expected += 1
  }
}

/// How much a subscriber may hold up.
public struct TopicLimits: Sendable, Equatable {
  /// Events that wait for a live subscriber before it counts as slow.
  public var queuedEvents = 1024

  /// Bytes of payload that wait for a live subscriber before it counts as slow.
  public var queuedBytes = 1 << 20

  /// Events that are read from the database at a time during a replay.
  public var pageEvents = 256

  /// Bytes of payload up to which an event goes over the bus; longer ones are only announced, and read by the nodes that
  /// have subscribers. Far less than what the bus takes: it is the same link for all topics.
  public var announcedPayloadBytes = 16_384

  /// How often a hub on a bus looks for what was committed elsewhere and never announced: the longest delay after a
  /// message was lost.
  public var backstopInterval = Duration.milliseconds(500)

  /// Topics that are looked at with one such query.
  public var topicsPerQuery = 200

  /// Bytes of a topic's name up to which its events are announced; the others are found by the query.
  static let announcedNameBytes = 1024

  public init() {}
}
