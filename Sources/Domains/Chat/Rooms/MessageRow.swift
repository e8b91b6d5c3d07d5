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
  let kind: MessageKind
  /// The printed id of what it is about; empty for nothing.
  let about: String
  /// The files that go with it.
  let blobs: [Identifier]

  static let columns =
    "room_id, number, id, author_id, author_name, text, posted_at, deleted_at, event, removed_at, kind, about, blobs"
  static let width = 13
  /// What the part of a message is called that a file is, by its place.
  static func slot(_ index: Int) -> String { "file\(index)" }
  /// Who has said what the server says.
  static let server = Identifier(rawValue: 0)

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
    kind = MessageKind(rawValue: Int32(clamping: row[10] as Int64))
    about = row[11]
    blobs = (row[12] as String).split(separator: " ").compactMap {
      try? Identifier.parse(String($0), kind: IDKind.blob)
    }
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
    authorID = row.author == MessageRow.server ? "" : row.author.text(kind: IDKind.user)
    authorName = row.authorName
    postTime = Timestamp(row.postedAt)
    kind = row.kind
    deleted = !row.isShown
    guard row.isShown else { return }
    text = row.text
    aboutID = row.about
    blobIds = row.blobs.map { $0.text(kind: IDKind.blob) }
  }
}
