import Base
import Storage

extension Writer {
  /// Notes that a driver's session begins.
  /// - Parameter id: made by this node, whose clock may be behind another's.
  /// - Returns: the session's number: `id`, unless there has been a later one.
  func beginSession(_ id: Identifier, of driver: Identifier) throws -> Identifier {
    let session: Identifier? = try first(
      """
      INSERT INTO rides_sessions (driver_id, session) VALUES ($1, $2) ON CONFLICT (driver_id) DO UPDATE SET session =
        CASE WHEN rides_sessions.session < excluded.session THEN excluded.session ELSE rides_sessions.session + 1 END
      RETURNING session
      """, driver, id
    ) { $0[0] }
    guard let session else { throw StorageError(.corrupt, operation: "step", message: "a session was not stored") }
    return session
  }

  /// Asks the node of a driver's session to make the trail durable.
  /// - Parameter instant: a driver whose last stored sign of life is older has no session; one of whom none is stored yet
  ///   has just begun it.
  /// - Returns: the number of the wish, nil if nobody would answer.
  func askForFlush(of driver: Identifier, heardAfter instant: Instant) throws -> Int64? {
    try first(
      """
      UPDATE rides_sessions SET flush_wanted = flush_wanted + 1 WHERE driver_id = $1
        AND NOT EXISTS (SELECT 1 FROM rides_positions x WHERE x.driver_id = $1 AND x.heard_at <= $2)
      RETURNING flush_wanted
      """, driver, instant
    ) { $0[0] }
  }

  /// Answers the wishes up to one.
  func noteFlush(of driver: Identifier, upTo wish: Int64) throws {
    try send("UPDATE rides_sessions SET flushed = $2 WHERE driver_id = $1 AND flushed < $2", driver, wish)
  }
}

/// The newest session of a driver.
struct StoredSession: Sendable {
  let driver: Identifier
  let session: Identifier
  /// The last wish for the trail, and the last one that was answered.
  let flushWanted: Int64
  let flushed: Int64
}

extension Reader {
  /// The newest session of each of the drivers who have had one.
  func newestSessions(of drivers: [Identifier]) throws -> [StoredSession] {
    try chunked(drivers) { places, arguments in
      var sessions: [StoredSession] = []
      try forEachRow(
        "SELECT driver_id, session, flush_wanted, flushed FROM rides_sessions WHERE driver_id IN (\(places))", arguments
      ) { row in
        sessions.append(StoredSession(driver: row[0], session: row[1], flushWanted: row[2], flushed: row[3]))
        return true
      }
      return sessions
    }
  }

  /// The last wish for a driver's trail that was answered.
  func flushed(of driver: Identifier) throws -> Int64 {
    try first("SELECT flushed FROM rides_sessions WHERE driver_id = $1", driver) { $0[0] } ?? 0
  }
}
