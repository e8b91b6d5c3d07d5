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
    var subscribers: [ConflatingCore<Value>] = []
  }

  public init() {}

  /// Replaces a topic's value and wakes its readers.
  public func publish(_ topic: Topic, _ value: Value) {
    let subscribers = state.withLock { state in
      state.topics[topic, default: Entry()].newest = value
      return state.topics[topic]?.subscribers ?? []
    }
    for subscriber in subscribers { subscriber.offer(value) }
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
    let newest = state.withLock { state in
      state.topics[topic, default: Entry()].subscribers.append(core)
      return state.topics[topic]?.newest
    }
    // A value that was published in between is newer than this one and stays.
    if let newest { core.offerFirst(newest) }
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
    var hasHadValue = false
    var isEnded = false
  }

  init(_ topic: Topic) {
    self.topic = topic
  }

  func offer(_ value: Value) {
    slot.withLock { slot in
      slot.newest = value
      slot.hasHadValue = true
    }
    arrival.unpark()
  }

  func offerFirst(_ value: Value) {
    slot.withLock { slot in
      if !slot.hasHadValue { slot.newest = value }
      slot.hasHadValue = true
    }
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
