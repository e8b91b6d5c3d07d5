import Base
import DomainKit
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

struct AuditTests {
  @Test(
    arguments: [
      (1, "UPDATE rides_rides SET is_live = 0"),
      (2, "UPDATE rides_presences SET state = 2, ride_id = NULL"),
      (2, "UPDATE rides_offers SET state = 5"),
      (7, "UPDATE rides_rides SET method = 2"),
      (8, "UPDATE rides_rides SET pin_tries = 6"),
    ] as [(Int32, String)])
  func `finds what breaks an invariant of rides under way`(number: Int32, damage: String) async throws {
    let world = try await RidesWorld()
    let (_, _, ride) = try await world.rideAtPickup()
    #expect(try await world.violations().isEmpty)
    _ = try await world.database.write { try $0.execute(damage, []) }
    let found = try await world.violations()
    #expect(found.map(\.number) == [number])
    #expect(found.first?.examples == [ride.id])
    // The audit of all domains says the same.
    let checks = try await world.rides.checkInvariants().filter { !$0.holds }
    #expect(checks.map(\.number) == [Int(number)] && checks.first?.violations == [ride.id])
  }

  @Test(
    arguments: [
      (5, "UPDATE rides_rides SET total = total + 1, received = received + 1"),
      (5, "UPDATE rides_fare_tables SET body = (SELECT body FROM rides_fare_tables WHERE category = 'xl')"),
      (6, "UPDATE rides_rides SET received = received - 1"),
    ] as [(Int32, String)])
  func `finds what breaks an invariant of rides that are paid`(number: Int32, damage: String) async throws {
    let world = try await RidesWorld()
    let (_, driver, ride) = try await world.rideUnderWay()
    let completed = try await driver.complete(ride.id)
    try await driver.confirmCash(ride.id, completed.total)
    #expect(try await world.violations().isEmpty)
    _ = try await world.database.write { try $0.execute(damage, []) }
    #expect(try await world.violations().map(\.number).contains(number))
  }

  @Test func `is for staff, and counts what it saw`() async throws {
    let world = try await RidesWorld()
    let (_, _, _) = try await world.rideAssigned()
    #expect(
      await refusal {
        _ = try await AuditServiceClient(world.channel(world.user())).checkInvariants(CheckInvariantsRequest())
      } == Refusal(.permissionDenied, "PERMISSION_DENIED"))
    let staff = AuditServiceClient(world.channel(world.user("rides.ops")))
    let report = try await staff.checkInvariants(CheckInvariantsRequest())
    #expect(report.snapshotSequence == 3)
    #expect(report.invariants.map(\.number) == [1, 2, 5, 6, 7, 8])
  }
}
