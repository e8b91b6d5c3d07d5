import Base
import DomainKit
import RidesAPI
import Storage

extension RidesCore {
  /// Offers a ride to drivers who were matched with it: those who are still free, may still work and are not excluded.
  /// Nothing happens if the ride no longer looks for a driver in that epoch, or if nobody is left.
  /// - Returns: how many offers were made.
  func makeOffers(
    _ id: Identifier, epoch: Int64, to matches: [MatchCandidate], in writer: any Writer
  ) throws -> Int {
    let now = now
    guard let ride = try writer.rideForUpdate(id), ride.state == .requested, ride.epoch == epoch,
      now < ride.searchEndsAt
    else { return 0 }
    let expiresAt = now + limits.offerLifetime
    var offers: [OfferRecord] = []
    for match in matches.sorted(by: { $0.driver < $1.driver }) {
      guard let presence = try writer.presenceForUpdate(match.driver), presence.state == .idle,
        let driver = try writer.driver(match.driver), try writer.obstacle(toWork: driver, now: now) == nil,
        try !writer.isExcluded(match.driver, from: id)
      else { continue }
      let offer = OfferRecord(
        id: kit.identifiers.next(), ride: ride, driverID: match.driver, etaS: match.etaS, expiresAt: expiresAt)
      try writer.insert(offer)
      try change(presence, .offered, offer: offer.id, in: writer)
      offers.append(offer)
    }
    guard !offers.isEmpty else { return 0 }
    let changed = try writer.apply(.matched, to: ride)
    try publish(changed, in: writer)
    for offer in offers {
      try tell(offer.driverID, .offer(try writer.message(of: offer, ride: changed)), in: writer)
    }
    try jobs.set(RideJobs.offers, JobKey(id), RideEpoch(number: epoch), due: expiresAt, in: writer)
    return offers.count
  }

  /// A driver accepts an offer: the ride is ASSIGNED, or the driver learns why not.
  /// - Returns: the ride as the driver sees it.
  func accept(_ offerID: Identifier, by driver: Identifier, in writer: any Writer) throws -> Ride {
    let now = now
    let (ride, offer) = try rideAndOffer(offerID, of: driver, in: writer)
    // The same driver again, under another request_id: the answer is the same, and nothing happens.
    if offer.state == .accepted, ride.offerID == offer.id, ride.state.hasDriver {
      return try writer.view(of: ride)
    }
    if let refusal = refusal(of: offer, now: now) { throw refusal }
    guard ride.state == .offering, ride.epoch == offer.epoch else {
      throw ride.state.hasDriver ? RidesError.offerTaken : RidesError.offerWithdrawn
    }
    guard let presence = try writer.presenceForUpdate(driver), presence.state == .offered,
      presence.offerID == offer.id
    else { throw RidesError.offerWithdrawn }
    let assigned = try writer.apply(.accepted, to: ride) {
      $0.driverID = driver
      $0.offerID = offer.id
      $0.assignedAt = now
      $0.pickupDueAt = now + .seconds(offer.etaS)
      $0.pinTries = 0
      $0.note = ""
    }
    guard try writer.close(offer.id, as: .accepted, reason: .unspecified, openAt: now) else {
      throw RetryTransaction()
    }
    try change(presence, .accepted, ride: assigned, in: writer)
    try withdrawOffers(of: ride, as: .superseded, reason: .taken, in: writer)
    try jobs.cancel(RideJobs.offers, JobKey(ride.id), in: writer)
    try jobs.cancel(RideJobs.search, JobKey(ride.id), in: writer)
    try openChat(of: assigned, in: writer)
    let view = try publish(assigned, in: writer)
    try tellRiderOfDriver(of: assigned, RideNotices.assigned, in: writer)
    return view
  }

  /// A driver turns an offer down, and is not offered this ride again.
  func decline(_ offerID: Identifier, by driver: Identifier, in writer: any Writer) throws {
    let (ride, offer) = try rideAndOffer(offerID, of: driver, in: writer)
    if offer.state == .declined { return }
    if let refusal = refusal(of: offer, now: now) { throw refusal }
    try writer.exclude(driver, from: ride.id)
    try closeOffer(offer, as: .declined, reason: .declined, in: writer)
    try endRoundIfExhausted(ride, in: writer)
  }

  /// Closes the offers of a ride's epoch whose time is over, and looks anew if none is left. For the timer.
  func expireOffers(of id: Identifier, epoch: Int64, in writer: any Writer) throws {
    let now = now
    guard let ride = try writer.rideForUpdate(id), ride.state == .offering, ride.epoch == epoch else { return }
    for offer in try writer.openOffers(of: id) where offer.expiresAt <= now {
      try closeOffer(offer, as: .expired, reason: .expired, in: writer)
    }
    try endRoundIfExhausted(ride, in: writer)
  }

  /// Gives a ride up whose search has taken too long. For the timer.
  func endSearch(of id: Identifier, in writer: any Writer) throws {
    let now = now
    guard let ride = try writer.rideForUpdate(id), ride.state == .requested || ride.state == .offering,
      ride.searchEndsAt <= now
    else { return }
    try withdrawOffers(of: ride, as: .superseded, reason: .withdrawn, in: writer)
    try jobs.cancel(RideJobs.offers, JobKey(id), in: writer)
    let ended = try writer.apply(.searchEnded, to: ride) { $0.endedAt = now }
    try closeChatLater(ended, in: writer)
    try publish(ended, in: writer)
  }

  /// Closes all open offers of a ride; their drivers are free again.
  func withdrawOffers(
    of ride: RideRecord, as state: OfferState, reason: OfferCloseReason, in writer: any Writer
  ) throws {
    for offer in try writer.openOffers(of: ride.id) {
      try closeOffer(offer, as: state, reason: reason, in: writer)
    }
  }

  /// Closes one open offer; its driver is free again, or goes OFFLINE.
  func closeOffer(
    _ offer: OfferRecord, as state: OfferState, reason: OfferCloseReason, andGoOffline: Bool = false,
    in writer: any Writer
  ) throws {
    guard try writer.close(offer.id, as: state, reason: reason) else { throw RetryTransaction() }
    if let presence = try writer.presenceForUpdate(offer.driverID), presence.offerID == offer.id {
      try change(presence, andGoOffline ? .wentOffline : .offerClosed, in: writer)
    }
    var closed = OfferClosed()
    closed.offerID = offer.id.text(kind: IDKind.offer)
    closed.reason = reason
    try tell(offer.driverID, .offerClosed(closed), in: writer)
  }

  /// Looks for drivers anew if no offer of the ride is open any more.
  func endRoundIfExhausted(_ ride: RideRecord, in writer: any Writer) throws {
    guard ride.state == .offering, try writer.openOffers(of: ride.id).isEmpty else { return }
    try jobs.cancel(RideJobs.offers, JobKey(ride.id), in: writer)
    try publish(try writer.apply(.offersExhausted, to: ride), in: writer)
  }

  /// An offer and its ride, both as they stand once this transaction holds the ride.
  private func rideAndOffer(
    _ id: Identifier, of driver: Identifier, in writer: any Writer
  ) throws -> (RideRecord, OfferRecord) {
    guard let found = try writer.offer(id), found.driverID == driver,
      let ride = try writer.rideForUpdate(found.rideID), let offer = try writer.offer(id)
    else { throw KitError.notFound("offer") }
    return (ride, offer)
  }

  /// Why an offer cannot be taken or turned down; nil if it is open.
  private func refusal(of offer: OfferRecord, now: Instant) -> RidesError? {
    switch offer.state {
    case .open: offer.expiresAt <= now ? .offerExpired : nil
    case .expired: .offerExpired
    case .superseded: offer.closeReason == .taken ? .offerTaken : .offerWithdrawn
    case .accepted, .declined: .offerWithdrawn
    }
  }
}

extension Reader {
  /// An offer as its driver sees it.
  func message(of offer: OfferRecord, ride: RideRecord) throws -> Offer {
    var message = Offer()
    message.id = offer.id.text(kind: IDKind.offer)
    message.rideID = ride.id.text(kind: IDKind.ride)
    message.pickupEtaS = offer.etaS
    message.expiresAt = .init(offer.expiresAt)
    if let quote = try quote(ride.quoteID)?.quote {
      message.pickup = quote.stops.first
      message.dropoff = quote.stops.last
      message.distanceM = quote.distanceM
      message.earnings = try expectedEarnings(of: quote, city: ride.cityID)
    }
    return message
  }

  /// Whether a ride is not to be offered to a driver.
  func isExcluded(_ driver: Identifier, from ride: Identifier) throws -> Bool {
    try exists("SELECT 1 FROM rides_exclusions WHERE ride_id = $1 AND driver_id = $2", ride, driver)
  }
}

extension Writer {
  /// Keeps a ride from being offered to a driver again.
  func exclude(_ driver: Identifier, from ride: Identifier) throws {
    try send(
      "INSERT INTO rides_exclusions (ride_id, driver_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", ride, driver)
  }
}
