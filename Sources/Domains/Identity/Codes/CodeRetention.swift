import Base
import Storage

/// Lets codes, counts of codes and answered challenges go that are good for nothing any more.
struct CodeRetention: Sweep {
  let name = "codes"
  let clock: any WallClock

  func step(_ database: any Database) async throws -> Bool {
    let now = clock.now()
    if try await OldRows.remove("identity_codes", "slot", "expires_at", through: now, database) { return true }
    if try await OldRows.remove("identity_code_sends", "key", "last_at", through: now - CodeLimit.window, database) {
      return true
    }
    return try await OldRows.remove("identity_challenges", "id", "expires_at", through: now, database)
  }
}
