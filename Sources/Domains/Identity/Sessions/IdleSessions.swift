import Base
import DomainKit
import Storage

/// Ends the sessions that nobody has refreshed for too long. Their tokens have expired by themselves; what hangs on a
/// session, such as the devices that are told of its user's affairs, goes with its end.
struct IdleSessions: Sweep {
  /// Sessions that one transaction ends.
  private static let endedAtOnce = 64

  let core: IdentityCore
  let name = "idle sessions"

  func step(_ database: any Database) async throws -> Bool {
    let now = core.kit.clock.now()
    let idle: [Identifier] = try await database.read { reader in
      try reader.rows(
        "SELECT id FROM identity_sessions WHERE ended_at IS NULL AND renewed_at <= $1 ORDER BY renewed_at LIMIT $2",
        now - SessionRow.idleLimit, Self.endedAtOnce
      ) { $0[0] }
    }
    if idle.isEmpty { return false }
    try await database.write { [core] writer in
      // In one order, so that two nodes wait for each other one way only.
      let ending = try idle.sorted().filter { id in
        guard let row = try SessionRow.findForUpdate(id, in: writer) else { return false }
        return row.endedAt == nil && !row.isLive(at: now)
      }
      try core.endSessions(ending, .idle, in: writer)
    }
    return true
  }
}
