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
}

extension Reader {
  /// The newest session of each of the drivers who have had one.
  func newestSessions(of drivers: [Identifier]) throws -> [(driver: Identifier, session: Identifier)] {
    try chunked(drivers) { places, arguments in
      var sessions: [(driver: Identifier, session: Identifier)] = []
      try forEachRow("SELECT driver_id, session FROM rides_sessions WHERE driver_id IN (\(places))", arguments) { row in
        sessions.append((row[0], row[1]))
        return true
      }
      return sessions
    }
  }
}
