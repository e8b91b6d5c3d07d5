import Base
import ChatAPI
import DomainKit
import Storage
import WellKnownTypes

extension ChatRooms {
  /// Stores a post and publishes it with the commit.
  /// - Returns: its number in the room.
  /// - Throws: `ChatError`; `KitError.notFound` for somebody who may not read there any more.
  func post(
    _ text: String, _ score: ToxicityScore, to id: Identifier, by gate: RoomGate, in writer: any Writer
  ) throws -> Int64 {
    try check(text)
    let now = kit.clock.now()
    let author = gate.caller.user
    let room = try RoomRow.lock(id, in: writer)
    try gate.confirmPosting(in: room, writer, now: now)
    if room.closedAt != nil {
      guard room.kind == .support, room.owner == author else { throw ChatError.roomClosed }
      try writer.execute("UPDATE chat_rooms SET closed_at = NULL WHERE id = $1", room.id)
      try publishStatus(of: room.id, in: writer)
    }
    try checkBan(of: gate.caller, room, now: now, in: writer)
    try admit(author, to: room, gate.access, now: now, in: writer)
    if score.verdict == .refused { throw ChatError.textRefused("insulting") }
    let number: Int64? = try writer.first(
      """
      UPDATE chat_rooms SET next_number = next_number + 1, active_at = $2 WHERE id = $1 RETURNING next_number - 1
      """, room.id, now
    ) { $0[0] }
    guard let number else { throw KitError.notFound("room") }
    let message = try store(text, number, room, author, now, in: writer)
    if score.verdict == .reviewed {
      try reviews?.review(SubjectID(IDKind.message, message), by: author, score, in: writer)
    }
    try writer.execute(
      "UPDATE chat_members SET last_post_at = $3, read_through = $4 WHERE room_id = $1 AND user_id = $2", room.id,
      author, now, number)
    if room.kind == .support, room.owner != author { try prolong(room, in: writer) }
    if room.kind != .live { try tellAbsent(number, room, author: author, now: now, in: writer) }
    return number
  }

  private func store(
    _ text: String, _ number: Int64, _ room: RoomRow, _ author: Identifier, _ now: Instant, in writer: any Writer
  ) throws -> Identifier {
    let id = kit.identifiers.next()
    var message = ChatMessage()
    message.id = id.text(kind: IDKind.message)
    message.number = number
    message.authorID = author.text(kind: IDKind.user)
    message.authorName = try people.person(author, in: writer)?.displayName ?? ""
    message.text = text
    message.postTime = Timestamp(now)
    let event = try publish(.message(message), to: room.id, in: writer)
    try writer.execute(
      """
      INSERT INTO chat_messages (room_id, number, id, author_id, author_name, text, posted_at, event)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      """, room.id, number, id, author, message.authorName, text, now, event)
    return id
  }

  /// Makes sure that neither the author nor the author's device is banned.
  private func checkBan(of caller: Caller, _ room: RoomRow, now: Instant, in writer: any Writer) throws {
    let device = try people.device(of: caller, in: writer)
    let bans: [Instant?] = try writer.rows(
      """
      SELECT b.ends_at FROM chat_bans b WHERE b.room_id = $1 AND (b.ends_at IS NULL OR b.ends_at > $4)
        AND (b.user_id = $2 OR EXISTS (SELECT 1 FROM chat_banned_devices d
          WHERE d.room_id = b.room_id AND d.user_id = b.user_id AND d.device_hash = $3))
      """, room.id, caller.user, device ?? [], now
    ) { $0[0] }
    guard !bans.isEmpty else { return }
    if bans.contains(nil) { throw ChatError.banned(for: nil) }
    throw ChatError.banned(for: bans.compactMap { $0 }.max().map { $0 - now })
  }

  /// Checks that the author need not wait, and makes a newcomer a member where one becomes that by posting.
  private func admit(
    _ author: Identifier, to room: RoomRow, _ access: RoomAccess, now: Instant, in writer: any Writer
  ) throws {
    let member = try MemberRow.find(author, in: room.id, writer)
    if let member {
      let wait = member.lastPostAt + room.slowMode - now
      guard wait <= .zero || member.isModerator || room.owner == author else { throw ChatError.slowMode(after: wait) }
      if member.isPresent { return }
    }
    switch access {
    case .member: return
    case .visitor:
      // A visitor gets a row for the slow mode, and is no member by it.
      guard member == nil else { return }
      try writer.execute(
        "INSERT INTO chat_members (room_id, user_id, left_at, last_post_at) VALUES ($1, $2, $3, 0)", room.id, author,
        now)
    case .ofKind:
      guard room.memberCount < room.memberLimit(limits) else { throw KitError.limitExceeded }
      try enter(author, room, in: writer)
    }
  }

  private func check(_ text: String) throws(ChatError) {
    let scalars = text.unicodeScalars
    guard scalars.count <= limits.textLength else { throw .textRefused("longer than \(limits.textLength) code points") }
    guard scalars.contains(where: { !$0.properties.isWhitespace }) else { throw .textRefused("empty") }
  }

  /// Tells the members who are not on a stream, once until they have read what there was.
  private func tellAbsent(
    _ number: Int64, _ room: RoomRow, author: Identifier, now: Instant, in writer: any Writer
  ) throws {
    let absent: [Identifier] = try writer.rows(
      """
      SELECT m.user_id FROM chat_members m
      WHERE m.room_id = $1 AND m.left_at IS NULL AND m.user_id <> $2 AND m.told_through <= m.read_through
        AND NOT EXISTS (SELECT 1 FROM chat_streams s
          WHERE s.room_id = m.room_id AND s.user_id = m.user_id AND s.ends_at > $3)
      ORDER BY m.user_id
      """, room.id, author, now
    ) { $0[0] }
    for user in absent where try mayRead(room, kit.absent(user, in: writer), in: writer) {
      try writer.execute(
        "UPDATE chat_members SET told_through = $3 WHERE room_id = $1 AND user_id = $2", room.id, user, number)
      try notices.notify(
        user,
        Notice(
          ChatDomain.messageNotice, key: "\(room.id.text(kind: IDKind.room))/\(number)",
          about: SubjectID(IDKind.room, room.id)), in: writer)
    }
  }
}
