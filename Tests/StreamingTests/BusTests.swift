import Base
import Cryptography
import Storage
import StorageSQLite
import Testing

@testable import Streaming

/// One end of a line between two parts of a process. What is published here arrives there at once, unless it is cut.
final class LocalBus: MessageBus {
  private struct State {
    var number = 0
    var handlers: [Int: (subject: String, handler: @Sendable ([UInt8]) -> Void)] = [:]
    var interruptions: [Int: @Sendable () -> Void] = [:]
    var isCut = false
    var published: [[UInt8]] = []
  }
  private let state = Locked(State())
  private let other = Locked<LocalBus?>(nil)

  static func pair() -> (LocalBus, LocalBus) {
    let (left, right) = (LocalBus(), LocalBus())
    left.other.withLock { $0 = right }
    return (left, right)
  }

  func cut() { state.withLock { $0.isCut = true } }
  var published: [[UInt8]] { state.withLock { $0.published } }

  func interrupt() {
    for handler in state.withLock({ Array($0.interruptions.values) }) { handler() }
  }

  func receive(_ subject: String, _ message: [UInt8]) {
    for (wanted, handler) in state.withLock({ Array($0.handlers.values) }) where wanted == subject { handler(message) }
  }

  func publish(_ subject: String, _ message: [UInt8]) {
    let isCut = state.withLock { state in
      state.published.append(message)
      return state.isCut
    }
    if !isCut { other.withLock { $0 }?.receive(subject, message) }
  }

  func subscribe(_ subject: String, _ handler: @escaping @Sendable ([UInt8]) -> Void) -> BusSubscription {
    let number = state.withLock { state in
      state.number += 1
      state.handlers[state.number] = (subject, handler)
      return state.number
    }
    return BusSubscription { [self] in state.withLock { _ = $0.handlers.removeValue(forKey: number) } }
  }

  func onInterruption(_ handler: @escaping @Sendable () -> Void) -> BusSubscription {
    let number = state.withLock { state in
      state.number += 1
      state.interruptions[state.number] = handler
      return state.number
    }
    return BusSubscription { [self] in state.withLock { _ = $0.interruptions.removeValue(forKey: number) } }
  }
}

@Suite(.timeLimit(.minutes(60)))
struct BusTests {
  let key = SecretKey([UInt8](repeating: 7, count: SecretKey.standardLength))

  /// Two hubs on the database of a house; the first one's messages go to the second.
  private func hubs(
    _ house: House, _ change: (inout TopicLimits) -> Void = { _ in }
  ) -> (left: TopicHub, right: TopicHub, leftBus: LocalBus, rightBus: LocalBus) {
    var limits = TopicLimits()
    limits.backstopInterval = .seconds(3600)
    change(&limits)
    let (leftBus, rightBus) = LocalBus.pair()
    let hub = { TopicHub(database: house.database, clock: house.clock, key: key, bus: $0, limits: limits) }
    return (hub(leftBus), hub(rightBus), leftBus, rightBus)
  }

  @Test func `events up to announcedPayloadBytes go over the bus, longer ones are read`() async throws {
    try await House.with { house in
      let (left, right, bus, _) = hubs(house) { $0.announcedPayloadBytes = 3 }
      let subscription = try await right.subscribe(house.topic, after: 0)
      for length in [3, 4, 0, 300] {
        let payload = [UInt8](repeating: 0xee, count: length)
        try await house.database.write { try left.publish(house.topic, payload, in: $0) }
        #expect(try await subscription.next().payload == payload)
      }
      #expect(bus.published.map { $0.count { $0 == 0xee } >= 3 } == [true, false, false, false])
    }
  }

  @Test func `what was never announced is found, topicsPerQuery at a time, also after an interruption`() async throws {
    try await House.with { house in
      let (left, right, bus, rightBus) = hubs(house) { $0.topicsPerQuery = 2 }
      bus.cut()
      let topics = (0..<5).map { Topic("ride", "\($0)") }
      var subscriptions: [TopicSubscription] = []
      for topic in topics { subscriptions.append(try await right.subscribe(topic, after: 0)) }
      for topic in topics { try await house.database.write { try left.publish(topic, [1], in: $0) } }
      try await right.catchUp()
      for subscription in subscriptions { #expect(try await subscription.next().sequence == 1) }
      for topic in topics { try await house.database.write { try left.publish(topic, [2], in: $0) } }
      rightBus.interrupt()
      for subscription in subscriptions { #expect(try await subscription.next().sequence == 2) }
    }
  }

  @Test func `what was never announced is found after backstopInterval`() async throws {
    try await House.with { house in
      let (left, right, bus, _) = hubs(house) { $0.backstopInterval = .milliseconds(5) }
      bus.cut()
      let subscription = try await right.subscribe(house.topic, after: 0)
      for number in 1...3 {
        try await house.database.write { try left.publish(house.topic, [1], in: $0) }
        #expect(try await subscription.next().sequence == UInt64(number))
      }
      right.close()
    }
  }

  @Test func `who was cut off until compaction left nothing is told, with and without a sink`() async throws {
    try await House.with { house in
      let (left, right, bus, _) = hubs(house)
      bus.cut()
      let reader = try await right.subscribe(house.topic, after: 0)
      let forwarded = try await right.subscribe(house.topic, after: 0)
      let sink = Recorder()
      try await forwarded.forward(to: sink)
      try await house.database.write { try left.publish(house.topic, [1], in: $0) }
      try await house.database.write { try left.compact(house.topic, through: 1, in: $0) }
      try await right.catchUp()
      #expect(await topicError { try await reader.next() } == .resumeTokenTooOld)
      try await sink.wait { !sink.ended.withLock { $0 }.isEmpty }
      #expect(sink.ended.withLock { $0 } == [.resumeTokenTooOld])
      withExtendedLifetime(forwarded) {}
    }
  }

  @Test func `nodes that share a database and no bus find each other's events`() async throws {
    try await House.with { house in
      var limits = TopicLimits()
      limits.backstopInterval = .milliseconds(5)
      let hubs = (0..<2).map { _ in
        TopicHub(database: house.database, clock: house.clock, key: key, isShared: true, limits: limits)
      }
      let subscription = try await hubs[1].subscribe(house.topic, after: 0)
      for number in 1...3 {
        try await house.database.write { try hubs[0].publish(house.topic, [1], in: $0) }
        #expect(try await subscription.next().sequence == UInt64(number))
      }
      for hub in hubs { hub.close() }
    }
  }

  @Test func `a look into the database that failed is told of, and the next one finds what it did not`() async throws {
    try await House.with { house in
      var limits = TopicLimits()
      limits.backstopInterval = .milliseconds(5)
      let (failures, hasFailed) = (Locked(0), ParkingSpot())
      let left = TopicHub(database: house.database, clock: house.clock, key: key)
      let note: @Sendable (any Error) -> Void = { _ in
        failures.withLock { $0 += 1 }
        hasFailed.unpark()
      }
      let right = TopicHub(
        database: house.database, clock: house.clock, key: key, isShared: true, limits: limits, failed: note)
      let subscription = try await right.subscribe(house.topic, after: 0)
      #expect(failures.withLock { $0 } == 0)
      try await house.database.write { try $0.execute("ALTER TABLE octet_topics RENAME TO octet_gone") }
      try await hasFailed.park()
      try await house.database.write { try $0.execute("ALTER TABLE octet_gone RENAME TO octet_topics") }
      try await house.database.write { try left.publish(house.topic, [1], in: $0) }
      #expect(try await subscription.next().sequence == 1)
      right.close()
    }
  }

  @Test func `anything else that the bus says is no event`() async throws {
    try await House.with { house in
      let (_, right, _, bus) = hubs(house)
      let subscription = try await right.subscribe(house.topic, after: 0)
      let position = TopicPosition(sequence: 1, born: 0)
      let announcement = TopicAnnouncement(topic: house.topic, position: position, payload: [1, 2])
      let real = try #require(announcement.encode(seal: BusSeal(key: key.derived(for: "octet topic announcements"))))
      let foreign = try #require(announcement.encode(seal: BusSeal(key: key)))
      let random = SeededRandomSource(seed: 2)
      bus.receive(TopicHub.subject, foreign)
      for length in 0..<real.count { bus.receive(TopicHub.subject, Array(real.prefix(length))) }
      for index in real.indices {
        var changed = real
        changed[index] ^= UInt8(1 + random.below(255))
        bus.receive(TopicHub.subject, changed)
        bus.receive(TopicHub.subject, random.bytes(index))
      }
      #expect(subscription.nextIfReady() == nil)
      bus.receive(TopicHub.subject, real)
      bus.receive(TopicHub.subject, real)
      #expect(subscription.nextIfReady()?.payload == [1, 2])
      #expect(subscription.nextIfReady() == nil)
    }
  }

  @Test func `a topic whose name is beyond announcedNameBytes is found by the query`() async throws {
    let topic = Topic("a", String(repeating: "b", count: TopicLimits.announcedNameBytes))
    let position = TopicPosition(sequence: 1, born: 0)
    #expect(TopicAnnouncement(topic: topic, position: position, payload: nil).encode(seal: BusSeal(key: key)) == nil)
    try await House.with { house in
      let (left, right, _, _) = hubs(house)
      let subscription = try await right.subscribe(topic, after: 0)
      try await house.database.write { try left.publish(topic, [1], in: $0) }
      try await right.catchUp()
      #expect(try await subscription.next().sequence == 1)
    }
  }

  @Test func `the newest value and the end of a conflating topic reach readers elsewhere`() async throws {
    let (leftBus, rightBus) = LocalBus.pair()
    func topics(_ bus: LocalBus) -> ConflatingTopics<UInt8> {
      ConflatingTopics(
        bus: bus, subject: "positions", key: key, encode: { [$0] }, decode: { $0.count == 1 ? $0[0] : nil })
    }
    let (left, right) = (topics(leftBus), topics(rightBus))
    let topic = Topic("position", "1")
    // Nobody reads it there, so nothing is kept there.
    left.publish(topic, 1)
    #expect(right.newest(topic) == nil)
    var reader: ConflatingSubscription<UInt8>? = right.subscribe(topic)
    left.publish(topic, 2)
    left.publish(topic, 3)
    #expect(try await reader?.next() == 3)
    let random = SeededRandomSource(seed: 6)
    for length in 0..<200 { rightBus.receive("positions", random.bytes(length)) }
    let seal = BusSeal(key: key)
    rightBus.receive("positions", seal.seal(ConflatingMessage.encode(topic, [1, 2]) ?? []))
    rightBus.receive("positions", seal.seal(ConflatingMessage.encode(Topic("position", "2"), [1]) ?? []))
    let foreign = BusSeal(key: key.derived(for: "another purpose"))
    rightBus.receive("positions", foreign.seal(ConflatingMessage.encode(topic, [9]) ?? []))
    rightBus.receive("positions", foreign.seal(ConflatingMessage.encode(topic, nil) ?? []))
    #expect(right.newest(topic) == 3)
    left.end(topic)
    #expect(try await reader?.next() == nil)
    reader = right.subscribe(topic)
    left.publish(topic, 4)
    #expect(try await reader?.next() == 4)
    reader = nil
    #expect(right.newest(topic) == nil)
    // Another node takes a topic over: it is forgotten here with the last reader.
    let other = Topic("position", "3")
    right.publish(other, 5)
    #expect(right.newest(other) == 5)
    left.publish(other, 6)
    #expect(right.newest(other) == nil)
    let long = [UInt8](repeating: 0, count: ConflatingMessage.longestPart + 1)
    #expect(ConflatingMessage.encode(topic, long) == nil)
  }
}
