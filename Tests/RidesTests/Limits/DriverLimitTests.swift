import Base
import DomainKit
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Streaming
import Testing

@testable import Rides

/// The limits of drivers: their silence, their trails, what they are told. Each has another value than by default, just
/// before which the one thing holds, and just after it the other.
@Suite(.timeLimit(.minutes(60))) struct DriverLimitTests {
  private let moment = Duration.milliseconds(1)

  private func world(_ change: (inout RidesLimits) -> Void) async throws -> (RidesWorld, RidesLimits) {
    var limits = RidesLimits()
    change(&limits)
    return (try await RidesWorld(limits: limits), limits)
  }

  @Test(arguments: [false, true])
  func `a free driver goes OFFLINE after silenceWhenFree, and is offered rides until then`(isLate: Bool) async throws {
    let (world, limits) = try await world { $0.silenceWhenFree = .seconds(45) }
    let driver = try await TestDriver.online(world)
    _ = try await TestRider(world).requestRide()
    world.clock.advance(by: isLate ? limits.silenceWhenFree : limits.silenceWhenFree - moment)
    #expect(try await world.match() == (isLate ? 0 : 1))
    #expect(try await driver.open().presence == (isLate ? .offline : .offered))
  }

  @Test(arguments: [false, true])
  func `a driver whose offer is open goes OFFLINE after silenceWhenFree`(isLate: Bool) async throws {
    let (world, limits) = try await world {
      $0.silenceWhenFree = .seconds(45)
      $0.offerLifetime = .seconds(100)
    }
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    try await world.match()
    world.clock.advance(by: isLate ? limits.silenceWhenFree : limits.silenceWhenFree - moment)
    try await world.match()
    #expect(try await driver.open().presence == (isLate ? .offline : .offered))
    #expect(try await rider.ride(ride.id).state == (isLate ? .requested : .offering))
  }

  @Test func `a place that is older than silenceWhenFree does not show that the driver is there`() async throws {
    let (world, limits) = try await world { $0.silenceWhenFree = .seconds(45) }
    let (_, driver, ride) = try await world.rideAssigned()
    world.clock.advance(by: limits.silenceWhenFree + moment)
    #expect(await refusal { try await driver.arrive(ride.id) } == Refusal(.failedPrecondition, "TOO_FAR"))
    try await driver.report(place())
    world.clock.advance(by: limits.silenceWhenFree)
    #expect(try await driver.arrive(ride.id).state == .arrived)
  }

  @Test func `a driver on the way loses the ride after silenceOnRide`() async throws {
    let (world, limits) = try await world { $0.silenceOnRide = .seconds(200) }
    let (rider, driver, ride) = try await world.rideAssigned()
    world.clock.advance(by: limits.silenceOnRide - moment)
    try await world.match()
    #expect(try await rider.ride(ride.id).state == .assigned)
    world.clock.advance(by: moment)
    try await world.match()
    #expect(try await rider.ride(ride.id).state == .requested)
    #expect(try await driver.open().presence == .offline)
  }

  @Test func `a driver who went OFFLINE is kept in memory during silenceOnRide`() async throws {
    let (world, limits) = try await world { $0.silenceOnRide = .seconds(200) }
    let driver = try await TestDriver.online(world)
    let id = try Identifier.parse(driver.id, kind: IDKind.driver)
    try await driver.goOffline()
    driver.close()
    // What is not stored yet is not forgotten either.
    try await world.core.checkpointPositions()
    world.clock.advance(by: limits.silenceOnRide - moment)
    try await world.core.checkpointPositions()
    // Only who has something new to be stored makes a checkpoint.
    let other = try await TestDriver.online(world, at: place(north: 500))
    try await world.core.checkpointPositions()
    #expect(world.core.fleet.position(of: id) != nil)
    world.clock.advance(by: moment)
    try await other.report(place(north: 500))
    try await world.core.checkpointPositions()
    #expect(world.core.fleet.position(of: id) == nil)
  }

  @Test func `a trail becomes durable with its trailBatch-th point`() async throws {
    let (world, limits) = try await world { $0.trailBatch = 3 }
    let (_, driver, _) = try await world.rideUnderWay()
    var acks: [SessionAck] = []
    for step in 1...(2 * limits.trailBatch) {
      world.clock.advance(by: .seconds(5))
      acks.append(try await driver.report(place(north: Double(step) * 40)))
    }
    let first = acks[0].acceptedSequence
    #expect(acks.map { $0.acceptedSequence - first } == [0, 1, 2, 3, 4, 5])
    #expect(acks.map { $0.durableSequence - first } == [-1, -1, 2, 2, 2, 5])
  }

  /// The events of drivers' topics.
  private func events(_ world: RidesWorld) async throws -> [Int] {
    try await world.database.read { reader in
      try reader.rows("SELECT sequence FROM octet_topic_events WHERE topic LIKE 'driver/%' ORDER BY sequence") { $0[0] }
    }
  }

  /// A driver who was told something, and is offline now.
  private func toldDriver(_ world: RidesWorld) async throws -> (driver: TestDriver, told: [Int]) {
    let driver = try await TestDriver.online(world)
    _ = try await TestRider(world).requestRide()
    try await world.match()
    _ = try await driver.decline(try await driver.offer())
    try await driver.goOffline()
    let told = try await events(world)
    #expect(!told.isEmpty)
    return (driver, told)
  }

  @Test(arguments: [false, true])
  func `what a driver was told is kept for eventRetention, and gone when the driver comes back later`(
    isLate: Bool
  ) async throws {
    let (world, limits) = try await world { $0.eventRetention = .seconds(500) }
    let (driver, told) = try await toldDriver(world)
    world.clock.advance(by: isLate ? limits.eventRetention + moment : limits.eventRetention)
    try await driver.goOnline()
    #expect(Set(try await events(world)).isSuperset(of: told) == !isLate)
    #expect(Set(try await events(world)).isDisjoint(with: told) == isLate)
  }

  @Test(arguments: [false, true])
  func `what a driver was told is swept after eventRetention`(isLate: Bool) async throws {
    let (world, limits) = try await world { $0.eventRetention = .seconds(500) }
    let (_, told) = try await toldDriver(world)
    world.clock.advance(by: isLate ? limits.eventRetention + moment : limits.eventRetention)
    let sweep = TopicSweep(world.rides.topicRetention, clock: world.clock)
    while try await sweep.step(world.database) {}
    #expect(try await events(world) == (isLate ? [] : told))
  }
}
