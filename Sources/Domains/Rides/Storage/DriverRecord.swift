import Base
import RidesAPI
import Storage

/// A row of `rides_drivers`.
struct DriverRecord: Sendable, Equatable {
  let id: Identifier
  let userID: Identifier
  let cityID: Identifier
  let displayName: String
  let state: DriverState

  static let columns = "id, user_id, city_id, display_name, state"

  init(row: any Row) {
    id = row[0]
    userID = row[1]
    cityID = row[2]
    displayName = row[3]
    state = DriverState(rawValue: row[4])
  }
}

/// The documents that every driver needs.
let requiredDocuments: [DocumentKind] = [.drivingLicence, .insurance]

extension Reader {
  /// A driver; nil if there is none.
  func driver(_ id: Identifier) throws -> DriverRecord? {
    try first("SELECT \(DriverRecord.columns) FROM rides_drivers WHERE id = $1", id, make: DriverRecord.init(row:))
  }

  /// The driver that a user is; nil for a user who is none.
  func driver(ofUser user: Identifier) throws -> DriverRecord? {
    try first(
      "SELECT \(DriverRecord.columns) FROM rides_drivers WHERE user_id = $1", user, make: DriverRecord.init(row:))
  }

  /// Why a driver may not work at `now`; nil for one who may.
  func obstacle(toWork driver: DriverRecord, now: Instant) throws -> String? {
    guard driver.state == .active else { return "the driver is not admitted, or is suspended" }
    guard try vehicle(ofDriver: driver.id) != nil else { return "no vehicle is linked" }
    return try hasRequiredDocuments(driver.id, now: now) ? nil : "a required document is missing or has expired"
  }

  /// Whether every required document is verified and valid at `now`.
  func hasRequiredDocuments(_ driver: Identifier, now: Instant) throws -> Bool {
    for kind in requiredDocuments {
      let isThere = try exists(
        "SELECT 1 FROM rides_documents WHERE driver_id = $1 AND kind = $2 AND state = $3 AND expires_at > $4", driver,
        kind.rawValue, DocumentState.verified.rawValue, now)
      if !isThere { return false }
    }
    return true
  }

  /// Whether every required document was verified, be it valid or expired.
  func hadRequiredDocuments(_ driver: Identifier) throws -> Bool {
    try hasRequiredDocuments(driver, now: Instant(nanoseconds: .min))
  }
}

extension Writer {
  /// Adds a driver, PENDING. False if the user is one already.
  func insertDriver(id: Identifier, user: Identifier, city: Identifier, displayName: String) throws -> Bool {
    try execute(
      """
      INSERT INTO rides_drivers (id, user_id, city_id, display_name, state, note)
      VALUES ($1, $2, $3, $4, $5, '') ON CONFLICT DO NOTHING
      """, id, user, city, displayName, DriverState.pending.rawValue) == 1
  }

  /// Moves a driver from one state to another. False if the driver is not in the first one.
  func updateDriver(
    _ id: Identifier, from old: DriverState, to new: DriverState, note: String? = nil
  ) throws -> Bool {
    try execute(
      "UPDATE rides_drivers SET state = $1, note = COALESCE($2, note) WHERE id = $3 AND state = $4", new.rawValue,
      note, id, old.rawValue) == 1
  }
}
