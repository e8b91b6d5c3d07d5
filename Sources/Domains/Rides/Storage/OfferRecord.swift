import Base
import RidesAPI
import Storage

/// Where an offer stands; the numbers are stored.
enum OfferState: Int64 {
  case open = 1
  case accepted = 2
  case declined = 3
  case expired = 4
  /// Another driver took the ride, or there is nothing to take any more.
  case superseded = 5
}

/// A row of `rides_offers`.
struct OfferRecord: Sendable, Equatable {
  let id: Identifier
  let rideID: Identifier
  let driverID: Identifier
  let epoch: Int64
  let state: OfferState
  let closeReason: OfferCloseReason
  let etaS: Int64
  let expiresAt: Instant

  static let columns = "id, ride_id, driver_id, epoch, state, close_reason, eta_s, expires_at"

  init(row: any Row) throws {
    id = row[0]
    rideID = row[1]
    driverID = row[2]
    epoch = row[3]
    guard let state = OfferState(rawValue: row.integer(4)) else {
      throw StorageError(.checkViolation, operation: "read", message: "an offer is in an unknown state")
    }
    self.state = state
    closeReason = OfferCloseReason(rawValue: row[5])
    etaS = row[6]
    expiresAt = row[7]
  }

  /// A new offer.
  init(id: Identifier, ride: RideRecord, driverID: Identifier, etaS: Int64, expiresAt: Instant) {
    self.id = id
    rideID = ride.id
    self.driverID = driverID
    epoch = ride.epoch
    state = .open
    closeReason = .unspecified
    self.etaS = etaS
    self.expiresAt = expiresAt
  }
}

extension Reader {
  /// An offer; nil if there is none.
  func offer(_ id: Identifier) throws -> OfferRecord? {
    try first("SELECT \(OfferRecord.columns) FROM rides_offers WHERE id = $1", id, make: OfferRecord.init(row:))
  }

  /// The open offers of a ride, by driver, so that presences are taken in one order by all.
  func openOffers(of ride: Identifier) throws -> [OfferRecord] {
    try rows(
      "SELECT \(OfferRecord.columns) FROM rides_offers WHERE ride_id = $1 AND state = 1 ORDER BY driver_id", ride,
      make: OfferRecord.init(row:))
  }
}

extension Writer {
  /// Adds an open offer.
  func insert(_ offer: OfferRecord) throws {
    try send(
      """
      INSERT INTO rides_offers (id, ride_id, driver_id, epoch, state, close_reason, eta_s, expires_at)
      VALUES ($1, $2, $3, $4, 1, 0, $5, $6)
      """, offer.id, offer.rideID, offer.driverID, offer.epoch, offer.etaS, offer.expiresAt)
  }

  /// Closes an offer that is open and, where `openAt` is given, has not expired by then. False if it is not.
  func close(
    _ offer: Identifier, as state: OfferState, reason: OfferCloseReason, openAt now: Instant? = nil
  ) throws -> Bool {
    try execute(
      "UPDATE rides_offers SET state = $1, close_reason = $2 WHERE id = $3 AND state = 1 AND expires_at > $4",
      state.rawValue, reason.rawValue, offer, now ?? Instant(nanoseconds: .min)) == 1
  }

  /// Takes the acceptance back from the offer by which a ride was assigned.
  func supersedeAccepted(_ offer: Identifier) throws {
    try send(
      "UPDATE rides_offers SET state = $1, close_reason = $2 WHERE id = $3 AND state = $4",
      OfferState.superseded.rawValue, OfferCloseReason.withdrawn.rawValue, offer, OfferState.accepted.rawValue)
  }
}
