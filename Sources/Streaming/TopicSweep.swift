public import Base
public import Storage

/// Compacts topics by age and number, and removes those that ended. Runs in the background by a `Sweeper`.
///
/// It walks over all topics in the order of their names and looks at each one's oldest event, by readers' connections;
/// only what is to go costs the writer time. So publishing pays for no index by time.
public final class TopicSweep: Sweep {
  public let name = "topics"
  private let kinds: [String: TopicRetention]
  private let ended: Duration
  private let interval: Duration
  private let clock: any WallClock
  private let state: Locked<State>

  private struct State {
    /// The last topic that was looked at.
    var cursor = ""
    /// Topics of the present page that have something to give up.
    var due: [Topic] = []
    /// When the next walk begins.
    var nextWalk: Instant
  }

  /// Topics that are looked at with one read.
  static let page = 256
  /// Events that are deleted with one transaction.
  static let batch = 256
  /// An incarnation lasts for so long at least: each new one ends subscriptions to topics that have no event yet.
  static let shortestIncarnation: Duration = .seconds(86_400)
  /// How old an incarnation must be before topics of the earlier ones are removed: longer than any transaction takes,
  /// so that none gives a new topic the number of the old one.
  static let settling: Duration = .seconds(600)

  /// - Parameters:
  ///   - kinds: retention by the topics' kind; other kinds keep all events.
  ///   - ended: how long a topic stays after its end. Whoever comes back later starts over from a snapshot.
  ///   - interval: between two walks over all topics.
  public init(
    _ kinds: [String: TopicRetention], ended: Duration = .seconds(7 * 86_400), interval: Duration = .seconds(3600),
    clock: any WallClock
  ) {
    self.kinds = kinds
    self.ended = ended
    self.interval = interval
    self.clock = clock
    state = Locked(State(nextWalk: clock.now()))
  }

  public func step(_ database: any Database) async throws -> Bool {
    if let topic = state.withLock({ $0.due.last }) {
      if try await compact(topic, database) == false { state.withLock { _ = $0.due.popLast() } }
      return true
    }
    if clock.now() >= state.withLock({ $0.nextWalk }) {
      try await look(database)
      return true
    }
    return try await removeEnded(database)
  }

  // MARK: Compaction

  private struct Candidate: Sendable {
    let topic: Topic
    let last: UInt64
    let first: UInt64?
    let firstAt: Instant?
  }

  /// Looks at the next page of topics.
  private func look(_ database: any Database) async throws {
    let cursor = state.withLock { $0.cursor }
    // No join: PostgreSQL may take it for quicker to gather all events, and give each of the few topics its own then.
    let candidates = try await database.read { reader in
      try reader.rows(
        """
        SELECT topic, last_sequence,
          (SELECT sequence FROM octet_topic_events e WHERE e.topic = t.topic ORDER BY sequence LIMIT 1),
          (SELECT published_at FROM octet_topic_events e WHERE e.topic = t.topic ORDER BY sequence LIMIT 1)
        FROM octet_topics t WHERE topic > $1 ORDER BY topic LIMIT $2
        """, cursor, Self.page
      ) { Candidate(topic: Topic(named: $0[0]), last: $0[1], first: $0[2], firstAt: $0[3]) }
    }
    let now = clock.now()
    let due = candidates.filter { candidate in
      guard let first = candidate.first, let firstAt = candidate.firstAt else { return false }
      return isDue(candidate.topic, sequence: first, at: firstAt, last: candidate.last, now)
    }
    state.withLock { state in
      state.due = due.map(\.topic)
      if candidates.count == Self.page, let last = candidates.last {
        state.cursor = last.topic.name
      } else {
        state.cursor = ""
        state.nextWalk = now + interval
      }
    }
  }

  private func isDue(_ topic: Topic, sequence: UInt64, at instant: Instant, last: UInt64, _ now: Instant) -> Bool {
    guard let retention = kinds[String(topic.kind)] else { return false }
    if let age = retention.age, instant < now - age { return true }
    if let count = retention.count, last - sequence >= count { return true }
    return false
  }

  /// Deletes the topic's oldest events, as far as they are due.
  /// - Returns: whether there may be more.
  private func compact(_ topic: Topic, _ database: any Database) async throws -> Bool {
    // A reader looks first, so that events of long ago come from the disk in nobody's way.
    guard try await database.read({ try self.due(topic, $0) }) != nil else { return false }
    return try await database.write { [self] writer in
      guard let due = try due(topic, writer) else { return false }
      try writer.send(
        "DELETE FROM octet_topic_events WHERE topic = $1 AND sequence <= $2", topic.name, due.end)
      return due.isFull
    }
  }

  /// Up to where the topic's oldest events are due, as far as one transaction deletes them, and whether it can delete no
  /// more; nil if none is.
  private func due(_ topic: Topic, _ reader: any Reader) throws -> (end: UInt64, isFull: Bool)? {
    let now = clock.now()
    let last = try TopicStore.last(topic, reader).sequence
    let oldest: [(sequence: UInt64, at: Instant)] = try reader.rows(
      "SELECT sequence, published_at FROM octet_topic_events WHERE topic = $1 ORDER BY sequence LIMIT $2",
      topic.name, Self.batch
    ) { ($0[0], $0[1]) }
    let due = oldest.prefix { isDue(topic, sequence: $0.sequence, at: $0.at, last: last, now) }
    return due.last.map { ($0.sequence, due.count == Self.batch) }
  }

  // MARK: Removal

  private struct Incarnation: Sendable {
    let number: Int64
    let since: Instant
  }

  /// Removes one piece of the topic that ended first.
  /// - Returns: whether there may be more.
  private func removeEnded(_ database: any Database) async throws -> Bool {
    let latest = clock.now() - ended
    let found = try await database.read { reader in
      try reader.exists("SELECT 1 FROM octet_topics WHERE ended_at <= $1 LIMIT 1", latest)
    }
    guard found else { return false }
    return try await database.write { [self] writer in
      let now = clock.now()
      let incarnation = try writer.firstForUpdate(
        "SELECT number, since FROM octet_topic_incarnation WHERE id = 1"
      ) { Incarnation(number: $0[0], since: $0[1]) }
      guard let incarnation else { return false }
      if now - incarnation.since >= Self.settling, try removePiece(before: incarnation.number, latest, writer) {
        return true
      }
      // What is left was born in this incarnation.
      if now - incarnation.since >= Self.shortestIncarnation {
        try writer.send("UPDATE octet_topic_incarnation SET number = number + 1, since = $1 WHERE id = 1", now)
      }
      return false
    }
  }

  private func removePiece(before incarnation: Int64, _ latest: Instant, _ writer: any Writer) throws -> Bool {
    // The row is taken, so that a publisher either comes first and opens the topic again, or finds it gone.
    let name: String? = try writer.firstForUpdate(
      "SELECT topic FROM octet_topics WHERE ended_at <= $1 AND born < $2 ORDER BY ended_at LIMIT 1",
      latest, incarnation
    ) { $0[0] }
    guard let name else { return false }
    let last: UInt64? = try writer.first(
      """
      SELECT sequence FROM (
        SELECT sequence FROM octet_topic_events WHERE topic = $1 ORDER BY sequence LIMIT $2) page
      ORDER BY sequence DESC LIMIT 1
      """, name, Self.batch
    ) { $0[0] }
    if let last {
      try writer.send("DELETE FROM octet_topic_events WHERE topic = $1 AND sequence <= $2", name, last)
    } else {
      try writer.send("DELETE FROM octet_topics WHERE topic = $1", name)
    }
    return true
  }
}
