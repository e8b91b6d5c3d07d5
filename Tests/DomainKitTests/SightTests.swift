import Base
import ChatAPI
import Cryptography
import ProtobufRuntime
import RPC
import Refusals
import Storage
import Streaming
import Testing

@testable import DomainKit

private let thing = SubjectID("note", Identifier(rawValue: 7))
private let other = SubjectID("note", Identifier(rawValue: 8))
private let watch = MethodDescriptor(
  service: "test.Notes", name: "Watch", kind: .serverStreaming, policy: MethodPolicy(access: .user))

/// What ends streams when what they are about has become hidden.
@Suite struct SightTests {
  @Test func `a change wakes who watches the thing, on all nodes that have the key, until the watch is let go`()
    async throws
  {
    let shop = try await Workshop()
    let (bus, key) = (Wire(), SecretKey.random())
    let nodes = [key, key, SecretKey.random()].map { Sights(bus: bus, notes: nil, key: $0) }
    let woken = Locked<[String]>([])
    var watches = nodes.enumerated().flatMap { number, node in
      [thing, other, Sights.reader(Workshop.user)].map { subject in
        node.watch([subject]) { woken.withLock { $0.append("\(number) \(subject.kind) \(subject.id.rawValue)") } }
      }
    }
    func expect(_ expected: Set<String>, after change: @escaping @Sendable (any Writer) throws -> Void) async throws {
      try await shop.database.write(change)
      #expect(Set(woken.withLock { $0 }) == expected)
      woken.withLock { $0 = [] }
    }
    try await expect(["0 note 7", "1 note 7"]) { try nodes[0].visibilityChanged(of: thing, in: $0) }
    try await expect(["0 reader 1", "1 reader 1"]) { try nodes[1].changed(for: Workshop.user, in: $0) }
    bus.publish("octet.sights", Array(thing.text.utf8))
    try await expect([]) { _ in }
    watches.removeAll()
    try await expect([]) { try nodes[0].visibilityChanged(of: thing, in: $0) }
    await shop.database.close()
  }

  /// A stream about the thing, which is hidden as soon as `isHidden` says so.
  private func call(
    _ shop: Workshop, _ isHidden: Locked<Bool>, about thing: SubjectID = thing,
    beforeWatch: @escaping @Sendable () -> Void = {}
  ) throws -> ServerStreamingCall<ServerFrame> {
    let kit = shop.kit
    let channel = shop.channel {
      $0.serverStreaming(watch) { (_: Join, responses: ResponseWriter<ServerFrame>, context) in
        let since = kit.sights.changes
        try await kit.watch(
          Topic("notes", "1"), resumeToken: "", responses, context, snapshot: { _ in true },
          over: { _ in
            beforeWatch()
            return Sight(things: [thing], since: since) { _ in
              if isHidden.withLock({ $0 }) { throw KitError.notFound("note") }
            }
          },
          first: { _, _ in .send(ServerFrame()) }, heartbeat: { ServerFrame() }, step: { _, _ in .skip })
      }
    }
    return channel.serverStreaming(watch, Join(), options: try shop.credentials())
  }

  @Test func `a change between the first look and the watch is not missed`() async throws {
    let shop = try await Workshop()
    let sights = shop.kit.sights
    let call = try call(shop, Locked(true), beforeWatch: { sights.wake(other) })
    _ = try await call.responses.next()
    await expectRefusal(.notFound, "NOT_FOUND") { try await call.responses.next() }
    await shop.database.close()
  }

  @Test func `a hundred quiet streams cost one read together, and what another node has changed is found by it`()
    async throws
  {
    let shop = try await Workshop(beatInterval: .milliseconds(10), hasOthers: true)
    var changes = SightCatchUp(shop.kit)
    let hidden = (0..<100).map { _ in Locked(false) }
    var calls: [ServerStreamingCall<ServerFrame>] = []
    for (number, isHidden) in hidden.enumerated() {
      let call = try call(shop, isHidden, about: SubjectID("note", Identifier(rawValue: Int64(number + 1))))
      // The first one is the snapshot.
      for _ in 0..<2 { #expect(try await call.responses.next() != nil) }
      calls.append(call)
    }
    let before = shop.statementCount
    for call in calls {
      for _ in 0..<3 { #expect(try await call.responses.next() != nil) }
    }
    for _ in 0..<5 { try await changes.look() }
    #expect(shop.statementCount == before + 5)

    // Another node's word is lost.
    let notes = SightNotes(clock: shop.clock)
    func change(_ number: Int) async throws {
      try await shop.database.write { try notes.note(SubjectID("note", Identifier(rawValue: Int64(number))), in: $0) }
    }
    for isHidden in hidden { isHidden.withLock { $0 = true } }
    try await change(8)
    try await changes.look()
    await expectRefusal(.notFound, "NOT_FOUND") { while try await calls[7].responses.next() != nil {} }
    for _ in 0..<3 { #expect(try await calls[8].responses.next() != nil) }
    for call in calls { call.cancel() }
    await shop.database.close()
  }

  @Test func `each change is found once, also the second at an instant, one by a wrong clock and one of long ago`()
    async throws
  {
    let shop = try await Workshop(hasOthers: true)
    let (sights, clock) = (shop.kit.sights, shop.clock)
    let notes = SightNotes(clock: ManualClock(clock.now()))
    var changes = SightCatchUp(shop.kit)
    var seen = sights.changes
    func expectChanges(_ count: UInt64) async throws {
      try await changes.look()
      #expect(sights.changes == seen + count)
      seen = sights.changes
    }
    func note(_ thing: SubjectID) async throws { try await shop.database.write { try notes.note(thing, in: $0) } }
    try await expectChanges(0)
    try await note(thing)
    try await expectChanges(1)
    try await expectChanges(0)
    try await note(thing)
    try await expectChanges(1)
    clock.advance(by: SightCatchUp.lateness - .seconds(1))
    try await expectChanges(0)
    try await note(other)
    clock.advance(by: SightCatchUp.farLookInterval)
    try await expectChanges(1)
    try await expectChanges(0)
    // Nobody looked for long.
    let begun = SightNotes(clock: ManualClock(clock.now()))
    clock.advance(by: .seconds(3600))
    try await shop.database.write { try begun.note(thing, in: $0) }
    try await expectChanges(1)
    let retention = SightNoteRetention(clock: clock)
    clock.advance(by: .seconds(86_400 - 3660) - SightCatchUp.farLookInterval)
    while try await retention.step(shop.database) {}
    func count() async throws -> Int {
      try await shop.database.read { try $0.first("SELECT count(*) FROM sight_notes") { $0[0] } ?? 0 }
    }
    #expect(try await count() == 2)
    clock.advance(by: .seconds(120))
    while try await retention.step(shop.database) {}
    #expect(try await count() == 0)
    await shop.database.close()
  }

  @Test(arguments: [SightCatchUp.usualLateness, SightCatchUp.lateness])
  func `what commits late is found, by the next look if it is not very late`(lateness: Duration) async throws {
    let shop = try await Workshop(hasOthers: true)
    let (sights, clock, database) = (shop.kit.sights, shop.clock, shop.database)
    let notes = SightNotes(clock: ManualClock(clock.now()))
    var changes = SightCatchUp(shop.kit)
    let (hasNoted, mayEnd) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
    let late = Task {
      try await database.write { writer in
        try notes.note(thing, in: writer)
        _ = try writer.exists("SELECT 1 FROM sight_notes")
        hasNoted.unpark()
        _ = mayEnd.pop(atMost: 1)
      }
    }
    // Whatever fails here lets it end.
    defer { mayEnd.close() }
    try await hasNoted.park()
    let before = sights.changes
    // A look twice a second, as a node has it.
    let pause = Duration.milliseconds(500)
    func look(for time: Duration) async throws {
      let end = clock.now() + time
      while clock.now() < end {
        clock.advance(by: pause)
        try await changes.look()
      }
    }
    try await look(for: lateness)
    #expect(sights.changes == before)
    mayEnd.close()
    try await late.value
    try await changes.look()
    #expect(sights.changes == (lateness == SightCatchUp.usualLateness ? before + 1 : before))
    try await look(for: SightCatchUp.farLookInterval)
    #expect(sights.changes == before + 1)
    try await look(for: SightCatchUp.lateness)
    #expect(sights.changes == before + 1)
    await database.close()
  }

  @Test func `a node that serves alone notes nothing for others`() async throws {
    for hasOthers in [false, true] {
      let shop = try await Workshop(hasOthers: hasOthers)
      try await shop.database.write { try shop.kit.sights.visibilityChanged(of: thing, in: $0) }
      let isNoted = try await shop.database.read { try $0.exists("SELECT 1 FROM sight_notes WHERE subject_id = 7") }
      #expect(isNoted == hasOthers)
      await shop.database.close()
    }
  }
}

/// What one node publishes, all hear.
private final class Wire: MessageBus {
  private let handlers = Locked<[@Sendable ([UInt8]) -> Void]>([])

  func publish(_ subject: String, _ message: [UInt8]) {
    for handler in handlers.withLock({ $0 }) { handler(message) }
  }

  func subscribe(_ subject: String, _ handler: @escaping @Sendable ([UInt8]) -> Void) -> BusSubscription {
    handlers.withLock { $0.append(handler) }
    return BusSubscription {}
  }

  func onInterruption(_ handler: @escaping @Sendable () -> Void) -> BusSubscription { BusSubscription {} }
}
