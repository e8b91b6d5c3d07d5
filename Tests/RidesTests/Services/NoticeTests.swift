import Base
import DomainKit
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

struct NoticeTests {
  private struct Told: Equatable {
    let kind: String
    let text: String
  }

  private func told(_ user: Identifier, _ world: RidesWorld) async throws -> [Told] {
    try await world.database.read { reader in
      try reader.rows("SELECT kind, text FROM notify_inbox WHERE user_id = $1 ORDER BY number", user) {
        Told(kind: $0[0], text: $0[1])
      }
    }
  }

  private func cancel(_ ride: String, by driver: TestDriver) async throws {
    var request = CancelRideRequest()
    request.requestID = newRequestID()
    request.rideID = ride
    _ = try await driver.rides.cancelRide(request)
  }

  @Test func `the rider is told when the driver is assigned and waits, once`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, _) = try await world.rideAtPickup()
    let notices = try await told(rider.user, world)
    #expect(notices.map(\.kind) == ["rides.driver_assigned", "rides.driver_arrived"])
    #expect(notices.allSatisfy { !$0.text.hasPrefix(" ") }, "the driver is named: \(notices)")
    #expect(try await told(driver.user, world).isEmpty)
  }

  @Test func `the rider is told when the driver gives the ride back, and cancels it after a long wait`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAssigned()
    try await cancel(ride.id, by: driver)
    #expect(try await told(rider.user, world).map(\.kind) == ["rides.driver_assigned", "rides.driver_left"])

    let other = try await RidesWorld()
    let (waited, left, missed) = try await other.rideAtPickup()
    try await other.advance(by: .seconds(300))
    try await cancel(missed.id, by: left)
    #expect(try await told(waited.user, other).last?.kind == "rides.cancelled_by_driver")
    // The rider's own doing is no news.
    let third = try await RidesWorld()
    let (own, _, cancelled) = try await third.rideAssigned()
    _ = try await own.cancel(cancelled.id)
    #expect(try await told(own.user, third).map(\.kind) == ["rides.driver_assigned"])
  }
}
