internal import Base

/// Topics in memory of which only the newest value counts: positions, counters. Publishing never waits; a slow
/// reader misses values but always gets the newest. Safe to share between threads.
public final class ConflatingTopics<Value: Sendable>: Sendable {
  private let state = Locked(State())
  private let link: Link?

  private struct State {
    var topics: [Topic: Entry] = [:]
    /// The subscription to the bus.
    var registration: BusSubscription?
  }

  private struct Link {
    let bus: any MessageBus
    let subject: String
    let encode: @Sendable (Value) -> [UInt8]
  }

  private struct Entry {
    var newest: Value?
    /// Whether a value was published here. What only came over the bus is forgotten with the last reader, as the word of
    /// its end may be lost.
    var isOwn = false
    /// How many values there have been.
    var version: UInt64 = 0
    var subscribers: [ConflatingCore<Value>] = []
  }

  /// Topics of this process alone.
  public init() {
    link = nil
  }

  /// Topics that all nodes on a bus share: a reader gets what is published on any of them, unless the bus loses it. Then
  /// it gets the next value; an end that is lost is not made up for. Values of two nodes on one topic may overtake each
  /// other, so each topic should have one publisher at a time.
  /// - Parameters:
  ///   - subject: of these topics alone.
  ///   - decode: may be given anything; nil for what is no value.
  public init(
    bus: any MessageBus, subject: String, encode: @escaping @Sendable (Value) -> [UInt8],
    decode: @escaping @Sendable ([UInt8]) -> Value?
  ) {
    link = Link(bus: bus, subject: subject, encode: encode)
    let registration = bus.subscribe(subject) { [weak self] message in
      guard let self, let (topic, encoded) = ConflatingMessage.decode(message) else { return }
      if let encoded {
        if let value = decode(encoded) { replace(topic, value, ifKnown: true, isOwn: false) }
      } else {
        endHere(topic)
      }
    }
    state.withLock { $0.registration = registration }
  }

  /// Replaces a topic's value and wakes its readers.
  public func publish(_ topic: Topic, _ value: Value) {
    replace(topic, value, ifKnown: false, isOwn: true)
    announce(topic, value)
  }

  /// Does the same if the topic has a value or a reader; else nothing is kept. For values that may come after the end.
  public func update(_ topic: Topic, _ value: Value) {
    replace(topic, value, ifKnown: true, isOwn: true)
    announce(topic, value)
  }

  private func announce(_ topic: Topic, _ value: Value?) {
    guard let link, let message = ConflatingMessage.encode(topic, value.map(link.encode)) else { return }
    link.bus.publish(link.subject, message)
  }

  private func replace(_ topic: Topic, _ value: Value, ifKnown: Bool, isOwn: Bool) {
    let (subscribers, version): ([ConflatingCore<Value>], UInt64) = state.withLock { state in
      if ifKnown, state.topics[topic] == nil { return ([], 0) }
      state.topics[topic, default: Entry()].newest = value
      state.topics[topic]?.version += 1
      if isOwn { state.topics[topic]?.isOwn = true }
      return (state.topics[topic]?.subscribers ?? [], state.topics[topic]?.version ?? 0)
    }
    for subscriber in subscribers { subscriber.offer(value, version: version) }
  }

  /// Says that no value will follow: readers take the newest one and then get nil. The topic is forgotten.
  public func end(_ topic: Topic) {
    endHere(topic)
    announce(topic, nil)
  }

  private func endHere(_ topic: Topic) {
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
      if entry.isOwn || !entry.subscribers.isEmpty { state.topics[core.topic] = entry }
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
