import Base
import ProtobufRuntime
import RidesAPI
import Storage

extension Reader {
  /// The fare tables of a city in force at an instant, by category.
  func fareTables(ofCity city: Identifier, at instant: Instant) throws -> [FareTable] {
    try rows(
      """
      SELECT body FROM rides_fare_tables WHERE city_id = $1 AND valid_from <= $2 AND valid_until > $2
      ORDER BY category
      """, city, instant
    ) { try FareTable(decoding: $0.blob(0)) }
  }

  /// The fare table of a city with that number.
  func fareTable(ofCity city: Identifier, version: Int64) throws -> FareTable? {
    try first("SELECT body FROM rides_fare_tables WHERE city_id = $1 AND version = $2", city, version) {
      try FareTable(decoding: $0.blob(0))
    }
  }
}

extension Writer {
  /// Takes the next table number of a city, and with it the right to add a table; nil if there is no such city.
  func nextTableVersion(ofCity city: Identifier) throws -> Int64? {
    try send("UPDATE rides_cities SET table_version = table_version + 1 WHERE id = $1", city)
    return try first("SELECT table_version FROM rides_cities WHERE id = $1", city) { $0[0] }
  }

  /// Adds a table, after `nextTableVersion`. False if another one of the category is in force in part of its time.
  func insert(_ table: FareTable, city: Identifier, from: Instant, until: Instant) throws -> Bool {
    try execute(
      """
      INSERT INTO rides_fare_tables (city_id, version, category, valid_from, valid_until, body)
      SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
        SELECT 1 FROM rides_fare_tables
        WHERE city_id = $1 AND category = $3 AND valid_from < $5 AND valid_until > $4)
      """, city, table.version, table.category, from, until, table.encoded()) == 1
  }
}
