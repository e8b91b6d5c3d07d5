import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage
import Streaming
import WellKnownTypes

extension RidesCore {
  /// Takes a report of positions in: the index, the watchers, and on a ride the trail, which becomes durable at once
  /// when enough points wait, and else with `flushTrails`.
  func report(
    _ readings: [PositionReading], by driver: DriverRecord
  ) async throws -> PositionVerdict {
    var verdict = fleet.report(readings, by: driver.id, city: driver.cityID, now: now)
    if let owner {
      let report = DriverReport(
        driver: driver.id, presence: verdict.presence, presenceVersion: verdict.presenceVersion,
        position: verdict.newest)
      owner.tell(report, city: driver.cityID)
    }
    if let assignment = verdict.assignment, let newest = verdict.newest {
      let point = TrackPoint(
        state: verdict.rideState, version: verdict.rideVersion, driver: driver.id, position: newest)
      tracks.update(trackTopic(assignment.ride), point)
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
    let checkpoints = fleet.takeCheckpoint()
    if !checkpoints.isEmpty {
      do {
        try await kit.database.write { writer in
          for checkpoint in checkpoints { try writer.keep(checkpoint) }
        }
      } catch {
        fleet.missedCheckpoint(of: checkpoints.map(\.driver))
        throw error
      }
    }
    fleet.forget(unheardSince: now - limits.silenceOnRide, exceptIn: owner?.matched)
  }

  /// A driver's session begins: another node may have served the driver before.
  func welcome(_ driver: DriverRecord) async throws {
    if owner == nil { try await meet(driver) } else { try await load(driver) }
  }

  /// A driver was heard from: positions go on after the last one that is known, from memory or from storage.
  func meet(_ driver: DriverRecord) async throws {
    if !fleet.hear(driver.id, now: now) { try await load(driver) }
  }

  private func load(_ driver: DriverRecord) async throws {
    let stored = try await kit.database.read { try $0.withTrails($0.storedMembers([driver.id])) }
    for member in stored { fleet.connect(member, now: now) }
  }

  /// Puts the drivers at work back into memory, after a start. Where other nodes serve drivers too, they come with their
  /// sessions, and with the cities that this node matches.
  func restoreFleet() async throws {
    guard owner == nil else { return }
    for member in try await kit.database.read({ try $0.withTrails($0.storedMembers()) }) {
      fleet.connect(member, now: now)
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
