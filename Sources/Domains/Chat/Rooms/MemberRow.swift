import Base
import DomainKit
import Storage

/// A row of `chat_members`.
struct MemberRow: Sendable {
  let room: Identifier
  let user: Identifier
  let leftAt: Instant?
  let lastPostAt: Instant
  let isModerator: Bool
  let readThrough: Int64

  /// Whether it is of a member, and not of somebody who was one or has visited.
  var isPresent: Bool { leftAt == nil }

  static let columns = "room_id, user_id, left_at, last_post_at, is_moderator, read_through"

  init(_ row: any Row, from column: Int = 0) {
    room = row[column]
    user = row[column + 1]
    leftAt = row[column + 2]
    lastPostAt = row[column + 3]
    isModerator = row[column + 4]
    readThrough = row[column + 5]
  }

  static func find(_ user: Identifier, in room: Identifier, _ reader: any Reader) throws -> MemberRow? {
    try reader.first(
      "SELECT \(columns) FROM chat_members WHERE room_id = $1 AND user_id = $2", room, user
    ) { MemberRow($0) }
  }

  static func isPresent(_ user: Identifier, in room: Identifier, _ reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM chat_members WHERE room_id = $1 AND user_id = $2 AND left_at IS NULL", room, user)
  }

  /// Those who are in a room.
  static func present(in room: Identifier, _ reader: any Reader) throws -> Set<Identifier> {
    Set(try reader.rows("SELECT user_id FROM chat_members WHERE room_id = $1 AND left_at IS NULL", room) { $0[0] })
  }
}
