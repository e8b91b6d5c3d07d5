import Base
import RidesAPI
import Storage

/// A row of `rides_rides`.
struct RideRecord: Sendable, Equatable {
  let id: Identifier
  let cityID: Identifier
  let riderID: Identifier
  let quoteID: Identifier
  let category: String
  let method: PaymentMethod
  let currency: String
  let requestedAt: Instant
  var state: RideState
  var version: Int64
  var epoch: Int64
  var driverID: Identifier?
  var offerID: Identifier?
  var pinTries: Int64
  var searchEndsAt: Instant
  var assignedAt: Instant?
  var pickupDueAt: Instant?
  var arrivedAt: Instant?
  var startedAt: Instant?
  var endedAt: Instant?
  /// `MeterInputs` in its canonical form; nil before the ride is completed.
  var meter: [UInt8]?
  var receipt: [UInt8]?
  var total: Int64?
  var received: Int64
  var cancelFee: Int64?
  var note: String

  /// What is still to be paid; nil before the fare is known.
  var outstanding: Int64? { total.map { $0 - received } }

  static let columns = """
    id, city_id, rider_id, quote_id, category, method, currency, requested_at, state, version, epoch, driver_id, \
    offer_id, pin_tries, search_ends_at, assigned_at, pickup_due_at, arrived_at, started_at, ended_at, \
    meter, receipt, total, received, cancel_fee, note
    """

  init(row: any Row) {
    id = row[0]
    cityID = row[1]
    riderID = row[2]
    quoteID = row[3]
    category = row[4]
    method = PaymentMethod(rawValue: row[5])
    currency = row[6]
    requestedAt = row[7]
    state = RideState(rawValue: row[8])
    version = row[9]
    epoch = row[10]
    driverID = row[11]
    offerID = row[12]
    pinTries = row[13]
    searchEndsAt = row[14]
    assignedAt = row[15]
    pickupDueAt = row[16]
    arrivedAt = row[17]
    startedAt = row[18]
    endedAt = row[19]
    meter = row[20]
    receipt = row[21]
    total = row[22]
    received = row[23]
    cancelFee = row[24]
    note = row[25]
  }

  /// A ride that was just requested.
  init(
    id: Identifier, quote: QuoteRecord, method: PaymentMethod, currency: String, requestedAt: Instant,
    searchEndsAt: Instant
  ) {
    self.id = id
    cityID = quote.cityID
    riderID = quote.userID
    quoteID = quote.id
    category = quote.quote.category
    self.method = method
    self.currency = currency
    self.requestedAt = requestedAt
    self.searchEndsAt = searchEndsAt
    state = .requested
    version = 1
    epoch = 1
    pinTries = 0
    received = 0
    note = ""
  }
}

extension Reader {
  /// A ride; nil if there is none.
  func ride(_ id: Identifier) throws -> RideRecord? {
    try first("SELECT \(RideRecord.columns) FROM rides_rides WHERE id = $1", id, make: RideRecord.init(row:))
  }
}

extension Writer {
  /// A ride, held by this transaction; nil if there is none.
  func rideForUpdate(_ id: Identifier) throws -> RideRecord? {
    try firstForUpdate("SELECT \(RideRecord.columns) FROM rides_rides WHERE id = $1", id, make: RideRecord.init(row:))
  }

  /// Adds a new ride. False if its rider has a live ride.
  func insert(_ ride: RideRecord) throws -> Bool {
    try execute(
      """
      INSERT INTO rides_rides (id, city_id, rider_id, quote_id, category, method, currency, requested_at, state,
        is_live, version, epoch, pin_tries, search_ends_at, received, note)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, 0, '') ON CONFLICT DO NOTHING
      """, ride.id, ride.cityID, ride.riderID, ride.quoteID, ride.category, ride.method.rawValue, ride.currency,
      ride.requestedAt, ride.state.rawValue, ride.state.isLive, ride.version, ride.epoch, ride.searchEndsAt) == 1
  }

  /// Does to a ride what `event` does by the table of states, and `change` beside it.
  /// - Parameter ride: as this transaction read it.
  /// - Returns: the ride as it is now.
  /// - Throws: `RidesError.wrongState` if the event cannot happen to the ride, `RetryTransaction` if the row is no
  ///   longer the one that was read.
  func apply(
    _ event: RideEvent, to ride: RideRecord, _ change: (inout RideRecord) -> Void = { _ in }
  ) throws -> RideRecord {
    guard let transition = ride.state.transition(on: event) else { throw RidesError.wrongState(ride.state) }
    var changed = ride
    change(&changed)
    changed.state = transition.state
    changed.version = ride.version + 1
    if transition.raisesEpoch { changed.epoch = ride.epoch + 1 }
    try update(changed, from: ride)
    return changed
  }

  /// Stores the payments of a ride whose state does not change by them.
  func updateReceived(_ ride: RideRecord, to received: Int64) throws -> RideRecord {
    var changed = ride
    changed.received = received
    changed.version = ride.version + 1
    try update(changed, from: ride)
    return changed
  }

  private func update(_ new: RideRecord, from old: RideRecord) throws {
    let count = try execute(
      """
      UPDATE rides_rides SET state = $1, is_live = $2, version = $3, epoch = $4, driver_id = $5, offer_id = $6,
        pin_tries = $7, search_ends_at = $8, assigned_at = $9, pickup_due_at = $10, arrived_at = $11,
        started_at = $12, ended_at = $13, meter = $14, receipt = $15, total = $16, received = $17, cancel_fee = $18,
        note = $19
      WHERE id = $20 AND state = $21 AND epoch = $22 AND version = $23
      """, new.state.rawValue, new.state.isLive, new.version, new.epoch, new.driverID, new.offerID, new.pinTries,
      new.searchEndsAt, new.assignedAt, new.pickupDueAt, new.arrivedAt, new.startedAt, new.endedAt,
      new.meter, new.receipt, new.total, new.received, new.cancelFee, new.note, old.id, old.state.rawValue, old.epoch,
      old.version)
    if count == 0 { throw RetryTransaction() }
  }
}
