import Base
import DomainKit
import Storage

/// Closes support rooms in which nobody has said anything for a long time.
struct SupportSilence: Sweep {
  let name = "support rooms"
  let rooms: ChatRooms

  func step(_ database: any Database) async throws -> Bool {
    let latest = rooms.kit.clock.now() - rooms.limits.supportSilence
    let limit = rooms.limits.sweptAtOnce
    let silent: [Identifier] = try await database.read { reader in
      try reader.rows(
        """
        SELECT id FROM chat_rooms WHERE kind = 3 AND closed_at IS NULL AND active_at <= $1 ORDER BY active_at LIMIT $2
        """, latest, limit
      ) { $0[0] }
    }
    for room in silent {
      try await database.write { writer in
        // Somebody may have written since.
        guard try RoomRow.lock(room, in: writer).activeAt <= latest else { return }
        try rooms.close(room, in: writer)
      }
    }
    return silent.count == limit
  }
}

/// Removes the rows of streams whose nodes have died.
struct LostStreams: Sweep {
  let name = "chat streams"
  let rooms: ChatRooms

  func step(_ database: any Database) async throws -> Bool {
    let now = rooms.kit.clock.now()
    let limit = rooms.limits.sweptAtOnce
    let isDue = try await database.read { try $0.exists("SELECT 1 FROM chat_streams WHERE ends_at <= $1 LIMIT 1", now) }
    guard isDue else { return false }
    return try await database.write { writer in
      try writer.execute(
        """
        DELETE FROM chat_streams WHERE (room_id, user_id, id) IN (
          SELECT room_id, user_id, id FROM chat_streams WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)
        """, now, limit) == limit
    }
  }
}
