import Base
import ChatAPI
import DomainKit
import Storage
import Streaming

/// What chat keeps about people: what they said, where they are, and what bars them.
struct ChatRecords: PersonalRecords {
  let rooms: ChatRooms
  let name = ChatDomain.name

  /// Rows that one transaction changes, or rooms of one page of an export.
  private static let rowsAtOnce = 128

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    try eraseMessages(user, in: writer) || eraseMemberships(user, in: writer) || forgetCounted(user, in: writer)
      || eraseRest(user, in: writer)
  }

  /// What was said goes, the places of the messages stay: the numbers of a room are dense.
  private func eraseMessages(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let messages = try writer.rows(
      """
      SELECT \(MessageRow.columns) FROM chat_messages
      WHERE author_id = $1 AND (text <> '' OR author_name <> '' OR blobs <> '' OR about <> '')
      ORDER BY room_id, number LIMIT $2
      """, user, Self.rowsAtOnce, make: MessageRow.init)
    guard let first = messages.first else { return false }
    // One room after the other: a transaction that takes several would have to take them in the order of all others.
    let room = try RoomRow.lock(first.room, in: writer)
    for message in messages where message.room == room.id {
      try writer.execute(
        "UPDATE chat_messages SET author_name = '' WHERE room_id = $1 AND number = $2", room.id, message.number)
      try rooms.delete(message, room, in: writer)
    }
    return true
  }

  private func eraseMemberships(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let found: Identifier? = try writer.first(
      "SELECT room_id FROM chat_members WHERE user_id = $1 ORDER BY room_id LIMIT 1", user
    ) { $0[0] }
    guard let found else { return false }
    let room = try RoomRow.lock(found, in: writer)
    if try MemberRow.isPresent(user, in: room.id, writer) { try rooms.leave(user, room, in: writer) }
    try writer.execute("DELETE FROM chat_members WHERE room_id = $1 AND user_id = $2", room.id, user)
    if room.kind == .support, room.owner == user { try rooms.close(room.id, in: writer) }
    return true
  }

  /// What was counted stays counted, under a number that is nobody's.
  private func forgetCounted(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let nobody = rooms.kit.identifiers.next()
    let changed = try [("chat_hearts", "room_id"), ("chat_votes", "room_id, number")].map { table, key in
      try writer.execute(
        """
        UPDATE \(table) SET user_id = $2 WHERE user_id = $1 AND (\(key)) IN (
          SELECT \(key) FROM \(table) WHERE user_id = $1 ORDER BY \(key) LIMIT $3)
        """, user, nobody, Self.rowsAtOnce)
    }
    return changed.contains(Self.rowsAtOnce)
  }

  private func eraseRest(_ user: Identifier, in writer: any Writer) throws -> Bool {
    for table in ["chat_bans", "chat_banned_devices", "chat_streams"] {
      try writer.execute("DELETE FROM \(table) WHERE user_id = $1", user)
    }
    return false
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON(ChatDomain.descriptors)
    let now = rooms.kit.clock.now()
    let myself = try rooms.kit.absent(user, in: reader)
    var before = Identifier(rawValue: .max)
    while true {
      let page = try RoomList.rooms(of: user, before: before, limit: Self.rowsAtOnce, in: reader)
      for seen in page where try rooms.mayMemberRead(seen.room, myself, in: reader) {
        try json.write(Room(seen.room, seen.member, at: now), to: record)
      }
      guard let last = page.last else { break }
      before = last.room.id
    }
    try reader.forEachRow(
      """
      SELECT \(RoomList.columns(of: MessageRow.columns, "m")), \(RoomList.columns(of: RoomRow.columns, "r"))
      FROM chat_messages m JOIN chat_rooms r ON r.id = m.room_id
      WHERE m.author_id = $1 AND m.deleted_at IS NULL ORDER BY m.room_id, m.number
      """, [user.sqlValue]
    ) { row in
      let message = MessageRow(row)
      var post = ExportedPost()
      post.roomID = message.room.text(kind: IDKind.room)
      post.subjectID = RoomRow(row, from: MessageRow.width).shownSubject
      post.message = try ChatMessage(message, in: reader)
      post.message?.text = message.text
      try json.write(post, to: record)
      return true
    }
    try reader.forEachRow(
      "SELECT room_id, hearts FROM chat_hearts WHERE user_id = $1 ORDER BY room_id", [user.sqlValue]
    ) { row in
      var given = ExportedHearts()
      given.roomID = (row[0] as Identifier).text(kind: IDKind.room)
      given.count = row[1]
      try json.write(given, to: record)
      return true
    }
    try reader.forEachRow(
      "SELECT room_id, number, choice FROM chat_votes WHERE user_id = $1 ORDER BY room_id, number", [user.sqlValue]
    ) { row in
      var vote = ExportedVote()
      vote.roomID = (row[0] as Identifier).text(kind: IDKind.room)
      vote.number = row[1]
      vote.option = row[2]
      try json.write(vote, to: record)
      return true
    }
  }
}
