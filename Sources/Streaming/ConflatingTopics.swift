internal import Base

/// Topics in memory of which only the newest value counts: positions, counters. Publishing never waits; a slow
/// reader misses values but always gets the newest. Safe to share between threads.
public final class ConflatingTopics<Value: Sendable>: Sendable {
  private let state = Locked(State())

  private struct State {
    var topics: [Topic: Entry] = [:]
  }

  private struct Entry {
    var newest: Value?
    /// How many values there have been.
    var version: UInt64 = 0
    var subscribers: [ConflatingCore<Value>] = []
  }

  public init() {}

  /// Replaces a topic's value and wakes its readers.
  public func publish(_ topic: Topic, _ value: Value) {
    replace(topic, value, ifKnown: false)
  }

  /// Does the same if the topic has a value or a reader; else nothing is kept. For values that may come after the end.
  public func update(_ topic: Topic, _ value: Value) {
    replace(topic, value, ifKnown: true)
  }

  private func replace(_ topic: Topic, _ value: Value, ifKnown: Bool) {
    let (subscribers, version): ([ConflatingCore<Value>], UInt64) = state.withLock { state in
      if ifKnown, state.topics[topic] == nil { return ([], 0) }
      state.topics[topic, default: Entry()].newest = value
      state.topics[topic]?.version += 1
      return (state.topics[topic]?.subscribers ?? [], state.topics[topic]?.version ?? 0)
    }
    for subscriber in subscribers { subscriber.offer(value, version: version) }
  }

  /// Says that no value will follow: readers take the newest one and then get nil. The topic is forgotten.
  public func end(_ topic: Topic) {
    let entry = state.withLock { $0.topics.removeValue(forKey: topic) }
    for subscriber in entry?.subscribers ?? [] { subscriber.end() }
  }

  /// The newest value, if there has been one.
  public func newest(_ topic: Topic) -> Value? {
    state.withLock { $0.topics[topic]?.newest }
  }

  /// Subscribes to a topic. The first value is the newest one there is.
  public func subscribe(_ topic: Topic) -> ConflatingSubscription<Value> {
    let core = ConflatingCore<Value>(topic)
    let (newest, version): (Value?, UInt64) = state.withLock { state in
      state.topics[topic, default: Entry()].subscribers.append(core)
      return (state.topics[topic]?.newest, state.topics[topic]?.version ?? 0)
    }
    if let newest { core.offer(newest, version: version) }
    return ConflatingSubscription(core, topics: self)
  }

  func unregister(_ core: ConflatingCore<Value>) {
    state.withLock { state in
      guard var entry = state.topics.removeValue(forKey: core.topic) else { return }
      entry.subscribers.removeAll { $0 === core }
      if entry.newest != nil || !entry.subscribers.isEmpty { state.topics[core.topic] = entry }
    }
  }
}

/// One reader of one conflating topic. Letting go of the object ends it.
public final class ConflatingSubscription<Value: Sendable>: Sendable {
  private let core: ConflatingCore<Value>
  private let topics: ConflatingTopics<Value>

  init(_ core: ConflatingCore<Value>, topics: ConflatingTopics<Value>) {
    self.core = core
    self.topics = topics
  }

  deinit {
    topics.unregister(core)
  }

  /// Waits for a value newer than the last one it gave. One task at a time.
  /// - Returns: the newest value, or nil when the topic has ended.
  /// - Throws: `CancellationError`.
  public func next() async throws -> Value? {
    while true {
      switch core.take() {
      case .value(let value): return value
      case .ended: return nil
      case .nothing: try await core.arrival.park()
      }
    }
  }
}

/// The part of a subscription that the topics hold.
final class ConflatingCore<Value: Sendable>: Sendable {
  enum Taken {
    case value(Value)
    case nothing
    case ended
  }

  let topic: Topic
  let arrival = ParkingSpot()
  private let slot = Locked(Slot())

  private struct Slot {
    var newest: Value?
    var version: UInt64 = 0
    var isEnded = false
  }

  init(_ topic: Topic) {
    self.topic = topic
  }

  /// Takes a value in, unless a newer one has overtaken it on the way.
  func offer(_ value: Value, version: UInt64) {
    slot.withLock { slot in
      guard version > slot.version else { return }
      slot.newest = value
      slot.version = version
    }
    arrival.unpark()
  }

  func end() {
    slot.withLock { $0.isEnded = true }
    arrival.unpark()
  }

  func take() -> Taken {
    slot.withLock { slot in
      if let value = slot.newest {
        slot.newest = nil
        return .value(value)
      }
      return slot.isEnded ? .ended : .nothing
    }
  }
}
