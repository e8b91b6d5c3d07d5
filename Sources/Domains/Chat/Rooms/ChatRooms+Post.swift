public import Base
import ChatAPI
public import DomainKit
public import Storage
import WellKnownTypes

extension ChatRooms {
  /// Stores a post and publishes it with the commit.
  /// - Returns: its number in the room.
  /// - Throws: `ChatError`; `KitError.notFound` for somebody who may not read there any more; what `Files.attach` throws.
  func post(
    _ post: Post, _ score: ToxicityScore, to id: Identifier, by gate: RoomGate, in writer: any Writer
  ) throws -> Int64 {
    try check(post)
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
    let message = kit.identifiers.next()
    let files = try post.uploadIds.enumerated().map { try attach($1, as: $0, to: message, by: author, in: writer) }
    let number = try append(
      NewMessage(id: message, author: author, text: post.text, kind: .text, files: files), to: room, now, writer)
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

  public func post(_ message: RoomMessage, in id: Identifier, _ writer: any Writer) throws -> Identifier {
    try check(length: message.text)
    let now = kit.clock.now()
    let room = try RoomRow.lock(id, in: writer)
    guard room.closedAt == nil else { throw KitError.wrongState(ChatAPI.RoomState.closed.protoName) }
    let new = NewMessage(
      id: kit.identifiers.next(), author: message.author ?? MessageRow.server, text: message.text,
      kind: MessageKind(rawValue: Int32(message.kind.rawValue)), about: message.about?.text ?? "")
    let number = try append(new, to: room, now, writer)
    if room.kind != .live { try tellAbsent(number, room, author: new.author, now: now, in: writer) }
    return new.id
  }

  /// Gives a message the room's next number, stores it and publishes it with the commit. The room is locked.
  func append(_ new: NewMessage, to room: RoomRow, _ now: Instant, _ writer: any Writer) throws -> Int64 {
    let number: Int64? = try writer.first(
      """
      UPDATE chat_rooms SET next_number = next_number + 1, active_at = $2 WHERE id = $1 RETURNING next_number - 1
      """, room.id, now
    ) { $0[0] }
    guard let number else { throw KitError.notFound("room") }
    var message = ChatMessage()
    message.id = new.id.text(kind: IDKind.message)
    message.number = number
    if new.author != MessageRow.server {
      message.authorID = new.author.text(kind: IDKind.user)
      message.authorName = try people.person(new.author, in: writer)?.displayName ?? ""
    }
    (message.text, message.kind, message.aboutID, message.poll) = (new.text, new.kind, new.about, new.poll)
    message.blobIds = new.files.map { $0.text(kind: IDKind.blob) }
    message.postTime = Timestamp(now)
    let event = try publish(.message(message), to: room.id, in: writer)
    try writer.execute(
      """
      INSERT INTO chat_messages
        (room_id, number, id, author_id, author_name, text, posted_at, event, kind, about, blobs)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
      """, room.id, number, new.id, new.author, message.authorName, new.text, now, event, Int64(new.kind.rawValue),
      new.about, message.blobIds.joined(separator: " "))
    return number
  }

  /// Makes an upload a part of a message.
  private func attach(
    _ upload: String, as index: Int, to message: Identifier, by author: Identifier, in writer: any Writer
  ) throws -> Identifier {
    let id = try Identifier(upload, kind: IDKind.upload, field: "upload_ids")
    guard let files else { throw KitError.notFound("upload") }
    return try files.attach(
      .upload(id), of: author, to: SubjectID(IDKind.message, message), as: MessageRow.slot(index), limits.files,
      in: writer
    ).blob
  }

  /// Makes sure that neither the author nor the author's device is banned.
  func checkBan(of caller: Caller, _ room: RoomRow, now: Instant, in writer: any Writer) throws {
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

  private func check(_ post: Post) throws(ChatError) {
    try check(length: post.text)
    guard !post.uploadIds.isEmpty || post.text.saysSomething else {
      throw .textRefused("empty")
    }
  }

  func check(length text: String) throws(ChatError) {
    guard text.unicodeScalars.count <= limits.textLength else {
      throw .textRefused("longer than \(limits.textLength) code points")
    }
  }

  /// Tells the members who are not on a stream, once until they have read what there was.
  func tellAbsent(
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
    for user in absent {
      let caller = try kit.absent(user, in: writer)
      guard try mayRead(room, caller, in: writer),
        try !room.isOfStrangers || Curtain(kit: kit, caller: caller).hidden([author], in: writer).isEmpty
      else { continue }
      try writer.execute(
        "UPDATE chat_members SET told_through = $3 WHERE room_id = $1 AND user_id = $2", room.id, user, number)
      try notices.notify(
        user,
        Notice(
          ChatDomain.messageNotice, key: "\(room.id.text(kind: IDKind.room))/\(number)",
          about: room.asSubject), in: writer)
    }
  }
}

/// A message that has no number yet.
struct NewMessage {
  let id: Identifier
  let author: Identifier
  let text: String
  let kind: MessageKind
  var about = ""
  var files: [Identifier] = []
  var poll: Poll?
}

extension String {
  /// Whether there is more in it than white space.
  var saysSomething: Bool { unicodeScalars.contains { !$0.properties.isWhitespace } }
}
