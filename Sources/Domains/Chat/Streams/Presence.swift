import Base
import DomainKit
import Storage

/// One stream's row that says that its user hears what is said, so that no notice is needed.
///
/// The row is moved on whenever the stream shows a sign of life; should its node die, it runs out by itself.
final class Presence: Sendable {
  private let rooms: ChatRooms
  private let room: Identifier
  private let user: Identifier
  private let id: Identifier
  /// Nil until there is a row.
  private let renewedAt = Locked<Instant?>(nil)

  init(_ rooms: ChatRooms, room: Identifier, user: Identifier) {
    self.rooms = rooms
    self.room = room
    self.user = user
    id = rooms.kit.identifiers.next()
  }

  func begin() async throws {
    let now = rooms.kit.clock.now()
    renewedAt.withLock { $0 = now }
    let end = now + rooms.limits.presence
    try await rooms.kit.database.write { [room, user, id] writer in
      try writer.execute(
        "INSERT INTO chat_streams (room_id, user_id, id, ends_at) VALUES ($1, $2, $3, $4)", room, user, id, end)
    }
  }

  /// The stream lives. From any thread; mostly costs nothing.
  func touch() {
    let now = rooms.kit.clock.now()
    let isDue = renewedAt.withLock { renewedAt in
      guard let last = renewedAt, now - last >= rooms.limits.presence / 3 else { return false }
      renewedAt = now
      return true
    }
    guard isDue else { return }
    let end = now + rooms.limits.presence
    Task { [room, user, id, database = rooms.kit.database] in
      // Without it a notice too many is written, and no message is lost.
      try? await database.write { writer in
        _ = try writer.execute(
          "UPDATE chat_streams SET ends_at = $4 WHERE room_id = $1 AND user_id = $2 AND id = $3", room, user, id, end)
      }
    }
  }

  /// The stream has ended. Works for cancelled tasks too.
  func end() async {
    guard renewedAt.withLock({ $0 }) != nil else { return }
    let removal = Task { [room, user, id, database = rooms.kit.database] in
      try? await database.write { writer in
        _ = try writer.execute(
          "DELETE FROM chat_streams WHERE room_id = $1 AND user_id = $2 AND id = $3", room, user, id)
      }
    }
    await removal.value
  }
}
