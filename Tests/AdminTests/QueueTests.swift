import Base
import Cryptography
import DomainKit
import Foundation
import RPC
import Storage
import Testing

@testable import Admin

@Suite struct QueueOrderTests {
  @Test
  func `who waited before opening is admitted by the published secret, through a restart, later ones as they came`()
    async throws
  {
    let world = try await QueueWorld(rate: 100, burst: 40)
    #expect(world.event.secret == nil && !world.event.isOpen && world.event.secretHash.count == 32)
    var places: [QueuePlace] = []
    try await withThrowingTaskGroup(of: QueuePlace.self) { group in
      for user in 1...200 { group.addTask { try await world.join(user) } }
      for try await place in group { places.append(place) }
    }
    #expect(places.allSatisfy(\.isLobby) && Set(places.map(\.sequence)) == Set(1...200))
    try await world.round()
    #expect(try await world.present.secret == nil)
    #expect(try await world.admitted.isEmpty)
    try await world.open()
    #expect(try await world.admitted.count == 40)
    // The process dies as the queue opens; the next one knows only the rows.
    let second = try world.world.process(nil)
    for user in 201...210 { places.append(try await world.join(user, at: second)) }
    for user in stride(from: 10, through: 200, by: 10) { try await world.leave(user) }
    for _ in 0..<20 {
      world.clock.advance(by: .milliseconds(100))
      try await world.round(of: second)
    }
    let secret = try #require(try await world.present.secret)
    #expect(Hash.sha256(secret) == world.event.secretHash)
    let order = QueueWorld.order(places, secret: secret)
    #expect(order.map(\.entry) != places.map(\.entry))
    var left: Set<Identifier> = []
    for place in places where try await world.state(place) == .left { left.insert(place.entry) }
    // Of the twenty who left, those had been admitted before whose turn came among the first forty.
    let first = Array(order.prefix(40))
    #expect(left.count == 20)
    #expect(
      try await world.admitted == first + order.dropFirst(40).filter { !left.contains($0.entry) })
    #expect(try await world.present.waiting == 0)
    await world.database.close()
  }

  @Test func `admission keeps to rate and burst, and a restart grants no second burst`() async throws {
    let world = try await QueueWorld(rate: 10, burst: 5)
    for user in 1...30 { try await world.join(user) }
    try await world.open()
    #expect(try await world.admitted.count == 5)
    try await world.round()
    world.clock.advance(by: .milliseconds(99))
    try await world.round()
    #expect(try await world.admitted.count == 5)
    world.clock.advance(by: .milliseconds(1))
    try await world.round(of: try world.world.process(nil))
    #expect(try await world.admitted.count == 6)
    world.clock.advance(by: .milliseconds(350))
    try await world.round()
    #expect(try await world.admitted.count == 9)
    // What was not used while nobody waited is saved up to the burst.
    world.clock.advance(by: .seconds(30))
    try await world.round()
    #expect(try await world.admitted.count == 14)
    await world.database.close()
  }

  @Test func `a great queue goes on at its rate whatever one transaction does`() async throws {
    let count = ProcessInfo.processInfo.environment["OCTET_QUEUE_ENTRIES"].flatMap { Int($0) } ?? 1500
    var limits = QueueLimits()
    (limits.calledAtOnce, limits.loadedAtOnce) = (100, 400)
    if count > 10_000 { limits = QueueLimits() }
    let world = try await QueueWorld(rate: 1_000_000, burst: Int64(count), limits: limits)
    let clock = ContinuousClock()
    let joining = try await clock.measure {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<64 {
          group.addTask { for user in stride(from: worker + 1, through: count, by: 64) { try await world.join(user) } }
        }
        try await group.waitForAll()
      }
    }
    world.clock.advance(by: .seconds(10))
    let calling = try await clock.measure { try await world.round() }
    #expect(try await world.admitted.count == count)
    let places = try await world.admitted
    let secret = try #require(try await world.present.secret)
    #expect(places == QueueWorld.order(places, secret: secret))
    if count > 10_000 { print("\(count) entries: joined in \(joining), opened and called in \(calling)") }
    await world.database.close()
  }
}

@Suite struct QueuePlaceTests {
  @Test func `a user has one place, whatever devices join at once`() async throws {
    let world = try await QueueWorld()
    let places = try await withThrowingTaskGroup(of: QueuePlace.self) { group in
      for number in 0..<24 { group.addTask { try await world.join(1 + number % 3) } }
      return try await group.reduce(into: Set<Identifier>()) { $0.insert($1.entry) }
    }
    #expect(places.count == 3)
    #expect(try await world.present.waiting == 3)
    // Two devices follow one place and get one ticket.
    let place = try await world.join(1)
    let devices = [await Listener(place, at: world.process), await Listener(place, at: world.process)]
    try await world.open()
    let updates = [try await devices[0].end(), try await devices[1].end()]
    #expect(updates[0]?.ticket != nil && updates[0] == updates[1])
    // Whoever gives the place up gets another one, at the end.
    try await world.leave(1)
    let again = try await world.join(1)
    #expect(again.entry != place.entry && !again.isLobby && again.sequence > place.sequence)
    #expect(try await world.state(place) == .left)
    await world.database.close()
  }

  @Test func `no more wait than may, also when all come at once`() async throws {
    let world = try await QueueWorld(cap: 10)
    let errors = await withTaskGroup(of: (any Error)?.self) { group in
      for user in 1...30 {
        group.addTask {
          do {
            try await world.join(user)
            return nil
          } catch { return error }
        }
      }
      return await group.reduce(into: [(any Error)?]()) { $0.append($1) }
    }
    #expect(errors.filter { $0 == nil }.count == 10)
    #expect(errors.compactMap { $0 as? QueueError } == Array(repeating: .full, count: 20))
    let inside = try await world.database.read { reader in
      try reader.rows("SELECT user_id FROM queue_entries ORDER BY user_id") { $0[0] as Int }
    }
    // Whoever is inside stays so, and a place that is given up is free.
    try await world.join(inside[0])
    try await world.leave(inside[0])
    try await world.leave(inside[0])
    try await world.join(1000)
    await #expect(throws: QueueError.full) { try await world.join(1001) }
    await world.database.close()
  }

  @Test func `nobody joins before the lobby or after the end, and streams end with the queue`() async throws {
    let world = try await QueueWorld(burst: 1, lobbyFrom: .seconds(5))
    await #expect(throws: QueueError.notOpen(after: .seconds(5))) { try await world.join(1) }
    world.clock.advance(by: .seconds(5))
    let places = [try await world.join(1), try await world.join(2)]
    let streams = [await Listener(places[0], at: world.process), await Listener(places[1], at: world.process)]
    world.clock.advance(by: .seconds(5))
    try await world.round()
    let first = try #require(try await world.admitted.first)
    let winner = first.entry == places[0].entry ? 0 : 1
    let ticket = try #require(try await streams[winner].end()?.ticket)
    try await world.close()
    try await world.round()
    #expect(try await streams[1 - winner].end() == .ended(.closed))
    await #expect(throws: QueueError.windowClosed) { try await world.join(3) }
    try await world.spend(ticket.text, winner + 1)
    let unknown = QueueWorld.user(77)
    await #expect(throws: KitError.notFound("queue")) {
      try await world.database.write { try world.process.queue.join(unknown, as: unknown, in: $0) }
    }
    await world.database.close()
  }

  @Test func `a stream is told of the lobby, of its place as it improves, and of its turn`() async throws {
    let world = try await QueueWorld(rate: 1, burst: 1)
    for user in 1...3 { try await world.join(user) }
    let last = try await world.join(4)
    let lobby = await Listener(last, at: world.process)
    try await world.round()
    #expect(try await lobby.wait(for: 1) == .lobby(opensAt: world.event.opensAt, waiting: 4))
    await lobby.cancel()
    // Whoever comes after the opening is behind all of the lobby.
    try await world.open()
    let late = try await world.join(5)
    #expect(!late.isLobby)
    let stream = await Listener(late, at: world.process)
    try await world.round()
    #expect(try await stream.wait(for: 1) == .waiting(place: 4, wait: .seconds(4)))
    world.clock.advance(by: .seconds(1))
    try await world.round()
    // Told no more often than every two seconds.
    #expect(stream.updates.count == 1)
    world.clock.advance(by: .seconds(1))
    try await world.round()
    #expect(try await stream.wait(for: 2) == .waiting(place: 2, wait: .seconds(2)))
    world.clock.advance(by: .seconds(2))
    try await world.round()
    try await world.round()
    world.clock.advance(by: .seconds(1))
    try await world.round()
    #expect(try await stream.end()?.ticket?.expiresAt == world.clock.now() + .seconds(300))
    await world.database.close()
  }
}

@Suite struct QueuePresenceTests {
  @Test func `an abandoned head is given up, and the next admitted at once`() async throws {
    let world = try await QueueWorld(rate: 1, burst: 1)
    var places = [try await world.join(1), try await world.join(2), try await world.join(3)]
    // Any order of theirs will do: the one whose turn is last is followed.
    let secret = world.process.admissions.secret(of: world.event.id)
    places = QueueWorld.order(places, secret: secret)
    let stream = await Listener(places[2], at: world.process)
    let gone = await Listener(places[1], at: world.process)
    try await world.round()
    await gone.cancel()
    try await world.round()
    // Sixty seconds later nobody has followed the first and the second for a minute.
    for _ in 0..<12 {
      world.clock.advance(by: .seconds(5))
      try await world.process.admissions.presence.write(to: world.database, at: world.clock.now())
    }
    try await world.round()
    #expect(try await stream.end()?.ticket != nil)
    #expect(try await world.state(places[0]) == .abandoned)
    #expect(try await world.state(places[1]) == .abandoned)
    #expect(try await world.admitted == [places[2]])
    #expect(try await world.present.waiting == 0)
    await world.database.close()
  }

  @Test func `who was there less than a minute ago is admitted, and gets the ticket on coming back`() async throws {
    let world = try await QueueWorld()
    let place = try await world.join(1)
    let stream = await Listener(place, at: world.process)
    try await world.round()
    for _ in 0..<20 {
      world.clock.advance(by: .seconds(5))
      try await world.process.admissions.presence.write(to: world.database, at: world.clock.now())
    }
    await stream.cancel()
    try await world.process.admissions.presence.write(to: world.database, at: world.clock.now())
    world.clock.advance(by: .seconds(29))
    world.process.admissions.presence.answered(at: world.clock.now())
    world.clock.advance(by: .seconds(29))
    world.process.admissions.presence.answered(at: world.clock.now())
    world.clock.advance(by: .nanoseconds(1_999_999_999))
    try await world.round()
    #expect(try await world.state(place) == .admitted)
    let back = await Listener(try await world.join(1), at: world.process)
    try await world.round()
    #expect(try await back.end()?.ticket != nil)
    await world.database.close()
  }

  @Test func `an outage of more than a minute ends no place`() async throws {
    let world = try await QueueWorld()
    let place = try await world.join(1)
    world.clock.advance(by: .seconds(600))
    // Nobody could follow anything while no process was there.
    let process = try world.world.process(nil)
    try await world.round(of: process)
    #expect(try await world.state(place) == .admitted)
    await world.database.close()
  }

  @Test func `nor does one of the database alone: all have a minute anew, however other processes' beats lie`()
    async throws
  {
    let world = try await QueueWorld(rate: 1, burst: 1)
    let places = QueueWorld.order(
      [try await world.join(1), try await world.join(2)], secret: world.process.admissions.secret(of: world.event.id))
    let elsewhere = try world.world.process(nil)
    _ = await Listener(places[0], at: elsewhere)
    try await elsewhere.admissions.presence.write(to: world.database, at: world.clock.now())
    try await world.round()
    // `QueueLimits.longestSilence` without an answer, twice: the other process has not told of itself since.
    world.clock.advance(by: .seconds(61))
    try await world.round()
    #expect(try await world.state(places[0]) == .admitted)
    // From there on it counts as before.
    for _ in 0..<12 {
      world.clock.advance(by: .seconds(5))
      world.process.admissions.presence.answered(at: world.clock.now())
    }
    try await world.round()
    #expect(try await world.state(places[1]) == .abandoned)
    await world.database.close()
  }

  @Test func `nor does one that begins while a round is under way`() async throws {
    let world = try await QueueWorld()
    let place = try await world.join(1)
    world.clock.advance(by: .seconds(10))
    let process = try world.world.process(nil, by: BusyDatabase(world.database, world.clock))
    try await world.round(of: process)
    #expect(try await world.state(place) == .admitted)
    await world.database.close()
  }

  @Test func `those whose turn it was do not stay in memory`() {
    let order = QueueOrder(secret: [UInt8](repeating: 7, count: 32))
    let places = (1...100 as ClosedRange<Int64>).map {
      QueuePlace(event: Identifier(rawValue: 1), entry: Identifier(rawValue: $0), isLobby: false, sequence: $0)
    }
    var line = QueueLine(order, lobby: [])
    line.append(places)
    line.drop(upTo: order.key(of: places[49]))
    #expect(line.spots.count == 100)
    line.drop(upTo: order.key(of: places[50]))
    #expect(line.spots.map(\.place.entry) == places[51...].map(\.entry) && line.lastSequence == 100)
    #expect(line.number(of: order.key(of: places[60]), after: order.key(of: places[50])) == 10)
  }

  @Test func `whoever followed at a process that died counts as unseen since its last sign of life`() async throws {
    let world = try await QueueWorld(rate: 1, burst: 1)
    let places = QueueWorld.order(
      [try await world.join(1), try await world.join(2)], secret: world.process.admissions.secret(of: world.event.id))
    // The first one's process falls silent; the second one's goes on.
    let silent = try world.world.process(nil)
    _ = await Listener(places[0], at: silent)
    let stream = await Listener(places[1], at: world.process)
    try await silent.admissions.presence.write(to: world.database, at: world.clock.now())
    for _ in 0..<13 {
      world.clock.advance(by: .seconds(5))
      try await world.process.admissions.presence.write(to: world.database, at: world.clock.now())
    }
    try await world.round()
    #expect(try await stream.end()?.ticket != nil)
    #expect(try await world.state(places[0]) == .abandoned)
    await world.database.close()
  }
}

@Suite struct QueueTicketTests {
  @Test func `a ticket is good once, for its user and queue, until its time is over`() async throws {
    let world = try await QueueWorld(burst: 3, ticketTime: .seconds(60))
    var tickets: [String] = []
    for user in 1...3 { try await world.join(user) }
    try await world.open()
    for user in 1...3 {
      let stream = await Listener(try await world.join(user), at: world.process)
      try await world.round()
      tickets.append(try #require(try await stream.end()?.ticket).text)
    }
    #expect(Set(tickets).count == 3)
    let required = QueueError.admissionRequired
    for wrong in ["", "qt1.", tickets[0] + "A", String(tickets[0].dropLast()), tickets[1]] {
      await #expect(throws: required) { try await world.spend(wrong, 1) }
    }
    await #expect(throws: required) { try await world.spend(tickets[0], 1, of: QueueWorld.user(7)) }
    // A purchase that fails leaves the ticket.
    struct SoldOut: Error {}
    await #expect(throws: SoldOut.self) {
      try await world.database.write {
        [queue = world.process.queue, event = world.event.id, ticket = tickets[0]] writer in
        try queue.spend(ticket, of: event, by: QueueWorld.user(1), in: writer)
        throw SoldOut()
      }
    }
    let spent = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { [ticket = tickets[0]] in
          do {
            try await world.spend(ticket, 1)
            return true
          } catch {
            return error as? QueueError != required
          }
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(spent == 1)
    world.clock.advance(by: .nanoseconds(59_999_999_999))
    try await world.spend(tickets[1], 2)
    world.clock.advance(by: .nanoseconds(1))
    await #expect(throws: QueueError.admissionExpired) { try await world.spend(tickets[2], 3) }
    // The sweep of tickets changes nothing about that; the user may queue again.
    try await world.round()
    await #expect(throws: QueueError.admissionExpired) { try await world.spend(tickets[2], 3) }
    #expect(try await world.join(3).sequence == 4)
    #expect(try await world.join(2).sequence == 5)
    await world.database.close()
  }

  @Test func `a ticket that nobody swept yet is expired, and its user gets a new place`() async throws {
    let world = try await QueueWorld(ticketTime: .seconds(60))
    let place = try await world.join(1)
    try await world.open()
    world.clock.advance(by: .seconds(60))
    let again = try await world.join(1)
    #expect(again.entry != place.entry)
    #expect(try await world.state(place) == .expired)
    await world.database.close()
  }
}
