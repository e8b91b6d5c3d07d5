import Base
import OctetTypes
import ProtobufRuntime
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

/// Invariants of the rides specification, by number.
struct InvariantTests {
  @Test func `invariant 1: of 20 requests of one rider at once, one makes a live ride and the others are RIDE_ACTIVE`()
    async throws
  {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    var quotes: [FareQuote] = []
    for _ in 0..<20 { quotes.append(try await rider.quote()) }
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for quote in quotes {
        group.addTask { await refusal { _ = try await rider.requestRide(quote) } }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 == nil }.count == 1)
    #expect(outcomes.compactMap(\.self).allSatisfy { $0 == Refusal(.failedPrecondition, "RIDE_ACTIVE") })
    #expect(try await world.violations().isEmpty)
  }

  @Test func `invariant 1: a driver on a ride is offered no other`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let first = try await TestRider(world).requestRide()
    try await world.match()
    _ = try await driver.accept(try await driver.offer())
    _ = try await TestRider(world).requestRide()
    #expect(try await world.match() == 0)
    #expect(try await driver.open().ride?.id == first.id)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `invariant 2: at every step the driver of a ride is that of its accepted offer, on the way or driving`()
    async throws
  {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    func presence() async throws -> Presence {
      #expect(try await world.violations().isEmpty)
      return try await driver.open().presence
    }
    #expect(try await presence() == .idle)
    try await world.match()
    #expect(try await presence() == .offered)
    let offer = try #require(try await driver.open().offer)
    _ = try await driver.accept(offer)
    #expect(try await presence() == .enRoute)
    try await driver.report(place())
    try await driver.arrive(ride.id)
    #expect(try await presence() == .enRoute)
    try await driver.start(ride.id, pin: try #require(try await rider.ride(ride.id).pin))
    #expect(try await presence() == .onTrip)
    try await driver.complete(ride.id)
    #expect(try await presence() == .idle)
  }

  @Test func `invariant 3: an accept of an old epoch never commits`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let ride = try await TestRider(world).requestRide()
    try await world.match()
    let old = try await driver.offer()
    try await world.advance(by: .seconds(12))
    #expect(try await driver.closedOffer().reason == .expired)
    try await world.match()
    let new = try await driver.offer()
    #expect(new.rideID == ride.id)
    #expect(try await driver.accept(old).refusalReason == "OFFER_EXPIRED")
    #expect(try await driver.accept(new).ackedRide?.epoch == 2)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `invariant 3: nothing is ASSIGNED after an acknowledged cancel`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    try await world.match()
    let offer = try await driver.offer()
    try await rider.cancel(ride.id)
    #expect(try await driver.accept(offer).refusalReason == "OFFER_WITHDRAWN")
    #expect(try await driver.closedOffer().reason == .withdrawn)
    #expect(try await world.states(of: ride.id).last == .cancelledByRider)
  }

  @Test func `invariant 4: positions shuffled, doubled, from the future or a jump away leave a driver in one cell`()
    async throws
  {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let id = try Identifier.parse(driver.id, kind: IDKind.driver)
    let city = try await world.city().id
    func expect(at place: LatLng) throws {
      let index = world.core.fleet.snapshot(of: city, heardAfter: Instant(seconds: 0)).index
      let coordinate = try #require(Coordinate(place))
      #expect(index.count == 1)
      #expect(index.coordinate(of: id) == coordinate)
      #expect(index.cell(of: id) == CellID(coordinate, level: DriverIndex.cellLevel))
    }
    world.clock.advance(by: .seconds(30))
    #expect(try await driver.report(sequence: 10, place(north: 100)).refused.isEmpty)
    try expect(at: place(north: 100))
    world.clock.advance(by: .seconds(30))
    // Overtaken and doubled.
    for sequence in [9, 10] as [Int64] {
      #expect(
        try await driver.report(sequence: sequence, place(north: 5000)).refused.map(\.reason) == ["POSITION_OLD"])
    }
    // From the future, too old, imprecise, nowhere.
    #expect(
      try await driver.report(sequence: 11, place(), ageMs: -1).refused.map(\.reason) == ["POSITION_REJECTED"])
    #expect(
      try await driver.report(sequence: 12, place(), ageMs: 60_001).refused.map(\.reason) == ["POSITION_REJECTED"])
    #expect(
      try await driver.report(sequence: 13, place(), accuracyM: 101).refused.map(\.reason) == ["POSITION_REJECTED"])
    var nowhere = place()
    nowhere.latitude = .nan
    #expect(try await driver.report(sequence: 14, nowhere).refused.map(\.reason) == ["POSITION_REJECTED"])
    try expect(at: place(north: 100))
    // 50 km away after 30 seconds: kept aside, and forgotten as the next reading is near the old place.
    #expect(try await driver.report(sequence: 15, place(north: 50_000)).acceptedSequence == 10)
    try expect(at: place(north: 100))
    world.clock.advance(by: .seconds(5))
    #expect(try await driver.report(sequence: 16, place(north: 150)).acceptedSequence == 16)
    try expect(at: place(north: 150))
    try await driver.goOffline()
    #expect(world.core.fleet.snapshot(of: city, heardAfter: Instant(seconds: 0)).index.count == 0)
  }

  @Test func `invariant 4: sequences go on rising across sessions, a long absence and a restart`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    world.clock.advance(by: .seconds(5))
    #expect(try await driver.report(sequence: 50, place()).acceptedSequence == 50)
    try await driver.goOffline()
    driver.close()
    world.clock.advance(by: .seconds(600))
    try await world.core.checkpointPositions()
    #expect(try await driver.open().acceptedSequence == 50)
    try await world.restart()
    let again = TestDriver(world, user: driver.user)
    #expect(try await again.open().acceptedSequence == 50)
    #expect(try await again.report(sequence: 50, place()).refused.map(\.reason) == ["POSITION_OLD"])
    #expect(try await again.report(sequence: 51, place()).refused.isEmpty)
  }

  @Test func `invariant 5: the lines sum to the total, and the fare computed again is equal to the byte`() async throws
  {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    for step in 1...30 {
      try await world.advance(by: .seconds(5))
      try await driver.report(place(north: Double(step) * 300))
    }
    try await driver.complete(ride.id)
    let receipt = try await rider.receipt(ride.id)
    #expect(!receipt.quoteBound)
    #expect(receipt.lines.compactMap(\.amount?.minorUnits).reduce(0, +) == receipt.total?.minorUnits)
    #expect(try await rider.recomputed(ride.id).encoded() == receipt.encoded())
    #expect(try await driver.rides.recomputeFare(.init(ride.id)).encoded() == receipt.encoded())
    #expect(try await world.violations().isEmpty)
  }

  @Test func `invariant 5: an estimate never falls when the way grows`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    var last: Int64 = 0
    for north in stride(from: 0.0, through: 12_000, by: 400) {
      let total = try #require(try await rider.quote(to: place(north: north)).total?.minorUnits)
      #expect(total >= last)
      last = total
    }
  }

  @Test func `invariant 8: no row and no driver's reply holds the PIN`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAtPickup()
    let pin = try #require(try await rider.ride(ride.id).pin)
    #expect(try await driver.rides.getRide(.init(ride.id)).pin == nil)
    #expect(try await driver.open().ride?.pin == nil)
    let id = try Identifier.parse(ride.id, kind: IDKind.ride)
    let payloads = try await world.database.read { reader in
      try reader.rows("SELECT payload FROM octet_topic_events") { $0.blob(0) }
    }
    for payload in payloads {
      let row = try? WatchRideResponse(decoding: payload)
      if case .change(let shown) = row?.event { #expect(shown.pin == nil) }
    }
    #expect(world.core.pin(of: id, epoch: ride.epoch) == pin)
    #expect(world.core.pin(of: id, epoch: ride.epoch + 1) != pin)
  }

  @Test func `invariant 9: acknowledged points of a trail survive a crash, and none is stored twice`() async throws {
    let world = try await RidesWorld()
    let (_, driver, ride) = try await world.rideUnderWay()
    let id = try Identifier.parse(ride.id, kind: IDKind.ride)
    func stored() async throws -> [Int64] {
      try await world.database.read { reader in
        try reader.rows("SELECT sequence FROM rides_trail WHERE ride_id = $1 ORDER BY sequence", id) { $0[0] }
      }
    }
    // 20 points are stored at once, and the ack says so.
    var ack = SessionAck()
    for step in 1...20 {
      world.clock.advance(by: .seconds(4))
      ack = try await driver.report(sequence: 100 + Int64(step), place(north: Double(step) * 40))
      if ack.durableSequence > 100 { break }
    }
    let durable = ack.durableSequence
    #expect(durable > 100)
    #expect(try await stored().last == durable)
    // Two more stay in memory, and are lost in the crash.
    for step in 1...2 {
      world.clock.advance(by: .seconds(4))
      ack = try await driver.report(sequence: durable + Int64(step), place(north: 800 + Double(step) * 40))
    }
    #expect(ack.durableSequence == durable)
    try await world.restart()

    let again = TestDriver(world, user: driver.user)
    let state = try await again.open()
    #expect(state.ride?.id == ride.id)
    #expect(state.durableSequence == durable)
    // The phone sends again from there; what is there already is refused, not stored twice.
    #expect(try await again.report(sequence: durable, place(north: 800)).refused.map(\.reason) == ["POSITION_OLD"])
    for step in 1...2 {
      let sent = try await again.report(
        sequence: durable + Int64(step), place(north: 800 + Double(step) * 40), ageMs: 8000 - Int64(step) * 4000)
      #expect(sent.refused.isEmpty)
    }
    try await world.rides.flushTrails()
    let all = try await stored()
    #expect(all.suffix(3) == [durable, durable + 1, durable + 2])
    #expect(Set(all).count == all.count)
  }
}

extension RecomputeFareRequest {
  init(_ ride: String) {
    self.init()
    rideID = ride
  }
}

extension GetRideRequest {
  init(_ ride: String) {
    self.init()
    rideID = ride
  }
}
