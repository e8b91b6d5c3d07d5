import Base
import Cryptography
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Streaming
import Testing

@testable import NATS

/// Nodes that share one database and one bus.
@Suite(.timeLimit(.minutes(60)))
struct SeveralNodesTests {
  static let topicCount = 5

  /// A bus that loses half of what is published.
  struct LossyBus: MessageBus {
    let base: NATSBus
    let random: any RandomSource

    func publish(_ subject: String, _ message: [UInt8]) {
      if random.below(2) == 0 { base.publish(subject, message) }
    }

    func subscribe(_ subject: String, _ handler: @escaping @Sendable ([UInt8]) -> Void) -> BusSubscription {
      base.subscribe(subject, handler)
    }

    func onInterruption(_ handler: @escaping @Sendable () -> Void) -> BusSubscription {
      base.onInterruption(handler)
    }
  }

  /// What one subscriber was given.
  final class Collector: TopicSink {
    private let events = Locked<[(UInt64, [UInt8])]>([])
    private let change = ParkingSpot()

    func receive(_ event: TopicEvent) -> Bool {
      events.withLock { $0.append((event.sequence, event.payload)) }
      change.unpark()
      return true
    }

    func end(_ error: TopicError) {}

    /// Waits for the last of them and says what came.
    func all(_ count: Int) async throws -> [(UInt64, [UInt8])] {
      while events.withLock({ $0.count }) < count { try await change.park() }
      return events.withLock { $0 }
    }
  }

  struct Node {
    let database: PostgreSQLDatabase
    let hub: TopicHub
    let bus: NATSBus

    init(_ database: String, _ url: String, loss: (any RandomSource)?, backstop: Duration) async throws {
      self.database = try await PostgreSQLDatabase.open(
        url: database, migrations: TopicStore.migrations, clock: SystemClock(), options: .ofTests)
      bus = try NATSBus(url: url, name: "test", random: SystemRandomSource(), limits: .ofTests)
      try await bus.connected()
      var limits = TopicLimits()
      limits.backstopInterval = backstop
      limits.announcedPayloadBytes = 16
      let key = SecretKey([UInt8](repeating: 9, count: SecretKey.standardLength))
      var bus: any MessageBus = self.bus
      if let loss { bus = LossyBus(base: self.bus, random: loss) }
      hub = TopicHub(database: self.database, clock: SystemClock(), key: key, bus: bus, limits: limits)
    }

    func close() async {
      hub.close()
      bus.close()
      await database.close()
    }
  }

  /// Both nodes publish at random while both read all topics.
  /// - Parameter middle: done when a part of the events is out.
  private func run(
    loss: (any RandomSource)? = nil, backstop: Duration, middle: (NATSServer) async throws -> Void = { _ in }
  ) async throws {
    let server = try await NATSServer()
    let url = try await PostgreSQLServer.common().makeDatabase()
    let nodes = [
      try await Node(url, server.url, loss: loss, backstop: backstop),
      try await Node(url, server.url, loss: loss, backstop: backstop),
    ]
    let topics = (0..<Self.topicCount).map { Topic("test", "\($0)") }
    var subscriptions: [TopicSubscription] = []
    var collectors: [(topic: Int, collector: Collector)] = []
    for node in nodes {
      for (index, topic) in topics.enumerated() {
        let subscription = try await node.hub.subscribe(topic, after: 0)
        let collector = Collector()
        try await subscription.forward(to: collector)
        subscriptions.append(subscription)
        collectors.append((index, collector))
      }
    }
    var counts = [Int](repeating: 0, count: topics.count)
    for round in 0..<6 {
      if round == 2 { try await middle(server) }
      let random = SeededRandomSource(seed: UInt64(round))
      let plan = (0..<40).map { _ in (Int(random.below(2)), Int(random.below(UInt64(topics.count)))) }
      for (_, topic) in plan { counts[topic] += 1 }
      try await withThrowingTaskGroup { group in
        for (node, topic) in plan {
          let payload = random.bytes(Int(random.below(40)))
          let (hub, database, name) = (nodes[node].hub, nodes[node].database, topics[topic])
          group.addTask { _ = try await database.write { try hub.publish(name, payload, in: $0) } }
        }
        try await group.waitForAll()
      }
    }
    var first: [Int: [[UInt8]]] = [:]
    for (topic, collector) in collectors {
      let events = try await collector.all(counts[topic])
      #expect(events.map(\.0) == (1...UInt64(counts[topic])).map { $0 })
      let payloads = events.map(\.1)
      #expect(first[topic, default: payloads] == payloads)
      first[topic] = payloads
    }
    withExtendedLifetime(subscriptions) {}
    for node in nodes { await node.close() }
    try await server.kill()
  }

  @Test func `every subscriber sees what any node commits, dense and in order`() async throws {
    // So long that only the bus brings the events.
    try await run(backstop: .seconds(3600))
  }

  @Test func `the same when the bus loses half of the messages`() async throws {
    try await run(loss: SeededRandomSource(seed: 8), backstop: .milliseconds(50))
  }

  @Test func `the same when the bus is killed and comes back`() async throws {
    try await run(backstop: .milliseconds(50)) { server in
      try await server.kill()
      try await server.start()
    }
  }

  @Test func `the same when the bus is killed and stays away`() async throws {
    try await run(backstop: .milliseconds(50)) { try await $0.kill() }
  }
}
