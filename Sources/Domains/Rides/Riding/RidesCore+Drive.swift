import Base
import DomainKit
import OctetTypes
import ProtobufRuntime
import RidesAPI
import Storage

extension RidesCore {
  /// The driver waits at the pickup.
  func markArrived(_ id: Identifier, by user: Identifier, in writer: any Writer) throws -> Ride {
    let now = now
    let ride = try rideForUpdate(id, drivenBy: user, in: writer)
    guard ride.state == .assigned else { throw RidesError.wrongState(ride.state) }
    guard try isAtPickup(ride, in: writer) else { throw RidesError.tooFar }
    let arrived = try writer.apply(.arrived, to: ride) { $0.arrivedAt = now }
    let view = try publish(arrived, in: writer)
    try tellRiderOfDriver(of: arrived, RideNotices.arrived, in: writer)
    return view
  }

  /// Has the node of the driver's session store what it has of the way to the pickup, unless the driver is known to be there:
  /// a checkpoint may be some seconds old.
  func gatherArrival(_ id: Identifier, by user: Identifier) async throws {
    guard owner != nil else { return }
    let driver: Identifier? = try await kit.database.read { reader in
      // Both are asked for in any case: the time that it takes must not tell whether there is a ride.
      let (ride, driver) = (try reader.ride(id), try reader.driver(ofUser: user))
      guard let ride, let driver, ride.driverID == driver.id, ride.state == .assigned else { return nil }
      return try self.isAtPickup(ride, in: reader) ? nil : driver.id
    }
    if let driver { try await flushTrailElsewhere(of: driver) }
  }

  private func isAtPickup(_ ride: RideRecord, in reader: any Reader) throws -> Bool {
    guard let pickup = try reader.quote(ride.quoteID)?.quote.stops.first.flatMap(Coordinate.init),
      let position = try newestTrackPoint(of: ride, in: reader).position
    else { return false }
    return now - position.time <= limits.silenceWhenFree
      && position.coordinate.distance(to: pickup) <= limits.arrivalRadiusM
  }

  /// Judges a PIN before anything else is done, and counts it if it is wrong: in a transaction of its own, because the
  /// one that is refused leaves nothing behind. The row is held meanwhile, so simultaneous guesses are judged one by
  /// one, and no more of them than are allowed.
  /// - Throws: `RidesError.wrongPIN`, `RidesError.tooManyAttempts`; nothing if the ride is not in the state for a PIN,
  ///   as `start` then says why.
  func judgePIN(_ typed: String, ofRide id: Identifier, by user: Identifier) async throws {
    let verdict: PINTries.Verdict? = try await kit.database.write { writer in
      guard let ride = try writer.rideForUpdate(id), ride.state == .arrived, let driver = ride.driverID,
        try writer.driver(ofUser: user)?.id == driver
      else { return nil }
      var tries = PINTries(failed: Int(ride.pinTries))
      let verdict = tries.judge(typed, against: pin(of: id, epoch: ride.epoch))
      if tries.failed != Int(ride.pinTries) {
        let count = try writer.execute(
          "UPDATE rides_rides SET pin_tries = $1 WHERE id = $2 AND epoch = $3 AND pin_tries = $4", tries.failed, id,
          ride.epoch, ride.pinTries)
        if count == 0 { throw RetryTransaction() }
      }
      return verdict
    }
    switch verdict {
    case .wrong: throw RidesError.wrongPIN
    case .locked: throw RidesError.tooManyAttempts
    case .right, nil: return
    }
  }

  /// The rider is on board, as the PIN proves.
  func start(_ id: Identifier, pin typed: String, by user: Identifier, in writer: any Writer) throws -> Ride {
    let now = now
    let ride = try rideForUpdate(id, drivenBy: user, in: writer)
    guard let driver = ride.driverID, ride.state == .arrived else { throw RidesError.wrongState(ride.state) }
    // Judged once more, as the ride may have changed since `judgePIN`.
    var tries = PINTries(failed: Int(ride.pinTries))
    switch tries.judge(typed, against: pin(of: id, epoch: ride.epoch)) {
    case .right: break
    case .wrong: throw RidesError.wrongPIN
    case .locked: throw RidesError.tooManyAttempts
    }
    let started = try writer.apply(.started, to: ride) { $0.startedAt = now }
    guard let presence = try writer.presenceForUpdate(driver), presence.rideID == id else { throw RetryTransaction() }
    try change(presence, .rideStarted, ride: started, in: writer)
    return try publish(started, in: writer)
  }

  /// The ride is over; its receipt is fixed. The trail has been made durable before.
  func complete(_ id: Identifier, by user: Identifier, in writer: any Writer) throws -> Ride {
    let now = now
    let ride = try rideForUpdate(id, drivenBy: user, in: writer)
    guard ride.state == .inProgress, let driver = ride.driverID, let startedAt = ride.startedAt else {
      throw RidesError.wrongState(ride.state)
    }
    guard let quote = try writer.quote(ride.quoteID), let city = try writer.city(ride.cityID),
      let table = try writer.fareTable(ofCity: ride.cityID, version: quote.quote.tableVersion)
    else { throw StorageError(.corrupt, operation: "read", message: "the quote of a ride is missing") }
    let trail = try writer.trail(of: id, epoch: ride.epoch, from: startedAt)
    let inputs = meterInputs(of: ride, quote: quote, trail: trail, city: city, startedAt: startedAt, now: now)
    var over = ride
    over.endedAt = now
    let receipt = try ReceiptMaker.receipt(of: over, inputs: inputs, table: table)
    let completed = try writer.apply(.completed, to: ride) {
      $0.endedAt = now
      $0.meter = inputs.canonicalBytes
      $0.receipt = receipt.encoded()
      $0.total = receipt.total?.minorUnits
    }
    try freeDriver(driver, from: ride, by: .rideEnded, in: writer)
    try closeChatLater(completed, in: writer)
    return try publish(completed, in: writer)
  }

  private func meterInputs(
    of ride: RideRecord, quote: QuoteRecord, trail: [AcceptedPosition], city: CityRecord, startedAt: Instant,
    now: Instant
  ) -> MeterInputs {
    let distance = zip(trail, trail.dropFirst()).reduce(0.0) { $0 + $1.0.coordinate.distance(to: $1.1.coordinate) }
    let metered = TripMeasure(
      distanceM: Int64(distance.rounded()), durationS: max(0, (now - startedAt).inMilliseconds / 1000),
      startMinuteOfDay: Int(timeZone(of: city).minuteOfDay(at: startedAt)))
    var inputs = MeterInputs(
      ratesVersion: quote.quote.tableVersion, surgeVersion: quote.quote.surgeVersion,
      surgeBasisPoints: Int64(quote.quote.surgeBp),
      quoted: TripMeasure(
        distanceM: quote.quote.distanceM, durationS: quote.quote.durationS, startMinuteOfDay: quote.startMinute),
      metered: metered)
    inputs.waitingS = ride.arrivedAt.map { max(0, (startedAt - $0).inMilliseconds / 1000) } ?? 0
    return inputs
  }

  /// The driver has received cash.
  func confirmCash(_ id: Identifier, received: Money, by user: Identifier, in writer: any Writer) throws -> Ride {
    let ride = try rideForUpdate(id, drivenBy: user, in: writer)
    if ride.state == .paid { throw RidesError.alreadyPaid }
    guard ride.state == .completed || ride.state == .paymentDue, let outstanding = ride.outstanding else {
      throw RidesError.wrongState(ride.state)
    }
    guard received.currencyCode == ride.currency else { throw KitError.currencyMismatch(field: "received") }
    // A ride that costs nothing is confirmed with nothing.
    guard received.minorUnits <= outstanding, received.minorUnits >= (outstanding == 0 ? 0 : 1) else {
      throw KitError.invalid(
        FieldViolation(field: "received.minor_units", description: "more than 0, at most what is outstanding"))
    }
    let sum = ride.received + received.minorUnits
    let changed: RideRecord
    if sum == ride.total {
      changed = try writer.apply(.paid, to: ride) { $0.received = sum }
    } else if ride.state == .completed {
      changed = try writer.apply(.paidShort, to: ride) { $0.received = sum }
    } else {
      changed = try writer.updateReceived(ride, to: sum)
    }
    return try publish(changed, in: writer)
  }
}
