import Base
import Storage

/// Lets notices age out, with their deliveries.
struct InboxRetention: Sweep {
  let name = "notices"
  let limits: NotifyLimits
  let clock: any WallClock

  func step(_ database: any Database) async throws -> Bool {
    let latest = clock.now() - limits.retention
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM notify_inbox WHERE created_at <= $1 LIMIT 1", latest)
    }
    guard isDue else { return try await removeBroadcasts(endedBy: latest, database) }
    return try await database.write { [limits] writer in
      let old: [(user: Identifier, number: Int64)] = try writer.rows(
        "SELECT user_id, number FROM notify_inbox WHERE created_at <= $1 ORDER BY created_at LIMIT $2", latest,
        limits.sweptAtOnce
      ) { ($0[0], $0[1]) }
      for (user, number) in old {
        // Numbers and times rise together but for what was written at once; all up to this one is old.
        try writer.execute(
          "UPDATE notify_users SET swept_through = $2 WHERE user_id = $1 AND swept_through < $2", user, number)
        try writer.execute("DELETE FROM notify_deliveries WHERE user_id = $1 AND number = $2", user, number)
        try writer.execute("DELETE FROM notify_inbox WHERE user_id = $1 AND number = $2", user, number)
      }
      return !old.isEmpty
    }
  }

  private func removeBroadcasts(endedBy latest: Instant, _ database: any Database) async throws -> Bool {
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM notify_broadcasts WHERE ended_at <= $1 LIMIT 1", latest)
    }
    guard isDue else { return false }
    return try await database.write { [limits] writer in
      try writer.execute(
        """
        DELETE FROM notify_broadcasts WHERE id IN (
          SELECT id FROM notify_broadcasts WHERE ended_at <= $1 ORDER BY ended_at LIMIT $2)
        """, latest, limits.sweptAtOnce) > 0
    }
  }
}
