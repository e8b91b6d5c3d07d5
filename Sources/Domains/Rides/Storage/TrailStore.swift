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

  /// The last checkpointed position of a driver.
  func checkpoint(of driver: Identifier) throws -> AcceptedPosition? {
    try first(
      """
      SELECT sequence, measured_at, latitude, longitude, CAST(0 AS DOUBLE PRECISION), CAST(NULL AS DOUBLE PRECISION)
      FROM rides_positions WHERE driver_id = $1 AND sequence > 0
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
      try send(
        """
        INSERT INTO rides_trail (ride_id, epoch, sequence, measured_at, latitude, longitude, accuracy_m, speed_mps)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
        """, ride, epoch, point.sequence, point.time, point.coordinate.latitude, point.coordinate.longitude,
        point.accuracyMetres, point.speedMetresPerSecond)
    }
  }

  /// Keeps the last position of a driver, unless a newer one is kept, and when the driver was heard from.
  func keep(_ checkpoint: DriverCheckpoint) throws {
    let position = checkpoint.position
    try send(
      """
      INSERT INTO rides_positions (driver_id, sequence, measured_at, latitude, longitude, heard_at)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (driver_id) DO UPDATE SET sequence = excluded.sequence, measured_at = excluded.measured_at,
        latitude = excluded.latitude, longitude = excluded.longitude, heard_at = excluded.heard_at
      WHERE rides_positions.sequence <= excluded.sequence
      """, checkpoint.driver, position?.sequence ?? 0, position?.time ?? Instant(nanoseconds: 0),
      position?.coordinate.latitude ?? 0, position?.coordinate.longitude ?? 0, checkpoint.heardAt)
  }
}

extension AcceptedPosition {
  /// Reads sequence, time, latitude, longitude, accuracy and speed from the first six columns.
  init(row: any Row) throws {
    self.init(
      sequence: row[0], time: row[1], coordinate: try Coordinate(latitude: row[2], longitude: row[3]),
      accuracyMetres: row[4], speedMetresPerSecond: row[5])
  }

  /// Reads sequence, time, latitude and longitude of a checkpoint from the columns from `first` on; nil if there is no
  /// row, or one without a position.
  init?(checkpoint row: any Row, from first: Int) throws {
    guard !row.isNull(first), row.integer(first) > 0 else { return nil }
    self.init(
      sequence: row[first], time: row[first + 1],
      coordinate: try Coordinate(latitude: row[first + 2], longitude: row[first + 3]), accuracyMetres: 0,
      speedMetresPerSecond: nil)
  }
}
