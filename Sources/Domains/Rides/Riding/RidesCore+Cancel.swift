import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage

/// Who cancels.
enum Canceller: Sendable {
  case rider
  case driver
  case staff
}

extension RidesCore {
  /// Who a caller is to a ride that is to be cancelled.
  /// - Parameter ride: nil if there is none, which takes as long to refuse as a stranger's.
  /// - Throws: `KitError.notFound` for strangers.
  func cancelling(
    _ ride: RideRecord?, by user: Identifier, in reader: any Reader
  ) throws -> (ride: RideRecord, canceller: Canceller) {
    let canceller: Canceller? =
      switch try side(of: user, on: ride, in: reader) {
      case .rider: .rider
      case .driver: .driver
      default: try kit.authority.roles(of: user, in: reader).holds("rides.support") ? .staff : nil
      }
    guard let ride, let canceller else { throw KitError.notFound("ride") }
    return (ride, canceller)
  }

  /// What cancelling would cost the rider now, by the quote's table.
  /// - Throws: `RidesError.wrongState` once the ride has begun or ended.
  func cancelFee(of ride: RideRecord, for canceller: Canceller, in reader: any Reader) throws -> CancelFee {
    guard ride.state.precedesStart else { throw RidesError.wrongState(ride.state) }
    return canceller == .rider ? try lateFee(of: ride, in: reader) : CancelFee(total: 0)
  }

  /// Cancels a ride before it begins.
  func cancel(
    _ id: Identifier, by user: Identifier, expectedFee: Money?, note: String, in writer: any Writer
  ) throws -> Ride {
    let (ride, canceller) = try cancelling(writer.rideForUpdate(id), by: user, in: writer)
    let fee = try cancelFee(of: ride, for: canceller, in: writer)
    if let expectedFee {
      guard expectedFee.currencyCode == ride.currency else { throw KitError.currencyMismatch(field: "expected_fee") }
      guard expectedFee.minorUnits == fee.total else {
        throw RidesError.priceChanged(minorUnits: fee.total, currency: ride.currency)
      }
    }
    switch canceller {
    case .rider: return try end(ride, by: .cancelledByRider, fee: fee.total, note: note, in: writer)
    case .staff: return try end(ride, by: .cancelledByStaff, fee: 0, note: note, in: writer)
    case .driver: return try giveBack(ride, note: note, in: writer)
    }
  }

  /// The driver leaves before the rider is on board: after a long wait at the pickup the rider did not come, else the
  /// ride is offered to others.
  func giveBack(_ ride: RideRecord, note: String, in writer: any Writer) throws -> Ride {
    if ride.state == .arrived, let arrivedAt = ride.arrivedAt, now - arrivedAt >= limits.noShowWait {
      let fee = try lateFee(of: ride, in: writer)
      try tellRider(of: ride, RideNotices.cancelled, in: writer)
      return try end(ride, by: .riderMissed, fee: fee.total, note: note, in: writer)
    }
    return try writer.view(of: try loseDriver(of: ride, note: note, in: writer))
  }

  /// Ends a ride that has not begun; its offers are withdrawn and its driver is free again.
  private func end(
    _ ride: RideRecord, by event: RideEvent, fee: Int64, note: String, in writer: any Writer
  ) throws -> Ride {
    let now = now
    let ended = try writer.apply(event, to: ride) {
      $0.endedAt = now
      $0.cancelFee = fee
      $0.note = note
    }
    try withdrawOffers(of: ride, as: .superseded, reason: .withdrawn, in: writer)
    try jobs.cancel(RideJobs.offers, JobKey(ride.id), in: writer)
    try jobs.cancel(RideJobs.search, JobKey(ride.id), in: writer)
    let view = try publish(ended, in: writer)
    if let driver = ride.driverID {
      try freeDriver(driver, from: ride, by: .rideCancelled, in: writer)
      try tell(driver, .ride(view), in: writer)
    }
    try closeChatLater(ended, in: writer)
    return view
  }

  private func lateFee(of ride: RideRecord, in reader: any Reader) throws -> CancelFee {
    guard let quote = try reader.quote(ride.quoteID)?.quote,
      let table = try reader.fareTable(ofCity: ride.cityID, version: quote.tableVersion)
    else { throw StorageError(.corrupt, operation: "read", message: "the fare table of a ride is missing") }
    return CancelFee(
      assignedAt: ride.assignedAt, pickupDueAt: ride.pickupDueAt, arrivedAt: ride.arrivedAt,
      cityFee: table.cancelFeeMinor, now: now, limits: limits)
  }
}
