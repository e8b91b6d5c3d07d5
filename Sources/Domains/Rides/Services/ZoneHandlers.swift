import Base
import DomainKit
import ProtobufRuntime
import RPC
import RidesAPI
import Storage

/// `ZoneService`.
struct ZoneHandlers: ZoneService {
  let core: RidesCore

  func putZone(_ request: PutZoneRequest, context: ServerContext) async throws -> Zone {
    guard Polygon(request.corners.compactMap(Coordinate.init)) != nil else { throw RidesError.badPolygon }
    return try await core.kit.mutate(request, context) { [core] writer in
      if request.zoneID.isEmpty { return try core.addZone(request, in: writer) }
      return try core.changeZone(request, in: writer)
    }
  }

  func listZones(_ request: ListZonesRequest, context: ServerContext) async throws -> ListZonesResponse {
    let page = try core.kit.page(request, context)
    let city = try request.cityID.isEmpty ? nil : Identifier(request.cityID, kind: IDKind.city, field: "city_id")
    return try await core.kit.database.read { reader in
      let rows = try reader.zones(after: page.lastID, city: city, kind: request.kind, limit: page.fetch)
      let (zones, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListZonesResponse()
      response.zones = try zones.map { try reader.message(of: $0) }
      response.nextPageToken = next
      return response
    }
  }
}

extension RidesCore {
  /// Adds a zone; one of kind CITY founds a city.
  func addZone(_ request: PutZoneRequest, in writer: any Writer) throws -> Zone {
    guard request.etag.isEmpty else { throw KitError.etagMismatch }
    let id = kit.identifiers.next()
    let city: Identifier
    if request.kind == .city, request.cityID.isEmpty {
      guard kit.timeZones.table(request.timeZone) != nil else { throw RidesError.unknownTimeZone }
      guard Currency.isKnown(request.currencyCode) else { throw KitError.unknownCurrency(field: "currency_code") }
      city = kit.identifiers.next()
      try writer.insert(
        CityRecord(id: city, name: request.name, timeZone: request.timeZone, currency: request.currencyCode))
    } else {
      city = try Identifier(request.cityID, kind: IDKind.city, field: "city_id")
      guard try writer.city(city) != nil else { throw KitError.notFound("city") }
    }
    let zone = ZoneRecord(
      id: id, cityID: city, kind: request.kind, name: request.name, corners: request.corners, version: 1)
    try writer.insert(zone)
    return try writer.message(of: zone)
  }

  /// Changes name and corners of a zone.
  func changeZone(_ request: PutZoneRequest, in writer: any Writer) throws -> Zone {
    let id = try Identifier(request.zoneID, kind: IDKind.zone, field: "zone_id")
    guard let old = try writer.zone(id) else { throw KitError.notFound("zone") }
    guard request.kind == old.kind else {
      throw KitError.invalid(FieldViolation(field: "kind", description: "a zone keeps its kind"))
    }
    guard request.etag == String(old.version) else { throw KitError.etagMismatch }
    let zone = ZoneRecord(
      id: id, cityID: old.cityID, kind: old.kind, name: request.name, corners: request.corners,
      version: old.version + 1)
    guard try writer.update(zone) else { throw KitError.etagMismatch }
    return try writer.message(of: zone)
  }
}

extension Reader {
  /// A zone as it goes over the wire.
  func message(of zone: ZoneRecord) throws -> Zone {
    var message = Zone()
    message.id = zone.id.text(kind: IDKind.zone)
    message.cityID = zone.cityID.text(kind: IDKind.city)
    message.kind = zone.kind
    message.name = zone.name
    message.corners = zone.corners
    message.etag = String(zone.version)
    if zone.kind == .city, let city = try city(zone.cityID) {
      message.timeZone = city.timeZone
      message.currencyCode = city.currency
    }
    return message
  }
}
