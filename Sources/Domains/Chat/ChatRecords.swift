import Base
import ChatAPI
import DomainKit
import Storage
import Streaming

/// What chat keeps about people: what they wrote, in which rooms. A post that is erased leaves its number, so that the
/// others of its room keep theirs.
struct ChatRecords: PersonalRecords {
  let rooms: ChatRooms
  let name = ChatDomain.name

  /// Posts that one transaction erases.
  private static let erasedAtOnce = 256

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let room: Identifier? = try writer.first(
      "SELECT room_id FROM chat_members WHERE user_id = $1 ORDER BY room_id LIMIT 1", user
    ) { $0[0] }
    guard let room else { return false }
    let erased = try writer.execute(
      """
      UPDATE chat_messages SET author_name = '', text = '' WHERE room_id = $1 AND number IN (
        SELECT number FROM chat_messages WHERE room_id = $1 AND author_id = $2 AND (author_name <> '' OR text <> '')
        ORDER BY number LIMIT $3)
      """, room, user, Self.erasedAtOnce)
    if erased == Self.erasedAtOnce { return true }
    // The events tell what the posts did; those who come back for them begin with the last posts again.
    try rooms.kit.hub.compact(RoomRow.topic(of: room), before: rooms.kit.clock.now() + .seconds(1), in: writer)
    try writer.execute("DELETE FROM chat_members WHERE room_id = $1 AND user_id = $2", room, user)
    return true
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON(ChatDomain.descriptors)
    try reader.forEachRow(
      """
      SELECT m.id, m.number, m.author_id, m.author_name, m.text, m.posted_at, m.room_id, r.subject
      FROM chat_members c JOIN chat_messages m ON m.room_id = c.room_id AND m.author_id = c.user_id
      JOIN chat_rooms r ON r.id = c.room_id
      WHERE c.user_id = $1 ORDER BY m.room_id, m.number
      """, [user.sqlValue]
    ) { row in
      var post = ExportedPost()
      post.roomID = (row[6] as Identifier).text(kind: IDKind.room)
      post.subjectID = row[7]
      post.message = ChatMessage(row)
      try json.write(post, to: record)
      return true
    }
  }
}
