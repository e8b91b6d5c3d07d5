import Base
import ChatAPI
import DomainKit
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

/// What a hostile client, an unlucky moment or a damaged row must not do.
struct HostileTests {
  @Test(arguments: [1, 1600, 1677, 1969]) func `a document that expired long ago is refused like any expired one`(
    year: Int32
  ) async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.admitted(world)
    #expect(
      await badFields { _ = try await driver.submit(.insurance, expiresOn: date(year, 1, 1)) } == ["expires_on"])
  }

  @Test func `a ride that costs nothing takes no cash back`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    try await driver.complete(ride.id)
    let id = try Identifier.parse(ride.id, kind: IDKind.ride)
    try await world.database.write { try $0.execute("UPDATE rides_rides SET total = 0 WHERE id = $1", id) }
    #expect(
      await refusal { try await driver.confirmCash(ride.id, Money(minor: -500, of: "EUR")) }?.code == .invalidArgument)
    #expect(try await driver.confirmCash(ride.id, Money(minor: 0, of: "EUR")).state == .paid)
    #expect(try await rider.requestRide().state == .requested)
  }

  @Test func `points that a flush is just storing are on the meter of a ride that ends`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    for step in 0...13 {
      world.clock.advance(by: .seconds(20))
      try await driver.report(place(north: Double(step) * 300))
    }
    // The background flush has looked at the points, and its transaction comes too late.
    _ = world.core.fleet.waitingTrails()
    try await driver.complete(ride.id)
    #expect(abs(try await rider.receipt(ride.id).distanceM - 3900) < 5)
  }

  @Test func `the chat of a ride that ends without a driver closes as well`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAssigned()
    var cancel = GiveBackRide()
    cancel.rideID = ride.id
    _ = try await driver.send(.cancel(cancel))
    try await rider.cancel(ride.id)
    try await world.advance(by: .seconds(1800))
    let open = try await world.database.read { reader in
      try reader.exists("SELECT 1 FROM chat_rooms WHERE subject = $1 AND closed_at IS NULL", ride.id)
    }
    #expect(!open)
  }

  @Test func `the chat of a ride for which no other driver is found closes as well`() async throws {
    let world = try await RidesWorld()
    let (_, driver, ride) = try await world.rideAssigned()
    var cancel = GiveBackRide()
    cancel.rideID = ride.id
    _ = try await driver.send(.cancel(cancel))
    try await world.advance(by: .seconds(300))
    try await world.advance(by: .seconds(1800))
    let open = try await world.database.read { reader in
      try reader.exists("SELECT 1 FROM chat_rooms WHERE subject = $1 AND closed_at IS NULL", ride.id)
    }
    #expect(!open)
  }

  @Test func `a sweep keeps up with any number of quotes`() async throws {
    var limits = RidesLimits()
    limits.sweepBatch = 2
    let world = try await RidesWorld(limits: limits)
    let rider = TestRider(world)
    for _ in 1...2 { _ = try await rider.quotes() }
    world.clock.advance(by: limits.quoteLifetime + limits.quoteRetention + .seconds(1))
    try await world.core.sweepQuotes()
    let left: Int64? = try await world.database.read { try $0.first("SELECT COUNT(*) FROM rides_quotes") { $0[0] } }
    #expect(left == 0)
  }

  @Test func `a ride that cannot be offered does not keep others from being matched`() async throws {
    let world = try await RidesWorld()
    _ = try await TestDriver.online(world)
    let driver = try await TestDriver.admitted(world)
    try await driver.bringVehicle(plate: "C-1", category: "comfort")
    try await driver.open()
    try await driver.goOnline()
    try await driver.report(place())
    _ = try await TestRider(world).requestRide()
    let other = TestRider(world)
    let comfort = try #require(try await other.quotes().first { $0.category == "comfort" })
    _ = try await other.requestRide(comfort)
    try await world.database.write {
      try $0.execute("UPDATE rides_fare_tables SET body = $1 WHERE category = 'economy'", [0xff] as [UInt8])
    }
    #expect(try await world.match() == 1)
    _ = try await driver.offer()
  }

  @Test func `a driver who is heard from while silent ones are judged stays online`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let id = try Identifier.parse(driver.id, kind: IDKind.driver)
    world.clock.advance(by: .seconds(61))
    try await driver.report(place())
    try await world.database.write { try world.core.dropSilent(id, in: $0) }
    #expect(try await world.database.read { try $0.presence(of: id)?.state } == .idle)
    world.clock.advance(by: .seconds(61))
    try await world.database.write { try world.core.dropSilent(id, in: $0) }
    #expect(try await world.database.read { try $0.presence(of: id)?.state } == .offline)
  }

  @Test func `positions that could not be stored are stored with the next checkpoint`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    await world.database.close()
    await #expect(throws: (any Error).self) { try await world.core.checkpointPositions() }
    #expect(world.core.fleet.takeCheckpoint().map { $0.driver.text(kind: IDKind.driver) } == [driver.id])
  }
}
