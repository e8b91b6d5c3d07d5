import Base
import DomainKit
import OctetTypes
import RPC
import RidesAPI
import Storage
import Streaming

/// `TrackingService`.
struct TrackingHandlers: TrackingService {
  let core: RidesCore

  func trackRide(
    _ request: TrackRideRequest, responses: ResponseWriter<TrackRideResponse>, context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    let id = try Identifier(request.rideID, kind: IDKind.ride, field: "ride_id")
    let roles = context.method.policy.roles
    // Subscribed before the ride is read: its end is either read or heard of.
    let subscription = core.tracks.subscribe(core.trackTopic(id))
    let (first, stops, side) = try await core.kit.database.read { [core] reader in
      let ride = try core.visibleRide(id, to: caller, roles: roles, in: reader)
      guard ride.state.isLive else { throw KitError.notFound("ride") }
      return (
        try core.newestTrackPoint(of: ride, in: reader), try reader.quote(ride.quoteID)?.quote.stops ?? [],
        try core.side(of: caller.user, on: ride, in: reader)
      )
    }
    let heart = Heart(core.kit, context, responses.sink) { TrackRideResponse() }
    defer { heart.stop() }
    try await responses.write(core.trackResponse(first, stops: stops))
    heart.start()
    var shown = first
    while let news = try await subscription.next() {
      try await core.kit.judgeAgain(context)
      guard let point = shown.merged(with: news) else { continue }
      shown = point
      // A driver who gave the ride back has no business with the next one's positions.
      if side == .driver, point.driver != first.driver { return }
      try await responses.write(core.trackResponse(point, stops: stops))
      heart.wasHeard()
    }
  }
}
