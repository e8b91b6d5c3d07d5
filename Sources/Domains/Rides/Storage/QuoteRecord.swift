import Base
import ProtobufRuntime
import RidesAPI
import Storage

/// A row of `rides_quotes`.
struct QuoteRecord: Sendable, Equatable {
  let id: Identifier
  let userID: Identifier
  let cityID: Identifier
  let expiresAt: Instant
  /// The minute of the city's day when it was quoted.
  let startMinute: Int
  let rideID: Identifier?
  let quote: FareQuote
}

extension Reader {
  /// A quote; nil if there is none.
  func quote(_ id: Identifier) throws -> QuoteRecord? {
    try first(
      "SELECT id, user_id, city_id, expires_at, start_minute, ride_id, body FROM rides_quotes WHERE id = $1", id
    ) { row in
      QuoteRecord(
        id: row[0], userID: row[1], cityID: row[2], expiresAt: row[3], startMinute: row[4], rideID: row[5],
        quote: try FareQuote(decoding: row.blob(6)))
    }
  }
}

extension Writer {
  /// Adds a quote.
  func insert(_ record: QuoteRecord) throws {
    try send(
      """
      INSERT INTO rides_quotes (id, user_id, city_id, expires_at, start_minute, ride_id, body)
      VALUES ($1, $2, $3, $4, $5, NULL, $6)
      """, record.id, record.userID, record.cityID, record.expiresAt, record.startMinute, record.quote.encoded())
  }

  /// Spends a quote on a ride. False if it has been spent or has expired.
  func spendQuote(_ id: Identifier, on ride: Identifier, now: Instant) throws -> Bool {
    try execute(
      "UPDATE rides_quotes SET ride_id = $1 WHERE id = $2 AND ride_id IS NULL AND expires_at > $3", ride, id, now) == 1
  }

  /// Deletes some quotes that were never used and expired before `instant`. Returns how many.
  func deleteQuotes(expiredBefore instant: Instant, limit: Int64) throws -> Int {
    try execute(
      """
      DELETE FROM rides_quotes WHERE id IN (
        SELECT id FROM rides_quotes WHERE ride_id IS NULL AND expires_at < $1 ORDER BY id LIMIT $2)
      """, instant, limit)
  }
}
