import Base
import DomainKit
import RidesAPI
import Storage
import Streaming

extension RidesCore {
  /// Does to a presence what `event` does by the table of states, and tells the fleet once that is durable.
  /// - Parameters:
  ///   - presence: as this transaction read it.
  ///   - offer: the open offer from now on.
  ///   - ride: the ride from now on.
  /// - Throws: `RetryTransaction` if the event cannot happen to it: ride and presence were read at different instants.
  func change(
    _ presence: PresenceRecord, _ event: PresenceEvent, offer: Identifier? = nil, ride: RideRecord? = nil,
    in writer: any Writer
  ) throws {
    guard let changed = try writer.apply(event, to: presence, offer: offer, ride: ride?.id, now: now) else {
      throw RetryTransaction()
    }
    let assignment = ride.map { Assignment(ride: $0.id, epoch: $0.epoch) }
    let now = now
    writer.afterCommit { [fleet] in fleet.note(changed, assignment: assignment, now: now) }
  }

  /// A driver starts to take offers; harmless while online.
  /// - Throws: `RidesError.notEligible` unless the driver may work.
  func goOnline(_ driver: DriverRecord, in writer: any Writer) throws {
    guard let presence = try writer.presenceForUpdate(driver.id) else { throw KitError.notFound("driver") }
    guard presence.state == .offline else { return }
    if let obstacle = try writer.obstacle(toWork: driver, now: now) { throw RidesError.notEligible(obstacle) }
    try change(presence, .wentOnline, in: writer)
    // A session begins with a snapshot, so nobody comes back for what was said in an earlier one.
    try kit.hub.compact(driverTopic(driver.id), before: now - limits.eventRetention, in: writer)
  }

  /// A driver stops taking offers; an open one counts as turned down. Harmless while offline.
  /// - Throws: `RidesError.wrongState` on a ride.
  func goOffline(_ driver: Identifier, in writer: any Writer) throws {
    guard let presence = try writer.presence(of: driver) else { throw KitError.notFound("driver") }
    switch presence.state {
    case .idle:
      guard let held = try writer.presenceForUpdate(driver), held == presence else { throw RetryTransaction() }
      try change(held, .wentOffline, in: writer)
    case .offered:
      try leaveOffered(presence, in: writer)
    case .enRoute, .onTrip:
      let ride = try presence.rideID.flatMap { try writer.ride($0) }
      throw RidesError.wrongState(ride?.state ?? .unspecified)
    default: break
    }
  }

  /// An OFFERED driver goes OFFLINE: the offer is withdrawn.
  private func leaveOffered(_ presence: PresenceRecord, in writer: any Writer) throws {
    guard let id = presence.offerID, let found = try writer.offer(id),
      let ride = try writer.rideForUpdate(found.rideID), let offer = try writer.offer(id), offer.state == .open
    else { throw RetryTransaction() }
    try closeOffer(offer, as: .superseded, reason: .withdrawn, andGoOffline: true, in: writer)
    try endRoundIfExhausted(ride, in: writer)
  }

  /// Judges the drivers that were not heard from for too long: free ones go OFFLINE, rides that have not begun are
  /// offered to others.
  /// - Parameter cities: only theirs; nil for all.
  func judgeSilence(in cities: Set<Identifier>?) async throws {
    let now = now
    let silent = fleet.silent(
      freeSince: now - limits.silenceWhenFree, onRideSince: now - limits.silenceOnRide, in: cities)
    for driver in silent {
      _ = try await attempt("driver", driver.text(kind: IDKind.driver)) {
        do {
          try await kit.database.write { writer in try dropSilent(driver, in: writer) }
        } catch is RidesError {
          // The driver has just taken a ride, which is judged by its own limit.
        }
        return 0
      }
    }
  }

  /// Does so for one driver, unless the driver was heard from since: others may have been dealt with before.
  func dropSilent(_ driver: Identifier, in writer: any Writer) throws {
    let now = now
    guard
      fleet.isSilent(
        driver, freeSince: now - limits.silenceWhenFree, onRideSince: now - limits.silenceOnRide),
      let presence = try writer.presence(of: driver)
    else { return }
    if let owner {
      // It is for the node that matches the city to say so, and another one may have heard from the driver.
      guard let lease = owner.lease(of: presence.cityID) else { return }
      try Leases.confirm(lease, by: kit.clock, in: writer)
      if let heardAt = try writer.heardAt(driver) { fleet.hear(driver, elsewhereAt: heardAt) }
      guard
        fleet.isSilent(driver, freeSince: now - limits.silenceWhenFree, onRideSince: now - limits.silenceOnRide)
      else { return }
    }
    switch presence.state {
    case .idle, .offered:
      try goOffline(driver, in: writer)
      try tellState(of: driver, in: writer)
    case .enRoute:
      guard let id = presence.rideID, let ride = try writer.rideForUpdate(id), ride.driverID == driver else { return }
      try loseDriver(of: ride, note: "the driver could not be reached", goesOffline: true, in: writer)
    case .offline:
      // Another node did so, or the driver.
      fleet.note(presence, assignment: nil, now: now)
    default: break
    }
  }

  /// A ride that has not begun loses its driver: it is offered to others, and not to this one again.
  /// - Returns: the ride as it is now.
  @discardableResult
  func loseDriver(
    of ride: RideRecord, note: String, goesOffline: Bool = false, in writer: any Writer
  ) throws -> RideRecord {
    guard let driver = ride.driverID, let offer = ride.offerID else { throw RidesError.wrongState(ride.state) }
    let searchEndsAt = now + limits.searchTime
    let lost = try writer.apply(.driverLost, to: ride) {
      $0.driverID = nil
      $0.offerID = nil
      $0.assignedAt = nil
      $0.pickupDueAt = nil
      $0.arrivedAt = nil
      $0.pinTries = 0
      $0.searchEndsAt = searchEndsAt
      $0.note = note
    }
    try writer.supersedeAccepted(offer)
    try writer.exclude(driver, from: ride.id)
    try freeDriver(driver, from: ride, by: .rideCancelled, in: writer)
    try leaveChat(of: ride, in: writer)
    if goesOffline, let presence = try writer.presenceForUpdate(driver) {
      try change(presence, .wentOffline, in: writer)
    }
    try jobs.set(RideJobs.search, JobKey(ride.id), due: searchEndsAt, in: writer)
    try publish(lost, in: writer)
    try tellRider(of: ride, RideNotices.driverLeft, in: writer)
    try tellState(of: driver, in: writer)
    return lost
  }

  /// The driver of a ride is IDLE again.
  func freeDriver(
    _ driver: Identifier, from ride: RideRecord, by event: PresenceEvent, in writer: any Writer
  ) throws {
    guard let presence = try writer.presenceForUpdate(driver), presence.rideID == ride.id else {
      throw RetryTransaction()
    }
    try change(presence, event, in: writer)
  }
}
