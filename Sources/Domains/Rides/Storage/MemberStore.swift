import Base
import RidesAPI
import Storage

/// How many drivers or rides are read with one statement. It always has as many places, so that it stays prepared.
private let storedAtOnce = 100

extension Reader {
  /// What is stored of the drivers who are not offline, by driver.
  /// - Parameter city: only those of this city.
  func storedMembers(inCity city: Identifier? = nil) throws -> [StoredMember] {
    guard let city else { return try storedMembers("p.state > 1", []) }
    return try storedMembers("p.city_id = $1 AND p.state > 1", [city.sqlValue])
  }

  /// What is stored of drivers; those who do not exist are left out.
  func storedMembers(_ drivers: [Identifier]) throws -> [StoredMember] {
    try chunked(drivers) { places, arguments in try storedMembers("p.driver_id IN (\(places))", arguments) }
  }

  private func storedMembers(_ condition: String, _ arguments: [SQLValue]) throws -> [StoredMember] {
    var members: [StoredMember] = []
    let columns = PresenceRecord.columns.split(separator: ", ").map { "p." + $0 }.joined(separator: ", ")
    try forEachRow(
      """
      SELECT \(columns), r.id, r.epoch, r.state, r.version, x.sequence, x.measured_at, x.latitude, x.longitude,
        COALESCE(x.heard_at, 0)
      FROM rides_presences p LEFT JOIN rides_rides r ON r.id = p.ride_id
      LEFT JOIN rides_positions x ON x.driver_id = p.driver_id WHERE \(condition) ORDER BY p.driver_id
      """, arguments
    ) { row in
      let ride: Identifier? = row[7]
      members.append(
        StoredMember(
          presence: PresenceRecord(row: row), assignment: ride.map { Assignment(ride: $0, epoch: row[8]) },
          rideState: ride == nil ? .unspecified : RideState(rawValue: row[9]), rideVersion: ride == nil ? 0 : row[10],
          checkpoint: try AcceptedPosition(checkpoint: row, from: 11), heardAt: row[15]))
      return true
    }
    return members
  }

  /// The same, with the end of the trail of each one's ride.
  func withTrails(_ members: [StoredMember]) throws -> [StoredMember] {
    try members.map { member in
      var member = member
      member.trailEnd = try member.assignment.flatMap { try lastTrailPoint(of: $0.ride, epoch: $0.epoch) }
      return member
    }
  }

  /// When a driver was last heard from, as of the last checkpoint.
  func heardAt(_ driver: Identifier) throws -> Instant? {
    try first("SELECT heard_at FROM rides_positions WHERE driver_id = $1", driver) { $0[0] }
  }

  /// Where rides stand and their drivers are, as far as it is stored; rides that do not exist are left out.
  func trackPoints(of rides: [Identifier]) throws -> [(ride: Identifier, point: TrackPoint)] {
    try chunked(rides) { places, arguments in
      var points: [(ride: Identifier, point: TrackPoint)] = []
      try forEachRow(
        """
        SELECT t.sequence, t.measured_at, t.latitude, t.longitude, t.accuracy_m, t.speed_mps,
          x.sequence, x.measured_at, x.latitude, x.longitude, r.id, r.state, r.version, r.driver_id
        FROM rides_rides r LEFT JOIN rides_positions x ON x.driver_id = r.driver_id
        LEFT JOIN rides_trail t ON t.ride_id = r.id AND t.epoch = r.epoch AND t.sequence =
          (SELECT l.sequence FROM rides_trail l WHERE l.ride_id = r.id AND l.epoch = r.epoch
            ORDER BY l.sequence DESC LIMIT 1)
        WHERE r.id IN (\(places))
        """, arguments
      ) { row in
        let state = RideState(rawValue: row[11])
        let trailEnd = row.isNull(0) ? nil : try AcceptedPosition(row: row)
        let checkpoint = try AcceptedPosition(checkpoint: row, from: 6)
        let point = TrackPoint(
          state: state, version: row[12], driver: state.hasDriver ? row[13] : nil,
          position: state.hasDriver ? .newest(trailEnd, checkpoint) : nil)
        points.append((row[10], point))
        return true
      }
      return points
    }
  }

  /// Reads what belongs to many ids, some of them at a time.
  func chunked<Element>(
    _ ids: [Identifier], _ read: (_ places: String, _ arguments: [SQLValue]) throws -> [Element]
  ) throws -> [Element] {
    let places = (1...storedAtOnce).map { "$\($0)" }.joined(separator: ", ")
    return try stride(from: 0, to: ids.count, by: storedAtOnce).flatMap { start in
      let chunk = ids[start..<min(start + storedAtOnce, ids.count)]
      let padding = Array(repeating: ids[start], count: storedAtOnce - chunk.count)
      return try read(places, (chunk + padding).map(\.sqlValue))
    }
  }
}

extension AcceptedPosition {
  /// The one that was measured last, of those that are known.
  static func newest(_ positions: AcceptedPosition?...) -> AcceptedPosition? {
    positions.compactMap(\.self).max { $0.time < $1.time }
  }
}
