import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage
import WellKnownTypes

extension RidesCore {
  /// Quotes a way in every category that the pickup's city offers.
  func quotes(through places: [LatLng], for user: Identifier, in writer: any Writer) throws -> [FareQuote] {
    let now = now
    let stops = try checkedStops(places)
    guard let pickup = stops.first, let city = try writer.city(serving: pickup) else { throw RidesError.noService }
    let tables = try writer.fareTables(ofCity: city.id, at: now)
    guard !tables.isEmpty else { throw RidesError.noService }
    let route = StraightLineRoute.estimate(through: stops)
    let trip = TripMeasure(
      distanceM: route.distanceM, durationS: route.durationS,
      startMinuteOfDay: Int(timeZone(of: city).minuteOfDay(at: now)))
    return try tables.map { table in
      let record = try quote(trip, stops: places, table: table, city: city, user: user, now: now)
      try writer.insert(record)
      return record.quote
    }
  }

  /// The places as coordinates.
  /// - Throws: `RidesError.tooManyStops`, `RidesError.noRoute`.
  private func checkedStops(_ places: [LatLng]) throws -> [Coordinate] {
    guard places.count <= limits.stops else { throw RidesError.tooManyStops(limits.stops) }
    let stops = places.compactMap(Coordinate.init)
    guard zip(stops, stops.dropFirst()).allSatisfy({ $0.distance(to: $1) <= limits.legM }) else {
      throw RidesError.noRoute
    }
    return stops
  }

  private func quote(
    _ trip: TripMeasure, stops: [LatLng], table: FareTable, city: CityRecord, user: Identifier, now: Instant
  ) throws -> QuoteRecord {
    let fare = try FareCalculator(table.rates).quote(for: trip)
    let id = kit.identifiers.next()
    let expiresAt = now + limits.quoteLifetime
    var quote = FareQuote()
    quote.id = id.text(kind: IDKind.quote)
    quote.cityID = city.id.text(kind: IDKind.city)
    quote.category = table.category
    quote.stops = stops
    quote.distanceM = trip.distanceM
    quote.durationS = trip.durationS
    quote.lines = fare.messages(currency: city.currency)
    quote.total = Money(minor: fare.total, of: city.currency)
    quote.tableVersion = table.version
    quote.surgeBp = Int32(BasisPoints.whole)
    quote.expiresAt = Timestamp(expiresAt)
    return QuoteRecord(
      id: id, userID: user, cityID: city.id, expiresAt: expiresAt, startMinute: trip.startMinuteOfDay, rideID: nil,
      quote: quote)
  }

  /// Adds a fare table to a city.
  func putFareTable(_ table: FareTable, in writer: any Writer) throws -> FareTable {
    let city = try Identifier(table.cityID, kind: IDKind.city, field: "table.city_id")
    var table = table
    guard let version = try writer.nextTableVersion(ofCity: city) else { throw KitError.notFound("city") }
    table.version = version
    do throws(FareError) {
      try table.rates.validate()
    } catch {
      throw RidesError.badTable(field: "slabs", "the prices do not make a table")
    }
    guard VehicleCategory.isCode(table.category) else {
      throw RidesError.badTable(field: "category", "only lower-case letters, digits and underscores")
    }
    guard let from = table.validFrom.flatMap(Instant.init) else {
      throw RidesError.badTable(field: "valid_from", "not an instant")
    }
    let until = try table.validUntil.map { timestamp in
      guard let until = Instant(timestamp), from < until else {
        throw RidesError.badTable(field: "valid_until", "not an instant after valid_from")
      }
      return until
    }
    guard try writer.insert(table, city: city, from: from, until: until ?? Instant(nanoseconds: .max)) else {
      throw RidesError.tableOverlap
    }
    return table
  }
}

extension VehicleCategory {
  /// Whether a text has the form of a category's code.
  static func isCode(_ text: String) -> Bool {
    text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
      default: false
      }
    }
  }
}

extension Reader {
  /// The city whose area a pickup lies in; nil if there is none, or no ride may begin there.
  func city(serving pickup: Coordinate) throws -> CityRecord? {
    let around = try zones().filter { zone in
      Polygon(checked: zone.corners.compactMap(Coordinate.init)).contains(pickup)
    }
    guard !around.contains(where: { $0.kind == .noPickup }),
      let zone = around.first(where: { $0.kind == .city })
    else { return nil }
    return try city(zone.cityID)
  }
}
