import Base
import RidesAPI
import Storage

/// A row of `rides_presences`: what a driver does now. Every driver has one.
struct PresenceRecord: Sendable, Equatable {
  let driverID: Identifier
  let cityID: Identifier
  let state: Presence
  let since: Instant
  /// The open offer while OFFERED.
  let offerID: Identifier?
  /// The ride while EN_ROUTE or ON_TRIP.
  let rideID: Identifier?
  /// How often it has changed: copies on different nodes are told apart by it.
  let version: Int64

  static let columns = "driver_id, city_id, state, since, offer_id, ride_id, version"

  init(row: any Row) {
    driverID = row[0]
    cityID = row[1]
    state = Presence(rawValue: row[2])
    since = row[3]
    offerID = row[4]
    rideID = row[5]
    version = row[6]
  }

  init(
    driverID: Identifier, cityID: Identifier, state: Presence, since: Instant, offerID: Identifier?,
    rideID: Identifier?, version: Int64
  ) {
    self.driverID = driverID
    self.cityID = cityID
    self.state = state
    self.since = since
    self.offerID = offerID
    self.rideID = rideID
    self.version = version
  }
}

extension Reader {
  /// What a driver does now.
  func presence(of driver: Identifier) throws -> PresenceRecord? {
    try first(
      "SELECT \(PresenceRecord.columns) FROM rides_presences WHERE driver_id = $1", driver,
      make: PresenceRecord.init(row:))
  }
}

extension Writer {
  /// What a driver does now, held by this transaction.
  func presenceForUpdate(_ driver: Identifier) throws -> PresenceRecord? {
    try firstForUpdate(
      "SELECT \(PresenceRecord.columns) FROM rides_presences WHERE driver_id = $1", driver,
      make: PresenceRecord.init(row:))
  }

  /// Adds the presence of a new driver, OFFLINE.
  func insertPresence(of driver: Identifier, city: Identifier, now: Instant) throws {
    try send(
      "INSERT INTO rides_presences (driver_id, city_id, state, since) VALUES ($1, $2, $3, $4)", driver, city,
      Presence.offline.rawValue, now)
  }

  /// Does to a presence what `event` does by the table of states.
  /// - Parameters:
  ///   - presence: as this transaction read it.
  ///   - offer: the open offer from now on.
  ///   - ride: the ride from now on.
  /// - Returns: the presence as it is now, nil if the event cannot happen to it.
  /// - Throws: `RetryTransaction` if the row is no longer the one that was read.
  func apply(
    _ event: PresenceEvent, to presence: PresenceRecord, offer: Identifier? = nil, ride: Identifier? = nil,
    now: Instant
  ) throws -> PresenceRecord? {
    guard let state = presence.state.transition(on: event) else { return nil }
    let count = try execute(
      """
      UPDATE rides_presences SET state = $1, since = $2, offer_id = $3, ride_id = $4, version = version + 1
      WHERE driver_id = $5 AND state = $6 AND offer_id IS NOT DISTINCT FROM $7 AND ride_id IS NOT DISTINCT FROM $8
      """, state.rawValue, now, offer, ride, presence.driverID, presence.state.rawValue, presence.offerID,
      presence.rideID)
    if count == 0 { throw RetryTransaction() }
    return PresenceRecord(
      driverID: presence.driverID, cityID: presence.cityID, state: state, since: now, offerID: offer, rideID: ride,
      version: presence.version + 1)
  }
}
