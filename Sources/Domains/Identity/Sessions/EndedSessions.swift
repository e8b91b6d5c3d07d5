import Base
import DomainKit
import Storage

/// Forgets sessions that ended long ago, and with them which devices they were on and where.
struct EndedSessions: Sweep {
  let core: IdentityCore
  let name = "ended sessions"

  func step(_ database: any Database) async throws -> Bool {
    try await OldRows.remove(
      "identity_sessions", "id", "ended_at", through: core.kit.clock.now() - core.limits.endedSessionKept, database)
  }
}
