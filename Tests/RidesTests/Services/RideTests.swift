import Base
import OctetTypes
import RidesAPI
import Testing

@testable import Rides

/// A whole ride, as its two clients see it.
struct RideTests {
  @Test func `a ride from the quote to the cash`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let quote = try await rider.quote()
    let ride = try await rider.requestRide(quote)
    #expect(ride.state == .requested)
    #expect(ride.quotedTotal == quote.total)
    #expect(try await world.match() == 1)

    let offer = try await driver.offer()
    #expect(offer.rideID == ride.id)
    let assigned = try #require(try await driver.accept(offer).ackedRide)
    #expect(assigned.state == .assigned)
    #expect(assigned.pin == nil)
    #expect(assigned.driver?.id == driver.id)

    try await driver.arrive(ride.id)
    let pin = try #require(try await rider.ride(ride.id).pin)
    #expect(try await driver.start(ride.id, pin: pin).state == .inProgress)
    for step in 1...10 {
      try await world.advance(by: .seconds(20))
      try await driver.report(place(north: Double(step) * 200))
    }
    let completed = try await driver.complete(ride.id)
    #expect(completed.state == .completed)
    #expect(completed.outstanding == completed.total)
    let receipt = try await rider.receipt(ride.id)
    #expect(receipt.total == completed.total)
    #expect(receipt.quoteBound)
    // 2000 m, but for the 200 m to the first point after the start, and rounding.
    #expect(abs(receipt.distanceM - 1800) < 5)
    #expect(receipt.durationS == 200)
    #expect(try await driver.confirmCash(ride.id, completed.total).state == .paid)
    #expect(try await rider.ride(ride.id).outstanding?.minorUnits == 0)
    #expect(try await world.violations().isEmpty)
  }
}
