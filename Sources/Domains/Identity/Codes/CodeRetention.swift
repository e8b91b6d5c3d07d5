import Base
import Storage

/// Lets codes, counts of codes and answered challenges go that are good for nothing any more.
struct CodeRetention: Sweep {
  /// Rows that one transaction removes.
  private static let sweptAtOnce = 256

  let name = "codes"
  let clock: any WallClock

  func step(_ database: any Database) async throws -> Bool {
    let now = clock.now()
    if try await Self.remove("identity_codes", "slot", "expires_at", through: now, database) { return true }
    if try await Self.remove("identity_code_sends", "key", "last_at", through: now - CodeLimit.window, database) {
      return true
    }
    return try await Self.remove("identity_challenges", "id", "expires_at", through: now, database)
  }

  /// - Returns: whether there may be more.
  private static func remove(
    _ table: String, _ key: String, _ time: String, through latest: Instant, _ database: any Database
  ) async throws -> Bool {
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM \(table) WHERE \(time) <= $1 LIMIT 1", latest)
    }
    guard isDue else { return false }
    return try await database.write { writer in
      // What was renewed since it was chosen stays.
      try writer.execute(
        """
        DELETE FROM \(table) WHERE \(time) <= $1 AND \(key) IN (
          SELECT \(key) FROM \(table) WHERE \(time) <= $1 ORDER BY \(time) LIMIT $2)
        """, latest, sweptAtOnce) > 0
    }
  }
}
