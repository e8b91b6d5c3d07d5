import Base
import DomainKit
import Storage
import Testing

@testable import Admin

@Suite struct QueueNodesTests {
  @Test func `of two nodes one calls, both tell, and another one goes on when it dies`() async throws {
    let world = try await QueueWorld(rate: 2, burst: 2, node: 1)
    let second = try world.world.process(2)
    var places: [QueuePlace] = []
    for user in 1...8 { places.append(try await world.join(user, at: user % 2 == 0 ? second : nil)) }
    let streams = [await Listener(places[0], at: world.process), await Listener(places[1], at: second)]
    world.clock.advance(by: .seconds(10))
    // Both at the same moment: the rate is that of one.
    async let here: Void = world.round()
    async let there: Void = world.round(of: second)
    _ = try await (here, there)
    #expect(try await world.admitted.count == 2)
    world.clock.advance(by: .seconds(1))
    try await world.round()
    try await world.round(of: second)
    #expect(try await world.admitted.count == 4)
    // The owner falls silent. Its lease runs out, and the other node goes on where it was.
    let owner = try await world.database.read { reader in
      try reader.first("SELECT holder FROM octet_leases WHERE name LIKE 'queue/event/%'") { $0[0] as String }
    }
    world.clock.advance(by: .seconds(11))
    let heir = try world.world.process(3)
    try await world.round(of: heir)
    world.clock.advance(by: .seconds(1))
    try await world.round(of: heir)
    let newOwner = try await world.database.read { reader in
      try reader.first("SELECT holder FROM octet_leases WHERE name LIKE 'queue/event/%'") { $0[0] as String }
    }
    #expect(owner != nil && newOwner != owner)
    #expect(try await world.admitted.count == 8)
    let secret = try #require(try await world.present.secret)
    #expect(try await world.admitted == QueueWorld.order(places, secret: secret))
    try await world.round()
    try await world.round(of: second)
    #expect(try await streams[0].end()?.ticket != nil)
    #expect(try await streams[1].end()?.ticket != nil)
    await world.database.close()
  }

  @Test func `the background work opens, calls and tells by itself`() async throws {
    let world = try await QueueWorld(node: 1)
    let stream = await Listener(try await world.join(1), at: world.process)
    world.clock.advance(by: .seconds(10))
    try await world.process.start()
    #expect(try await stream.end()?.ticket != nil)
    await world.process.stop()
    await world.database.close()
  }
}

@Suite struct QueueUpkeepTests {
  @Test func `who is erased leaves, and what is known of a user is told`() async throws {
    let world = try await QueueWorld(burst: 1)
    let place = try await world.join(1)
    try await world.join(2)
    let records = try #require(world.process.personalRecords)
    let exported = Locked<[String]>([])
    try await world.database.read { reader in
      try records.export(QueueWorld.user(1), in: reader) { kind, json in exported.withLock { $0.append(kind + json) } }
    }
    let texts = exported.withLock { $0 }
    #expect(texts.count == 1 && texts[0].hasPrefix("QueueEntry{"))
    #expect(texts[0].contains(place.entry.text(kind: "qe")) && texts[0].contains("flash_0000000000001"))
    #expect(texts[0].contains("QUEUE_ENTRY_STATE_WAITING"))
    #expect(try await !world.database.write { try records.erase(QueueWorld.user(1), in: $0) })
    #expect(try await world.present.waiting == 1)
    #expect(try await world.state(place) == .left)
    let left = try await world.database.read { try EntryRow.find(place.event, place.entry, in: $0)?.user }
    #expect(left == nil)
    try await world.open()
    #expect(try await world.admitted.count == 1)
    await world.database.close()
  }

  @Test func `what was closed long ago is swept, presence soon, and dead processes too`() async throws {
    var limits = QueueLimits()
    (limits.sweptAtOnce, limits.presencesAtOnce) = (4, 3)
    let world = try await QueueWorld(limits: limits)
    for user in 1...10 { _ = await Listener(try await world.join(user), at: world.process) }
    try await world.round()
    try await world.close()
    let sweep = try #require(world.process.sweeps.first)
    func count(_ table: String) async throws -> Int {
      try await world.database.read { try $0.first("SELECT COUNT(*) FROM \(table)") { $0[0] } ?? 0 }
    }
    #expect(try await count("queue_presence") == 10)
    #expect(try await !sweep.step(world.database))
    world.clock.advance(by: .seconds(3600))
    while try await sweep.step(world.database) {}
    #expect(try await count("queue_presence") == 0)
    #expect(try await count("queue_processes") == 0)
    #expect(try await count("queue_entries") == 10)
    world.clock.advance(by: limits.retention)
    while try await sweep.step(world.database) {}
    #expect(try await count("queue_entries") == 0)
    #expect(try await count("queue_events") == 0)
    await world.database.close()
  }

  @Test func `limits fit each other`() {
    let limits = QueueLimits()
    #expect(
      limits.unseenLimit == .seconds(60) && limits.placeInterval == .seconds(2) && limits.ownerLease == .seconds(10))
    // A living process is never taken for a dead one.
    #expect(limits.beatInterval * 6 < limits.unseenLimit && limits.idleInterval < limits.beatInterval)
    #expect(limits.roundInterval == .milliseconds(100))
  }
}
