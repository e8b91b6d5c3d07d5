public import Base
public import Cryptography
public import Storage

/// Lossless topics: published in a transaction, replayed from the database, delivered live after the commit.
///
/// Whatever has committed reaches every subscriber, in order and once, across reconnects and restarts; nothing is
/// published before its transaction has committed. Safe to share between threads.
public final class TopicHub: Sendable {
  /// Makes the tokens that `resume` reads.
  public let tokens: ResumeTokens

  let database: any Database
  private let clock: any WallClock
  let limits: TopicLimits
  private let state = Locked(State())

  private struct State {
    var subscribers: [Topic: [SubscriberCore]] = [:]
    var isClosed = false
    var link: BusLink?
  }

  /// - Parameters:
  ///   - key: from which the keys of resume tokens and announcements are derived; the same on all nodes.
  ///   - history: of the database; resume tokens of another one are too old.
  ///   - bus: to the other nodes on this database.
  ///   - isShared: whether there are other nodes though there is no bus: what they commit is then found by looking every
  ///     `TopicLimits.backstopInterval`. Otherwise it comes with the next replay.
  ///   - failed: hears of each such look that failed; the next one finds what it did not.
  public init(
    database: any Database, clock: any WallClock, key: SecretKey, history: DatabaseHistory = .first,
    bus: (any MessageBus)? = nil, isShared: Bool = false, limits: TopicLimits = TopicLimits(),
    failed: @escaping @Sendable (any Error) -> Void = { _ in }
  ) {
    self.database = database
    self.clock = clock
    self.limits = limits
    tokens = ResumeTokens(key: key, history: history)
    guard bus != nil || isShared else { return }
    let link = join(bus, key: key, failed)
    state.withLock { $0.link = link }
  }

  deinit {
    state.withLock { $0.link }?.backstop.cancel()
  }

  // MARK: Publishing

  /// Appends an event to a topic in the caller's transaction.
  /// - Returns: its sequence number: dense within the topic, from 1.
  @discardableResult
  public func publish(_ topic: Topic, _ payload: [UInt8], in writer: any Writer) throws -> UInt64 {
    try publish(topic, in: writer) { _, _ in payload }
  }

  /// Appends an event whose payload contains its own place, so that it is encoded once for all subscribers.
  /// - Parameter payload: is given the event's sequence number and resume token.
  @discardableResult
  public func publish(
    _ topic: Topic, in writer: any Writer, payload: (_ sequence: UInt64, _ token: String) throws -> [UInt8]
  ) throws -> UInt64 {
    let position = try TopicStore.takeSequence(topic, writer)
    let event = TopicEvent(position, payload: try payload(position.sequence, tokens.make(topic, position)))
    try writer.send(
      "INSERT INTO octet_topic_events (topic, sequence, payload, published_at) VALUES ($1, $2, $3, $4)",
      topic.name, event.sequence, event.payload, clock.now())
    writer.afterCommit { [self] in
      deliver(event, topic)
      if let link = state.withLock({ $0.link }) { announce(event, topic, link) }
    }
    return event.sequence
  }

  /// Says in the caller's transaction that a topic is over. It stays as it is for the retention that `TopicSweep` is
  /// given, and is removed then. Publishing to it before that opens it again; a topic of its name after that is a new
  /// one, and tokens of the old one are `resumeTokenTooOld`.
  public func end(_ topic: Topic, in writer: any Writer) throws {
    try writer.send(
      "UPDATE octet_topics SET ended_at = $2 WHERE topic = $1 AND ended_at IS NULL", topic.name, clock.now())
  }

  // MARK: Subscribing

  /// Subscribes to everything after a sequence number; 0 is from the beginning.
  /// - Throws: `TopicError.resumeTokenTooOld` if what follows is gone; `.invalidResumeToken` if the topic never was
  ///   that far; `.closed`.
  public func subscribe(_ topic: Topic, after sequence: UInt64) async throws -> TopicSubscription {
    try await subscribe(topic, after: sequence, born: nil)
  }

  private func subscribe(_ topic: Topic, after sequence: UInt64, born: Int64?) async throws -> TopicSubscription {
    let subscription = try register(topic, after: sequence)
    let limits = limits
    // A first page that is also the check: what follows the position must be there.
    let page = try await database.read { reader in
      try TopicStore.page(topic, after: sequence, limit: limits.pageEvents, reader)
    }
    let last = page.last
    if let born, born != last.born { throw TopicError.resumeTokenTooOld }
    guard sequence <= last.sequence else { throw TopicError.invalidResumeToken }
    subscription.core.start(born: last.born)
    guard sequence == last.sequence || page.events.first?.sequence == sequence + 1 else {
      throw TopicError.resumeTokenTooOld
    }
    subscription.core.loaded(page)
    return subscription
  }

  /// Continues where a client left off.
  /// - Parameter token: of the last event that it has processed.
  /// - Throws: `TopicError.invalidResumeToken`, `.resumeTokenTooOld`, `.closed`.
  public func resume(_ topic: Topic, token: String) async throws -> TopicSubscription {
    let position = try tokens.position(token, topic)
    return try await subscribe(topic, after: position.sequence, born: position.born)
  }

  /// Snapshot, then everything after it: `snapshot` reads the present state in the same transaction that sees how
  /// far the topic is.
  /// - Returns: the snapshot, the token that stands for it, and a subscription to all that follows.
  public func watch<Snapshot: Sendable>(
    _ topic: Topic, snapshot: @escaping @Sendable (any Reader) throws -> Snapshot
  ) async throws -> (snapshot: Snapshot, token: String, subscription: TopicSubscription) {
    let subscription = try register(topic, after: 0)
    let (position, state) = try await database.read { reader in
      (try TopicStore.last(topic, reader), try snapshot(reader))
    }
    subscription.core.start(after: position)
    return (state, tokens.make(topic, position), subscription)
  }

  // MARK: Keeping

  /// Deletes the events up to `sequence`: their readers get `resumeTokenTooOld`. The numbering goes on.
  /// - Returns: how many were deleted.
  @discardableResult
  public func compact(_ topic: Topic, through sequence: UInt64, in writer: any Writer) throws -> Int {
    try writer.execute("DELETE FROM octet_topic_events WHERE topic = $1 AND sequence <= $2", topic.name, sequence)
  }

  /// Deletes a topic's events that were published before `instant`.
  /// - Returns: how many were deleted.
  @discardableResult
  public func compact(_ topic: Topic, before instant: Instant, in writer: any Writer) throws -> Int {
    // Sequence and time rise together, so the first event to be kept marks the end.
    let first: UInt64? = try writer.first(
      """
      SELECT sequence FROM octet_topic_events WHERE topic = $1 AND published_at >= $2 ORDER BY sequence LIMIT 1
      """, topic.name, instant
    ) { $0[0] }
    let last = try first.map { $0 - 1 } ?? TopicStore.last(topic, writer).sequence
    return try compact(topic, through: last, in: writer)
  }

  /// Ends all subscriptions with `closed` and refuses new ones.
  public func close() {
    let (subscribers, link): ([Topic: [SubscriberCore]], BusLink?) = state.withLock { state in
      state.isClosed = true
      defer { (state.subscribers, state.link) = ([:], nil) }
      return (state.subscribers, state.link)
    }
    link?.backstop.cancel()
    for core in subscribers.values.joined() { core.end(.closed) }
  }

  // MARK: Inside

  /// Subscribers are registered before the database is read: what commits in between is announced or read, or both.
  private func register(_ topic: Topic, after sequence: UInt64) throws(TopicError) -> TopicSubscription {
    let core = SubscriberCore(topic, after: sequence, limits: limits, tokens: tokens)
    let isOpen = state.withLock { state in
      if state.isClosed { return false }
      state.subscribers[topic, default: []].append(core)
      return true
    }
    guard isOpen else { throw .closed }
    return TopicSubscription(core, hub: self)
  }

  func unregister(_ core: SubscriberCore) {
    core.abandon()
    state.withLock { state in
      guard var others = state.subscribers.removeValue(forKey: core.topic) else { return }
      others.removeAll { $0 === core }
      if !others.isEmpty { state.subscribers[core.topic] = others }
    }
  }

  /// Reads the page that a subscriber asked for.
  func load(_ core: SubscriberCore, after sequence: UInt64) async throws {
    let limits = limits
    core.loaded(
      try await database.read { reader in
        try TopicStore.page(core.topic, after: sequence, limit: limits.pageEvents, reader)
      })
  }

  func subscribers(of topic: Topic) -> [SubscriberCore] {
    state.withLock { $0.subscribers[topic] ?? [] }
  }

  var subscribedTopics: [Topic] {
    state.withLock { Array($0.subscribers.keys) }
  }

  /// Called after the commit, on the committing thread or, for events of other nodes, on that of the bus.
  func deliver(_ event: TopicEvent, _ topic: Topic) {
    for core in subscribers(of: topic) {
      guard let sink = core.announce(event) else { continue }
      Task { await closeGap(core, sink) }
    }
  }

  /// Brings a sink up to date from the database and gives it its live events back.
  func closeGap(_ core: SubscriberCore, _ sink: any TopicSink) async {
    do {
      while case .load(let after) = core.attach(sink) {
        try await load(core, after: after)
      }
    } catch {
      // The reader comes back with its token; nothing is lost.
      core.end(.closed)
      _ = core.attach(sink)
    }
  }
}
