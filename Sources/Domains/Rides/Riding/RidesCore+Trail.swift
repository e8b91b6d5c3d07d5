import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage
import Streaming
import WellKnownTypes

/// Where a ride stands and its driver is.
struct TrackPoint: Sendable {
  let state: RideState
  let driver: Identifier?
  /// Nil until it is known.
  let position: AcceptedPosition?
}

extension RidesCore {
  /// Takes a report of positions in: the index, the watchers, and on a ride the trail, which becomes durable at once
  /// when enough points wait, and else with `flushTrails`.
  func report(
    _ readings: [PositionReading], by driver: DriverRecord
  ) async throws -> PositionVerdict {
    var verdict = fleet.report(readings, by: driver.id, city: driver.cityID, now: now)
    if let assignment = verdict.assignment, let newest = verdict.newest {
      // Only an update: the ride may have ended in this moment, and its topic with it.
      tracks.update(
        trackTopic(assignment.ride), TrackPoint(state: verdict.rideState, driver: driver.id, position: newest))
    }
    if verdict.waiting >= limits.trailBatch {
      try await flushTrails(of: driver.id)
      verdict.durableSequence = fleet.sequences(of: driver.id).durable
    }
    return verdict
  }

  /// Makes the points that wait durable, of one driver or of all, and tells the drivers.
  func flushTrails(of driver: Identifier? = nil) async throws {
    let batches = fleet.waitingTrails(of: driver)
    guard !batches.isEmpty else { return }
    try await kit.database.write { writer in
      for batch in batches {
        try writer.append(batch.points, toTrailOf: batch.assignment.ride, epoch: batch.assignment.epoch)
      }
    }
    for batch in batches {
      guard let durable = fleet.noteDurable(batch) else { continue }
      durables.update(driverTopic(batch.driver), durable)
    }
  }

  /// Stores the last positions of all drivers that moved since the last time.
  func checkpointPositions() async throws {
    let positions = fleet.takeCheckpoint()
    guard !positions.isEmpty else { return }
    do {
      try await kit.database.write { writer in
        for (driver, position) in positions { try writer.checkpoint(position, of: driver) }
      }
    } catch {
      fleet.missedCheckpoint(of: positions.map(\.driver))
      throw error
    }
    fleet.forgetOffline(unheardSince: now - limits.silenceOnRide)
  }

  /// A driver was heard from: positions go on after the last one that is known, from memory or from storage.
  func meet(_ driver: DriverRecord) async throws {
    if fleet.hear(driver.id, now: now) { return }
    let last = try await kit.database.read { try $0.checkpoint(of: driver.id) }
    fleet.meet(driver.id, city: driver.cityID, last: last, now: now)
  }

  /// Puts the drivers at work back into memory, after a start.
  func restoreFleet() async throws {
    let now = now
    let members = try await kit.database.read { reader in
      let checkpoints = Dictionary(
        try reader.checkpoints().map { ($0.driver, $0.position) }, uniquingKeysWith: { first, _ in first })
      return try reader.presencesOnline().map { presence in
        let ride = try presence.rideID.flatMap { try reader.ride($0) }
        let trail = try ride.flatMap { try reader.lastTrailPoint(of: $0.id, epoch: $0.epoch) }
        return RestoredMember(
          presence: presence, assignment: ride.map { Assignment(ride: $0.id, epoch: $0.epoch) },
          rideState: ride?.state ?? .unspecified,
          // On a ride the trail decides: what came after its last point has to be sent again.
          last: ride == nil ? checkpoints[presence.driverID] : trail, durableSequence: trail?.sequence ?? 0)
      }
    }
    for member in members {
      fleet.restore(
        member.presence, assignment: member.assignment, rideState: member.rideState, last: member.last,
        durableSequence: member.durableSequence, now: now)
    }
  }

  /// What watchers of a ride are shown.
  func trackResponse(_ point: TrackPoint, stops: [LatLng]) -> TrackRideResponse {
    var response = TrackRideResponse()
    response.state = point.state
    guard let position = point.position else { return response }
    response.place = position.coordinate.message
    response.measuredAt = Timestamp(position.time)
    response.speedMps = position.speedMetresPerSecond
    let ahead = point.state == .inProgress ? Array(stops.dropFirst()) : Array(stops.prefix(1))
    let way = [position.coordinate] + ahead.compactMap(Coordinate.init)
    let left = StraightLineRoute.estimate(through: way)
    response.etaS = left.durationS
    response.distanceLeftM = left.distanceM
    response.routeLeft = way.map(\.message)
    return response
  }
}

private struct RestoredMember: Sendable {
  let presence: PresenceRecord
  let assignment: Assignment?
  let rideState: RideState
  let last: AcceptedPosition?
  let durableSequence: Int64
}
