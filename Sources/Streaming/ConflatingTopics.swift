internal import Base
public import Cryptography

/// Topics in memory of which only the newest value counts: positions, counters. Publishing never waits; a slow
/// reader misses values but always gets the newest. Safe to share between threads.
public final class ConflatingTopics<Value: Sendable>: Sendable {
  /// What a topic's value becomes when another one comes in; nil if it stays as it is, and its readers asleep.
  public typealias Merge = @Sendable (_ known: Value, _ new: Value) -> Value?

  private let state = Locked(State())
  private let link: Link?
  private let merge: Merge

  private struct State {
    var topics: [Topic: Entry] = [:]
    /// The subscription to the bus.
    var registration: BusSubscription?
  }

  private struct Link {
    let bus: any MessageBus
    let subject: String
    let seal: BusSeal
    let encode: @Sendable (Value) -> [UInt8]
  }

  private struct Entry {
    var newest: Value?
    /// Whether the newest value was published here. What only came over the bus is forgotten with the last reader, as
    /// the word of its end may be lost.
    var isOwn = false
    /// How many values there have been.
    var version: UInt64 = 0
    var subscribers: [ConflatingCore<Value>] = []

    var isKept: Bool { isOwn || !subscribers.isEmpty }
  }

  /// Topics of this process alone.
  /// - Parameter merge: by which values come together; without it, each replaces the one before.
  public init(merge: @escaping Merge = { $1 }) {
    link = nil
    self.merge = merge
  }

  /// Topics that all nodes on a bus share: a reader gets what is published on any of them, unless the bus loses it. Then
  /// it gets the next value; an end that is lost is not made up for. Values of two nodes on one topic may overtake each
  /// other, so each topic should have one publisher at a time, or a `merge` that tells which value is the newer one.
  /// - Parameters:
  ///   - subject: of these topics alone.
  ///   - key: the same on all nodes; only who has it can publish.
  ///   - merge: by which values come together; without it, each replaces the one before.
  ///   - decode: nil for what is no value.
  public init(
    bus: any MessageBus, subject: String, key: SecretKey, merge: @escaping Merge = { $1 },
    encode: @escaping @Sendable (Value) -> [UInt8], decode: @escaping @Sendable ([UInt8]) -> Value?
  ) {
    let seal = BusSeal(key: key)
    link = Link(bus: bus, subject: subject, seal: seal, encode: encode)
    self.merge = merge
    let registration = bus.subscribe(subject) { [weak self] sealed in
      guard let self, let unchecked = seal.unchecked(sealed), let topic = ConflatingMessage.topic(unchecked),
        isKnown(topic), let message = seal.open(sealed), let (topic, encoded) = ConflatingMessage.decode(message)
      else { return }
      if let encoded {
        if let value = decode(encoded) { take(topic, value) }
      } else {
        takeEnd(topic)
      }
    }
    state.withLock { $0.registration = registration }
  }

  /// Replaces a topic's value and wakes its readers.
  public func publish(_ topic: Topic, _ value: Value) {
    replace(topic, value, ifKnown: false, isOwn: true)
    announce(topic, value)
  }

  /// Does the same if the topic has a value or a reader; else nothing is kept here. For values that may come after the
  /// end, and for those that matter only while somebody reads.
  public func update(_ topic: Topic, _ value: Value) {
    replace(topic, value, ifKnown: true, isOwn: nil)
    announce(topic, value)
  }

  /// Takes in a value that was found elsewhere, such as in the database, if the topic has a value or a reader here; other
  /// nodes are not told.
  public func take(_ topic: Topic, _ value: Value) {
    replace(topic, value, ifKnown: true, isOwn: false)
  }

  private func announce(_ topic: Topic, _ value: Value?) {
    guard let link, let message = ConflatingMessage.encode(topic, value.map(link.encode)) else { return }
    link.bus.publish(link.subject, link.seal.seal(message))
  }

  /// - Parameter isOwn: nil if that does not change.
  private func replace(_ topic: Topic, _ value: Value, ifKnown: Bool, isOwn: Bool?) {
    let arrived: (value: Value, version: UInt64, subscribers: [ConflatingCore<Value>])? = state.withLock { state in
      var entry = Entry()
      if let known = state.topics[topic] {
        entry = known
      } else if ifKnown {
        return nil
      }
      if let isOwn { entry.isOwn = isOwn }
      let merged = entry.newest.map { merge($0, value) } ?? value
      if let merged {
        entry.newest = merged
        entry.version += 1
      }
      state.topics[topic] = entry.isKept ? entry : nil
      return merged.map { ($0, entry.version, entry.subscribers) }
    }
    guard let arrived else { return }
    for subscriber in arrived.subscribers { subscriber.offer(arrived.value, version: arrived.version) }
  }

  /// Says that no value will follow: readers take the newest one and then get nil. The topic is forgotten.
  public func end(_ topic: Topic) {
    takeEnd(topic)
    announce(topic, nil)
  }

  /// Does so if a value is the newest one, and no other has come meanwhile.
  /// - Returns: whether it was.
  public func end(_ topic: Topic, ifNewest isMeant: (Value) -> Bool) -> Bool {
    let entry: Entry? = state.withLock { state in
      guard let newest = state.topics[topic]?.newest, isMeant(newest) else { return nil }
      return state.topics.removeValue(forKey: topic)
    }
    guard let entry else { return false }
    for subscriber in entry.subscribers { subscriber.end() }
    announce(topic, nil)
    return true
  }

  /// Ends a topic here of which it was found elsewhere that it is over; other nodes are not told.
  public func takeEnd(_ topic: Topic) {
    let entry = state.withLock { $0.topics.removeValue(forKey: topic) }
    for subscriber in entry?.subscribers ?? [] { subscriber.end() }
  }

  /// The newest value, if there has been one.
  public func newest(_ topic: Topic) -> Value? {
    state.withLock { $0.topics[topic]?.newest }
  }

  /// The topics that have readers here, in no order.
  public var readTopics: [Topic] {
    state.withLock { state in state.topics.filter { !$0.value.subscribers.isEmpty }.map(\.key) }
  }

  private func isKnown(_ topic: Topic) -> Bool {
    state.withLock { $0.topics[topic] != nil }
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
      if entry.isKept { state.topics[core.topic] = entry }
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
