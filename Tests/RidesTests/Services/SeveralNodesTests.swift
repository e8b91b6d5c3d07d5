import Base
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

/// Two nodes on one database, without a bus. Their rounds are run by hand, with a clock that the test moves.
@Suite struct SeveralNodesTests {
  /// A world with a driver and a rider on its second node; the first one has the city.
  private func world(cityLease: Duration = .seconds(10)) async throws -> (RidesWorld, first: RidesDomain) {
    var limits = RidesLimits()
    limits.cityLease = cityLease
    let world = try await RidesWorld(limits: limits, isShared: true)
    try await world.match()
    return (world, try world.join(number: 2).rides)
  }

  @Test func `one node matches a city, by what the other one has stored of its drivers`() async throws {
    let (world, first) = try await world()
    let driver = try await TestDriver.online(world)
    let ride = try await TestRider(world).requestRide()
    #expect(try await world.match() == 0, "it is not for the second node")
    #expect(try await first.matchOnce() == 0, "no checkpoint says where the driver is")
    try await world.core.checkpointPositions()
    #expect(try await first.matchOnce() == 1)
    let offer = try await driver.offer()
    #expect(offer.rideID == ride.id)
    // The node of the session has followed: the ride's positions become its trail.
    #expect(try await driver.accept(offer).ackedRide?.id == ride.id)
    world.clock.advance(by: .seconds(2))
    try await driver.report(place(north: 20))
    #expect(world.core.fleet.waitingTrails().count == 1)
    #expect(try await world.violations().isEmpty)
  }

  @Test(arguments: [10, 30]) func `after cityLease another node matches the city, and the late one does not`(
    seconds: Int
  ) async throws {
    let (world, first) = try await world(cityLease: .seconds(seconds))
    let driver = try await TestDriver.online(world)
    try await world.core.checkpointPositions()
    _ = try await TestRider(world).requestRide()
    // The first node is away.
    var (waited, offers) = (0, 0)
    while offers == 0 {
      world.clock.advance(by: .seconds(2))
      waited += 2
      try await driver.report(place(north: Double(waited)))
      offers = try await world.match()
      #expect(waited <= seconds, "the lease has run out")
    }
    #expect(waited > seconds - 2)
    #expect(offers == 1)
    let city = try await world.city().id
    #expect(first.core.owner?.lease(of: city) == nil)
    #expect(world.core.owner?.lease(of: city) != nil)
    #expect(try await first.matchOnce() == 0)
    #expect(try await driver.accept(try await driver.offer()).ackedRide != nil)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `a node takes no drivers offline who report to another one, and those who are silent it does`()
    async throws
  {
    let (world, first) = try await world()
    let driver = try await TestDriver.online(world)
    func round(_ speaks: Bool) async throws {
      world.clock.advance(by: .seconds(5))
      if speaks { try await driver.report(place()) }
      try await world.core.checkpointPositions()
      try await world.core.followOtherNodes()
      try await first.matchOnce()
      try await world.match()
    }
    func presence() async throws -> Presence? {
      let id = try Identifier.parse(driver.id, kind: IDKind.driver)
      return try await world.database.read { try $0.presence(of: id)?.state }
    }
    for _ in 0..<30 { try await round(true) }
    #expect(try await presence() == .idle)
    for _ in 0..<11 { try await round(false) }
    #expect(try await presence() == .idle)
    for _ in 0..<2 { try await round(false) }
    #expect(try await presence() == .offline)
    try await world.core.followOtherNodes()
    let id = try Identifier.parse(driver.id, kind: IDKind.driver)
    #expect(world.core.fleet.presence(of: id) == .offline)
  }

  @Test func `an older session on another node ends with that node's next look at what is stored`() async throws {
    let (world, _) = try await world()
    let here = world.rides
    let driver = try await TestDriver.online(world)
    _ = try world.join(number: 3)
    let elsewhere = TestDriver(world, user: driver.user)
    try await elsewhere.open()
    try await here.core.followOtherNodes()
    #expect(await refusal { while true { _ = try await driver.next() } } == Refusal(.aborted, "SESSION_REPLACED"))
    // The newest one stays, and its number is the highest even if its node's clock is behind.
    try await world.core.followOtherNodes()
    try await elsewhere.report(place(north: 1))
    let id = try Identifier.parse(driver.id, kind: IDKind.driver)
    let late = try await world.database.write { try $0.beginSession(Identifier(rawValue: 1), of: id) }
    let newest = try await world.database.read { try $0.newestSessions(of: [id]) }
    #expect(newest.map(\.session) == [late])
    #expect(late.rawValue > 1)
    try await world.core.followOtherNodes()
    #expect(await refusal { while true { _ = try await elsewhere.next() } } == Refusal(.aborted, "SESSION_REPLACED"))
  }

  /// A ride under way, whose last position is in the memory of the second node alone, and its driver on a third one.
  private func rideWithTrailElsewhere(
    flushWait: Duration
  ) async throws -> (world: RidesWorld, driver: TestDriver, second: RidesDomain, ride: Identifier, last: Int64) {
    var limits = RidesLimits()
    limits.flushWait = flushWait
    let world = try await RidesWorld(limits: limits, isShared: true)
    try await world.match()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    #expect(try await world.match() == 1)
    #expect(try await driver.accept(try await driver.offer()).ackedRide != nil)
    try await driver.arrive(ride.id)
    try await driver.start(ride.id, pin: try #require(try await rider.ride(ride.id).pin))
    world.clock.advance(by: .seconds(2))
    let last = try await driver.report(place(north: 20)).acceptedSequence
    try await world.core.checkpointPositions()
    #expect(world.core.fleet.waitingTrails().count == 1)
    // This node goes on with the session.
    let second = try world.join(number: 3).rides
    return (world, driver, second, try Identifier.parse(ride.id, kind: IDKind.ride), last)
  }

  private func trailEnd(_ world: RidesWorld, _ ride: Identifier) async throws -> Int64? {
    try await world.database.read { try $0.lastTrailPoint(of: ride, epoch: 1)?.sequence }
  }

  @Test func `a ride that is completed on another node is billed with what the session's node has in memory`()
    async throws
  {
    let (world, driver, second, ride, last) = try await rideWithTrailElsewhere(flushWait: .seconds(600))
    let rounds = Task { while !Task.isCancelled { try await second.core.followOtherNodes() } }
    defer { rounds.cancel() }
    try await TestDriver(world, user: driver.user).complete(ride.text(kind: IDKind.ride))
    #expect(try await trailEnd(world, ride) == last)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `who has arrived is believed on another node than that of the session, which has the place in memory`()
    async throws
  {
    var limits = RidesLimits()
    limits.flushWait = .seconds(600)
    let world = try await RidesWorld(limits: limits, isShared: true)
    try await world.match()
    let driver = try await TestDriver.online(world, at: place(north: limits.arrivalRadiusM + 100))
    let ride = try await TestRider(world).requestRide()
    #expect(try await world.match() == 1)
    #expect(try await driver.accept(try await driver.offer()).ackedRide != nil)
    try await world.core.checkpointPositions()
    let (second, elsewhere) = (try world.join(number: 3).rides, TestDriver(world, user: driver.user))
    let rounds = Task { while !Task.isCancelled { try await second.core.followOtherNodes() } }
    defer { rounds.cancel() }
    #expect(await refusal { _ = try await elsewhere.arrive(ride.id) } == Refusal(.failedPrecondition, "TOO_FAR"))
    world.clock.advance(by: .seconds(10))
    try await driver.report(place(north: 100))
    #expect(try await elsewhere.arrive(ride.id).state == .arrived)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `after flushWait, or at once if the driver was not heard from, the durable trail is billed`() async throws
  {
    for isSilent in [false, true] {
      let wait: Duration = isSilent ? .seconds(600) : .milliseconds(50)
      let (world, driver, _, ride, last) = try await rideWithTrailElsewhere(flushWait: wait)
      if isSilent { world.clock.advance(by: .seconds(15)) }
      try await TestDriver(world, user: driver.user).complete(ride.text(kind: IDKind.ride))
      #expect(try await trailEnd(world, ride) ?? 0 < last)
      #expect(try await world.violations().isEmpty)
    }
  }

  @Test func `a node that ends gives its cities up, also if it cannot write what it has in memory`() async throws {
    let (world, _, second, _, _) = try await rideWithTrailElsewhere(flushWait: .seconds(600))
    let city = try await world.city().id
    #expect(second.core.owner?.lease(of: city) != nil)
    try await world.database.write { try $0.execute("ALTER TABLE rides_trail RENAME TO rides_gone") }
    await second.stop()
    #expect(second.core.fleet.waitingTrails().count == 1)
    // One to be seen as a node, one to take.
    for _ in 0..<2 { try await world.core.matchOnce() }
    #expect(world.core.owner?.lease(of: city) != nil)
  }

  @Test func `a ride goes on with the driver's session on another node`() async throws {
    let (world, first) = try await world()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    try await world.core.checkpointPositions()
    try await first.matchOnce()
    #expect(try await driver.accept(try await driver.offer()).ackedRide != nil)
    for metres in [10.0, 20] {
      world.clock.advance(by: .seconds(2))
      try await driver.report(place(north: metres))
    }
    try await world.rides.flushTrails()
    // This one is lost with the node, but for its checkpoint.
    world.clock.advance(by: .seconds(2))
    let lost = try await driver.report(place(north: 30)).acceptedSequence
    try await world.core.checkpointPositions()

    _ = try world.join(number: 3)
    let elsewhere = TestDriver(world, user: driver.user)
    let state = try await elsewhere.open()
    #expect(state.presence == .enRoute)
    #expect(state.ride?.id == ride.id)
    #expect(state.durableSequence == lost - 1)
    world.clock.advance(by: .seconds(2))
    let again = try await elsewhere.report(sequence: lost, place(north: 30))
    #expect(again.refused.isEmpty)
    #expect(again.acceptedSequence == lost)
    try await elsewhere.arrive(ride.id)
    try await elsewhere.start(ride.id, pin: try #require(try await rider.ride(ride.id).pin))
    try await elsewhere.complete(ride.id)
    #expect(try await world.violations().isEmpty)
  }
}
