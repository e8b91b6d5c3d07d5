import Base
import OctetTypes
import ProtobufRuntime
import RPC
import RidesAPI
import Storage

@testable import Rides

extension RidesWorld {
  /// A ride that a driver has accepted.
  func rideAssigned() async throws -> (rider: TestRider, driver: TestDriver, ride: Ride) {
    let driver = try await TestDriver.online(self)
    let rider = TestRider(self)
    _ = try await rider.requestRide()
    try await match()
    let row = try await driver.accept(try await driver.offer())
    guard let ride = row.ackedRide else { throw Refused(reason: row.refusalReason ?? "") }
    return (rider, driver, ride)
  }

  /// A ride whose driver waits at the pickup.
  func rideAtPickup() async throws -> (rider: TestRider, driver: TestDriver, ride: Ride) {
    let (rider, driver, ride) = try await rideAssigned()
    return (rider, driver, try await driver.arrive(ride.id))
  }

  /// A ride with the rider on board.
  func rideUnderWay() async throws -> (rider: TestRider, driver: TestDriver, ride: Ride) {
    let (rider, driver, ride) = try await rideAtPickup()
    guard let pin = try await rider.ride(ride.id).pin else { throw RidesError.wrongPIN }
    return (rider, driver, try await driver.start(ride.id, pin: pin))
  }

  /// The states that a ride went through, as they were published.
  func states(of ride: String) async throws -> [RideState] {
    try await changes(of: ride).map(\.state)
  }

  /// The changes of a ride, as they were published.
  func changes(of ride: String) async throws -> [Ride] {
    let payloads = try await database.read { reader in
      try reader.rows("SELECT payload FROM octet_topic_events WHERE topic = $1 ORDER BY sequence", "ride/" + ride) {
        $0.blob(0)
      }
    }
    return try payloads.compactMap { payload in
      guard case .change(let change) = try WatchRideResponse(decoding: payload).event else { return nil }
      return change
    }
  }
}
