import Base
import Storage

extension Reader {
  /// The points of a ride's trail in an epoch, measured from `start` on, by sequence.
  func trail(of ride: Identifier, epoch: Int64, from start: Instant) throws -> [AcceptedPosition] {
    try rows(
      """
      SELECT sequence, measured_at, latitude, longitude, accuracy_m, speed_mps FROM rides_trail
      WHERE ride_id = $1 AND epoch = $2 AND measured_at >= $3 ORDER BY sequence
      """, ride, epoch, start, make: AcceptedPosition.init(row:))
  }

  /// The last checkpointed position of each driver who is not offline.
  func checkpoints() throws -> [(driver: Identifier, position: AcceptedPosition)] {
    try rows(
      """
      SELECT c.sequence, c.measured_at, c.latitude, c.longitude, CAST(0 AS DOUBLE PRECISION),
        CAST(NULL AS DOUBLE PRECISION), c.driver_id
      FROM rides_positions c JOIN rides_presences p ON p.driver_id = c.driver_id WHERE p.state > 1
      """
    ) { (driver: $0[6], position: try AcceptedPosition(row: $0)) }
  }

  /// The last checkpointed position of a driver.
  func checkpoint(of driver: Identifier) throws -> AcceptedPosition? {
    try first(
      """
      SELECT sequence, measured_at, latitude, longitude, CAST(0 AS DOUBLE PRECISION), CAST(NULL AS DOUBLE PRECISION)
      FROM rides_positions WHERE driver_id = $1
      """, driver, make: AcceptedPosition.init(row:))
  }

  /// The newest durable point of a ride's trail in an epoch.
  func lastTrailPoint(of ride: Identifier, epoch: Int64) throws -> AcceptedPosition? {
    try first(
      """
      SELECT sequence, measured_at, latitude, longitude, accuracy_m, speed_mps FROM rides_trail
      WHERE ride_id = $1 AND epoch = $2 ORDER BY sequence DESC LIMIT 1
      """, ride, epoch, make: AcceptedPosition.init(row:))
  }
}

extension Writer {
  /// Adds points to a trail; one that is there already stays as it is.
  func append(_ points: [AcceptedPosition], toTrailOf ride: Identifier, epoch: Int64) throws {
    for point in points {
      try execute(
        """
        INSERT INTO rides_trail (ride_id, epoch, sequence, measured_at, latitude, longitude, accuracy_m, speed_mps)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
        """, ride, epoch, point.sequence, point.time, point.coordinate.latitude, point.coordinate.longitude,
        point.accuracyMetres, point.speedMetresPerSecond)
    }
  }

  /// Keeps the last position of a driver, unless a newer one is kept.
  func checkpoint(_ position: AcceptedPosition, of driver: Identifier) throws {
    try execute(
      """
      INSERT INTO rides_positions (driver_id, sequence, measured_at, latitude, longitude)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (driver_id) DO UPDATE SET sequence = excluded.sequence, measured_at = excluded.measured_at,
        latitude = excluded.latitude, longitude = excluded.longitude
      WHERE rides_positions.sequence < excluded.sequence
      """, driver, position.sequence, position.time, position.coordinate.latitude, position.coordinate.longitude)
  }
}

extension AcceptedPosition {
  /// Reads sequence, time, latitude, longitude, accuracy and speed from the first six columns.
  init(row: any Row) throws {
    self.init(
      sequence: row[0], time: row[1], coordinate: try Coordinate(latitude: row[2], longitude: row[3]),
      accuracyMetres: row[4], speedMetresPerSecond: row[5])
  }
}
