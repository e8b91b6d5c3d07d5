import Base
import ChatAPI
import DomainKit
import Storage
import WellKnownTypes

extension ChatRooms {
  /// The longest text, in code points.
  static let textLimit = 2000

  /// Stores a post and publishes it with the commit.
  /// - Returns: its number in the room.
  /// - Throws: `ChatError`; `KitError.notFound` for somebody who is no member any more.
  func post(
    _ text: String, to room: Identifier, by author: Identifier, access: RoomAccess, in writer: any Writer
  ) throws -> Int64 {
    try Self.check(text)
    let now = kit.clock.now()
    guard let row = try RoomRow.find(room, in: writer) else { throw KitError.notFound("room") }
    guard row.closedAt == nil else { throw ChatError.roomClosed }
    try admit(author, to: row, access, now: now, in: writer)
    let number: Int64? = try writer.first(
      """
      UPDATE chat_rooms SET next_number = next_number + 1 WHERE id = $1 AND closed_at IS NULL
      RETURNING next_number - 1
      """, room
    ) { $0[0] }
    guard let number else { throw ChatError.roomClosed }
    var message = ChatMessage()
    let id = kit.identifiers.next()
    message.id = id.text(kind: IDKind.message)
    message.number = number
    message.authorID = author.text(kind: IDKind.user)
    message.authorName = try people.person(author, in: writer)?.displayName ?? ""
    message.text = text
    message.postTime = Timestamp(now)
    try writer.execute(
      """
      INSERT INTO chat_messages (room_id, number, id, author_id, author_name, text, posted_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      """, room, number, id, author, message.authorName, text, now)
    try publish(.message(message), to: room, in: writer)
    return number
  }

  /// Checks that the author may post, and notes when they did.
  private func admit(
    _ author: Identifier, to room: RoomRow, _ access: RoomAccess, now: Instant, in writer: any Writer
  ) throws {
    if access == .visitor {
      // A visitor gets a row for the slow mode, and is no member by it.
      try writer.execute(
        """
        INSERT INTO chat_members (room_id, user_id, left_at, last_post_at) VALUES ($1, $2, $3, 0)
        ON CONFLICT (room_id, user_id) DO NOTHING
        """, room.id, author, now)
    }
    let found: (leftAt: Instant?, lastPostAt: Instant)? = try writer.firstForUpdate(
      "SELECT left_at, last_post_at FROM chat_members WHERE room_id = $1 AND user_id = $2", room.id, author
    ) { ($0[0], $0[1]) }
    guard let found, access == .visitor || found.leftAt == nil else { throw KitError.notFound("room") }
    let wait = found.lastPostAt + room.slowMode - now
    guard wait <= .zero else { throw ChatError.slowMode(after: wait) }
    try writer.execute(
      "UPDATE chat_members SET last_post_at = $3 WHERE room_id = $1 AND user_id = $2", room.id, author, now)
  }

  private static func check(_ text: String) throws(ChatError) {
    let scalars = text.unicodeScalars
    guard scalars.count <= textLimit else { throw .textRefused("longer than \(textLimit) code points") }
    guard scalars.contains(where: { !$0.properties.isWhitespace }) else { throw .textRefused("empty") }
  }
}
