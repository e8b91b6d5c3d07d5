import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage
import Testing

@testable import Rides

/// What rides keep about people, and how it goes.
struct RecordsTests {
  /// A ride that was driven and paid, and its driver gone home.
  private func driven(_ world: RidesWorld) async throws -> (rider: Identifier, driver: Identifier, ride: Ride) {
    let (_, driver, ride) = try await world.rideUnderWay()
    for step in 1...3 {
      try await world.advance(by: .seconds(40))
      _ = try await driver.report(place(north: Double(step) * 400))
    }
    try await world.rides.flushTrails()
    let completed = try await driver.complete(ride.id)
    _ = try await driver.confirmCash(ride.id, completed.total)
    try await driver.goOffline()
    driver.close()
    let (riderID, driverID) = (completed.riderID, completed.driver?.id ?? "")
    let user: Identifier? = try await world.database.read { reader in
      try reader.driver(try Identifier.parse(driverID, kind: "drv"))?.userID
    }
    return (try Identifier.parse(riderID, kind: "user"), try #require(user), completed)
  }

  private func records(_ world: RidesWorld) throws -> any PersonalRecords { try #require(world.rides.personalRecords) }

  private func erase(_ user: Identifier, _ world: RidesWorld) async throws {
    let records = try records(world)
    while try await world.database.write({ try records.erase(user, in: $0) }) {}
  }

  private func export(_ user: Identifier, _ world: RidesWorld) async throws -> [String] {
    let records = try records(world)
    return try await world.database.read { reader in
      var lines: [String] = []
      try records.export(user, in: reader) { kind, json in lines.append("\(kind) \(json)") }
      return lines
    }
  }

  private func blockers(_ user: Identifier, _ world: RidesWorld) async throws -> [String] {
    let records = try records(world)
    return try await world.database.write { try records.blockers(of: user, in: $0) }
  }

  @Test func `who is on a ride, at work or owes a fare cannot go`() async throws {
    let world = try await RidesWorld()
    let (_, driver, ride) = try await world.rideUnderWay()
    let rider = try Identifier.parse(ride.riderID, kind: "user")
    let driverID = try Identifier.parse(ride.driver?.id ?? "", kind: "drv")
    let found: Identifier? = try await world.database.read { try $0.driver(driverID)?.userID }
    let user = try #require(found)
    #expect(try await blockers(rider, world) == ["open_ride"])
    #expect(try await blockers(user, world) == ["at_work", "open_ride"])
    let completed = try await driver.complete(ride.id)
    #expect(try await blockers(rider, world) == ["unpaid_ride"])
    _ = try await driver.confirmCash(ride.id, completed.total)
    #expect(try await blockers(rider, world) == [])
    #expect(try await blockers(user, world) == ["at_work"])
    try await driver.goOffline()
    #expect(try await blockers(user, world) == [])
    #expect(try await blockers(world.user(), world) == [])
  }

  @Test func `a rider's places go, sums and receipts stay and are computed again`() async throws {
    let world = try await RidesWorld()
    let (rider, _, ride) = try await driven(world)
    let exported = try await export(rider, world)
    #expect(exported.contains { $0.hasPrefix("Ride ") && $0.contains("stops") })
    #expect(exported.contains { $0.hasPrefix("Receipt ") })
    #expect(exported.contains { $0.hasPrefix("ExportedTrackPoint ") })
    try await erase(rider, world)
    let counts = try await world.database.read { reader in
      try ["rides_trail", "rides_rides"].map { table in
        try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] as Int } ?? 0
      }
    }
    #expect(counts == [0, 1])
    let row = try await world.database.read { reader in
      try reader.ride(try Identifier.parse(ride.id, kind: "ride"))
    }
    #expect(row?.total == ride.total?.minorUnits && row?.receipt != nil)
    let quote = try await world.database.read { try $0.quote(row?.quoteID ?? rider) }
    #expect(quote?.quote.stops == [] && quote?.quote.total == ride.quotedTotal)
    #expect(try await world.violations() == [])
    #expect(try await export(rider, world).allSatisfy { !$0.contains("latitude") })
  }

  @Test func `a driver's name, plate and papers go, the rides stay`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, _) = try await driven(world)
    let before = try await export(driver, world)
    #expect(before.contains { $0.hasPrefix("Driver ") && $0.contains("plate") })
    #expect(before.contains { $0.hasPrefix("Ride ") && !$0.contains("stops") })
    try await erase(driver, world)
    let left = try await world.database.read { reader in
      try ["rides_documents", "rides_positions", "rides_sessions"].map { table in
        try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] as Int } ?? 0
      }
    }
    #expect(left == [0, 0, 0])
    let row = try await world.database.read { try $0.driver(ofUser: driver) }
    #expect(row?.displayName == "" && row?.state == .suspended)
    let vehicle = try await world.database.read { reader in
      try reader.first("SELECT plate, model FROM rides_vehicles") { ($0[0], $0[1]) as (String, String) }
    }
    #expect(vehicle?.0.hasPrefix("veh_") == true && vehicle?.1 == "")
    #expect(try await world.violations() == [])
    #expect(try await export(rider, world).contains { $0.hasPrefix("Receipt ") })
  }
}
