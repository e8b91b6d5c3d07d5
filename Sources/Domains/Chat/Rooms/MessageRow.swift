import Base
import ChatAPI
import DomainKit
import Storage
import WellKnownTypes

/// A row of `chat_messages`.
struct MessageRow: Sendable {
  let room: Identifier
  let number: Int64
  let id: Identifier
  let author: Identifier
  let authorName: String
  let text: String
  let postedAt: Instant
  let deletedAt: Instant?
  /// Its sequence number in the room's topic; 0 if it is not known.
  let event: UInt64
  /// When moderators decided that nobody sees it; they may take that back.
  let removedAt: Instant?

  static let columns = "room_id, number, id, author_id, author_name, text, posted_at, deleted_at, event, removed_at"
  static let width = 10

  init(_ row: any Row) {
    room = row[0]
    number = row[1]
    id = row[2]
    author = row[3]
    authorName = row[4]
    text = row[5]
    postedAt = row[6]
    deletedAt = row[7]
    event = row[8]
    removedAt = row[9]
  }

  /// Whether people may still see it.
  var isShown: Bool { deletedAt == nil && removedAt == nil }

  static func find(_ id: Identifier, in reader: any Reader) throws -> MessageRow? {
    try reader.first("SELECT \(columns) FROM chat_messages WHERE id = $1", id, make: MessageRow.init)
  }

  /// The newest messages of a room below a number, newest first.
  static func list(
    _ room: Identifier, below number: Int64 = .max, limit: Int, in reader: any Reader
  ) throws -> [MessageRow] {
    try reader.rows(
      "SELECT \(columns) FROM chat_messages WHERE room_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
      room, number, limit, make: MessageRow.init)
  }
}

extension ChatMessage {
  init(_ row: MessageRow) {
    self.init()
    id = row.id.text(kind: IDKind.message)
    number = row.number
    authorID = row.author.text(kind: IDKind.user)
    authorName = row.authorName
    text = row.isShown ? row.text : ""
    postTime = Timestamp(row.postedAt)
    deleted = !row.isShown
  }
}
