import Base
import DomainKit
import ProtobufRuntime
import RPC
import RidesAPI
import Storage
import Streaming

extension RideHandlers {
  func watchRide(
    _ request: WatchRideRequest, responses: ResponseWriter<WatchRideResponse>, context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    let id = try Identifier(request.rideID, kind: IDKind.ride, field: "ride_id")
    let roles = context.method.policy.roles
    let viewer = try await core.kit.database.read { [core] reader in
      let ride = try core.visibleRide(id, to: caller, roles: roles, in: reader)
      let side = try core.side(of: caller.user, on: ride, in: reader)
      return Viewer(side: side, driver: side == .driver ? ride.driverID : nil, ride: ride)
    }
    if try hasNothingMore(viewer.ride, request.resumeToken) { return }
    try await core.kit.watch(
      core.rideTopic(id), resumeToken: request.resumeToken, responses, context,
      snapshot: { [core] reader in
        try reader.view(of: try core.visibleRide(id, to: caller, roles: roles, in: reader))
      },
      first: { ride, token in
        var response = WatchRideResponse()
        response.resumeToken = token
        response.event = .snapshot(revealed(ride, to: caller.user))
        return ride.state.isFinal ? .finish(response) : .send(response)
      },
      heartbeat: { WatchRideResponse() },
      step: { event, _ in
        // The payload holds its own token.
        var response = try WatchRideResponse(decoding: event.payload)
        guard case .change(let ride) = response.event else { return .skip }
        if ride.state.isFinal || viewer.hasLeft(ride) { return .finish(response) }
        guard viewer.side == .rider, ride.state.precedesStart else {
          return .share(event.shared { _ in EncodedMessage(response) })
        }
        response.event = .change(revealed(ride, to: caller.user))
        return .send(response)
      })
  }

  /// Whether a client that comes back has seen the last change there will ever be. Each change of a ride is one event,
  /// so the ride's version is the number of its newest event.
  private func hasNothingMore(_ ride: RideRecord, _ token: String) throws -> Bool {
    guard !token.isEmpty, ride.state.isFinal else { return false }
    do {
      return try core.kit.hub.tokens.read(token, core.rideTopic(ride.id)) >= UInt64(ride.version)
    } catch {
      throw KitError(error)
    }
  }

  private func revealed(_ ride: Ride, to user: Identifier) -> Ride {
    var ride = ride
    core.reveal(&ride, to: user)
    return ride
  }
}

/// Who watches.
private struct Viewer: Sendable {
  let side: RideSide?
  let driver: Identifier?
  let ride: RideRecord

  /// Whether the viewer drove the ride and does no more.
  func hasLeft(_ ride: Ride) -> Bool {
    guard let driver else { return false }
    return ride.driver?.id != driver.text(kind: IDKind.driver)
  }
}
