import Base
import OctetTypes
import ProtobufRuntime
import RidesAPI
import Storage

/// A row of `rides_cities`.
struct CityRecord: Sendable, Equatable {
  let id: Identifier
  let name: String
  let timeZone: String
  let currency: String

  static let columns = "id, name, time_zone, currency"

  init(id: Identifier, name: String, timeZone: String, currency: String) {
    self.id = id
    self.name = name
    self.timeZone = timeZone
    self.currency = currency
  }

  init(row: any Row) {
    self.init(id: row[0], name: row[1], timeZone: row[2], currency: row[3])
  }
}

/// A row of `rides_zones`.
struct ZoneRecord: Sendable, Equatable {
  let id: Identifier
  let cityID: Identifier
  let kind: ZoneKind
  let name: String
  let corners: [LatLng]
  let version: Int64

  static let columns = "id, city_id, kind, name, corners, version"

  init(id: Identifier, cityID: Identifier, kind: ZoneKind, name: String, corners: [LatLng], version: Int64) {
    self.id = id
    self.cityID = cityID
    self.kind = kind
    self.name = name
    self.corners = corners
    self.version = version
  }

  init(row: any Row) throws {
    self.init(
      id: row[0], cityID: row[1], kind: ZoneKind(rawValue: row[2]), name: row[3],
      corners: try Zone(decoding: row.blob(4)).corners, version: row[5])
  }

  /// The corners as they are stored.
  var encodedCorners: [UInt8] {
    var zone = Zone()
    zone.corners = corners
    return zone.encoded()
  }
}

extension Reader {
  /// A city; nil if there is none.
  func city(_ id: Identifier) throws -> CityRecord? {
    try first("SELECT \(CityRecord.columns) FROM rides_cities WHERE id = $1", id, make: CityRecord.init(row:))
  }

  /// All cities, by id.
  func cities() throws -> [CityRecord] {
    try rows("SELECT \(CityRecord.columns) FROM rides_cities ORDER BY id", make: CityRecord.init(row:))
  }

  /// All zones, by id.
  func zones() throws -> [ZoneRecord] {
    try rows("SELECT \(ZoneRecord.columns) FROM rides_zones ORDER BY id", make: ZoneRecord.init(row:))
  }

  /// Zones after `last`, by id.
  func zones(after last: Identifier, city: Identifier?, kind: ZoneKind, limit: Int) throws -> [ZoneRecord] {
    try rows(
      """
      SELECT \(ZoneRecord.columns) FROM rides_zones
      WHERE id > $1 AND (CAST($2 AS BIGINT) IS NULL OR city_id = $2) AND ($3 = 0 OR kind = $3) ORDER BY id LIMIT $4
      """, last, city, kind.rawValue, limit, make: ZoneRecord.init(row:))
  }

  /// A zone; nil if there is none.
  func zone(_ id: Identifier) throws -> ZoneRecord? {
    try first("SELECT \(ZoneRecord.columns) FROM rides_zones WHERE id = $1", id, make: ZoneRecord.init(row:))
  }
}

extension Writer {
  /// Adds a city.
  func insert(_ city: CityRecord) throws {
    try send(
      "INSERT INTO rides_cities (\(CityRecord.columns), table_version) VALUES ($1, $2, $3, $4, 0)", city.id, city.name,
      city.timeZone, city.currency)
  }

  /// Adds a zone.
  func insert(_ zone: ZoneRecord) throws {
    try send(
      "INSERT INTO rides_zones (\(ZoneRecord.columns)) VALUES ($1, $2, $3, $4, $5, $6)", zone.id, zone.cityID,
      zone.kind.rawValue, zone.name, zone.encodedCorners, zone.version)
  }

  /// Stores a changed zone. False if it is no longer at the version before.
  func update(_ zone: ZoneRecord) throws -> Bool {
    try execute(
      "UPDATE rides_zones SET name = $1, corners = $2, version = $3 WHERE id = $4 AND version = $5", zone.name,
      zone.encodedCorners, zone.version, zone.id, zone.version - 1) == 1
  }
}
