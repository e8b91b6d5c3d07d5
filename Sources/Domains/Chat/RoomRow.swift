import Base
import ChatAPI
import DomainKit
import Storage
import Streaming
import WellKnownTypes

/// A row of `chat_rooms`.
struct RoomRow: Sendable {
  let id: Identifier
  let slowMode: Duration
  let nextNumber: Int64
  let closedAt: Instant?

  private static let columns = "id, slow_mode, next_number, closed_at"

  private init(_ row: any Row) {
    id = row[0]
    slowMode = .nanoseconds(row[1] as Int64)
    nextNumber = row[2]
    closedAt = row[3]
  }

  static func find(_ room: Identifier, in reader: any Reader) throws -> RoomRow? {
    try reader.first("SELECT \(columns) FROM chat_rooms WHERE id = $1", room, make: RoomRow.init)
  }

  /// The newest room of a kind about a subject.
  static func newest(_ kind: RoomKind, about subject: String, in reader: any Reader) throws -> RoomRow? {
    try reader.first(
      "SELECT \(columns) FROM chat_rooms WHERE subject = $1 AND kind = $2 ORDER BY id DESC LIMIT 1",
      subject, kind.rawValue, make: RoomRow.init)
  }

  static func hasMember(_ user: Identifier, _ room: Identifier, in reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM chat_members WHERE room_id = $1 AND user_id = $2 AND left_at IS NULL", room, user)
  }

  /// The last messages, at most `limit`, oldest first.
  func tail(_ limit: Int, in reader: any Reader) throws -> [ChatMessage] {
    try reader.rows(
      """
      SELECT id, number, author_id, author_name, text, posted_at FROM chat_messages
      WHERE room_id = $1 ORDER BY number DESC LIMIT $2
      """, id, limit, make: ChatMessage.init
    ).reversed()
  }

  /// What happens in a room, in order: encoded `ServerFrame`s, and an empty event when the members change.
  static func topic(of room: Identifier) -> Topic { Topic(IDKind.room, room) }
}

extension ChatMessage {
  /// Reads id, number, author, the author's name, text and time from the first six columns.
  init(_ row: any Row) {
    self.init()
    id = (row[0] as Identifier).text(kind: IDKind.message)
    number = row[1]
    authorID = (row[2] as Identifier).text(kind: IDKind.user)
    authorName = row[3]
    text = row[4]
    postTime = Timestamp(row[5] as Instant)
  }
}

/// The kind prefixes of the domain's ids.
enum IDKind {
  static let user = "user"
  static let room = "room"
  static let message = "msg"
}
