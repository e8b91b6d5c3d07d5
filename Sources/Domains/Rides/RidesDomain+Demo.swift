import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage
import WellKnownTypes

extension RidesDomain {
  /// Founds the demo city, Helsinki, with three categories, unless there is a city already.
  public func seedDemo() async throws {
    try await core.kit.database.write { [core] writer in
      guard try writer.cities().isEmpty else { return }
      let city = CityRecord(
        id: core.kit.identifiers.next(), name: "Helsinki", timeZone: "Europe/Helsinki", currency: "EUR")
      try writer.insert(city)
      try writer.insert(
        ZoneRecord(
          id: core.kit.identifiers.next(), cityID: city.id, kind: .city, name: city.name, corners: DemoCity.corners,
          version: 1))
      for table in DemoCity.tables(city: city.id.text(kind: IDKind.city), validFrom: Timestamp(core.now)) {
        _ = try core.putFareTable(table, in: writer)
      }
    }
  }
}

/// The demo city: Helsinki, Espoo and Vantaa roughly, with plausible prices.
private enum DemoCity {
  static let corners: [LatLng] = [(60.10, 24.50), (60.10, 25.30), (60.40, 25.30), (60.40, 24.50)].map {
    var corner = LatLng()
    corner.latitude = $0.0
    corner.longitude = $0.1
    return corner
  }

  static func tables(city: String, validFrom: Timestamp) -> [FareTable] {
    [
      ("economy", "Economy", 4, 390, 95), ("comfort", "Comfort", 4, 590, 125), ("xl", "XL", 6, 690, 155),
    ].map { code, title, seats, base, perKilometre in
      var table = FareTable()
      table.cityID = city
      table.category = code
      table.title = title
      table.seats = UInt32(seats)
      table.validFrom = validFrom
      table.baseMinor = Int64(base)
      table.slabs = [slab(from: 0, Int64(perKilometre)), slab(from: 10_000, Int64(perKilometre) * 8 / 10)]
      table.perMinMinor = 35
      table.waitingPerMinMinor = 50
      table.nightBp = 2000
      table.nightFromMin = 23 * 60
      table.nightUntilMin = 5 * 60
      table.minimumMinor = 600
      table.feeMinor = 99
      table.taxBp = 1400
      table.cashUnitMinor = 5
      table.commissionBp = 2000
      table.cancelFeeMinor = 500
      return table
    }
  }

  private static func slab(from metres: Int64, _ perKilometre: Int64) -> DistanceSlab {
    var slab = DistanceSlab()
    slab.fromM = metres
    slab.perKmMinor = perKilometre
    return slab
  }
}
