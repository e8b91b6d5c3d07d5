import Base
import DomainKit
import RidesAPI
import Storage

extension RidesCore {
  /// A rider requests a ride by a quote.
  func requestRide(_ request: RequestRideRequest, by rider: Identifier, in writer: any Writer) throws -> Ride {
    let now = now
    let quoteID = try Identifier(request.quoteID, kind: IDKind.quote, field: "quote_id")
    guard request.method == .cash else { throw RidesError.methodUnavailable }
    guard let quote = try writer.quote(quoteID), quote.userID == rider, let city = try writer.city(quote.cityID) else {
      throw KitError.notFound("quote")
    }
    guard quote.rideID == nil else { throw RidesError.quoteUsed }
    if let live = try writer.liveRide(of: rider) { throw RidesError.rideActive(live) }
    guard try !writer.hasDues(rider) else { throw RidesError.duesUnpaid }
    guard now < quote.expiresAt else { throw RidesError.quoteExpired }

    let ride = RideRecord(
      id: kit.identifiers.next(), quote: quote, method: request.method, currency: city.currency, requestedAt: now,
      searchEndsAt: now + limits.searchTime)
    // Another request of this rider may have been faster; the index and the condition say so.
    guard try writer.insert(ride) else { throw RidesError.rideActive(nil) }
    guard try writer.spendQuote(quoteID, on: ride.id, now: now) else { throw RetryTransaction() }
    try jobs.set(RideJobs.search, JobKey(ride.id), due: ride.searchEndsAt, in: writer)
    return try publish(ride, in: writer)
  }
}

extension Reader {
  /// The live ride of a rider.
  func liveRide(of rider: Identifier) throws -> Identifier? {
    try first("SELECT id FROM rides_rides WHERE rider_id = $1 AND is_live = 1", rider) { $0[0] }
  }

  /// Whether a ride of the rider is not fully paid.
  func hasDues(_ rider: Identifier) throws -> Bool {
    try exists("SELECT 1 FROM rides_rides WHERE rider_id = $1 AND state = 10", rider)
  }

  /// Rides on one side of a user, newest first.
  /// - Parameters:
  ///   - state: `.unspecified` for all.
  ///   - before: only rides with a smaller id.
  func rides(
    asDriver driver: Identifier? = nil, asRider rider: Identifier? = nil, state: RideState, before: Identifier,
    limit: Int
  ) throws -> [RideRecord] {
    let column = driver == nil ? "rider_id" : "driver_id"
    return try rows(
      """
      SELECT \(RideRecord.columns) FROM rides_rides
      WHERE \(column) = $1 AND id < $2 AND ($3 = 0 OR state = $3) ORDER BY id DESC LIMIT $4
      """, driver ?? rider, before, state.rawValue, limit, make: RideRecord.init(row:))
  }
}
