public import Base
import ChatAPI
public import DomainKit
public import Storage
import Streaming

extension ChatRooms {
  public func isModerator(_ user: Identifier, of room: Identifier, in reader: any Reader) throws -> Bool {
    if try RoomRow.find(room, in: reader)?.owner == user { return true }
    return try MemberRow.find(user, in: room, reader)?.isModerator ?? false
  }

  public func setModerator(
    _ user: Identifier, _ isModerator: Bool, of room: Identifier, in writer: any Writer
  ) throws {
    let row = try RoomRow.lock(room, in: writer)
    if isModerator, try MemberRow.find(user, in: room, writer) == nil {
      guard row.memberCount < row.memberLimit(limits) else { throw KitError.limitExceeded }
      try enter(user, row, in: writer)
    }
    try writer.execute(
      "UPDATE chat_members SET is_moderator = $3 WHERE room_id = $1 AND user_id = $2", room, user, isModerator)
  }

  public func setRules(_ rules: RoomRules, of room: Identifier, in writer: any Writer) throws {
    let row = try RoomRow.lock(room, in: writer)
    let slowMode = rules.slowMode ?? .zero
    guard slowMode != row.slowMode else { return }
    try writer.execute("UPDATE chat_rooms SET slow_mode = $2 WHERE id = $1", room, slowMode.inNanoseconds)
    if row.closedAt == nil { try publishStatus(of: room, in: writer) }
  }

  public func deleteMessage(_ message: Identifier, from room: Identifier, in writer: any Writer) throws {
    let row = try RoomRow.lock(room, in: writer)
    guard let found = try MessageRow.find(message, in: writer), found.room == room else {
      throw KitError.notFound("message")
    }
    if found.deletedAt == nil { try delete(found, row, in: writer) }
  }

  /// Empties a message and tells open screens. The room is locked.
  func delete(_ message: MessageRow, _ room: RoomRow, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE chat_messages SET text = '', about = '', blobs = '', deleted_at = $3 WHERE room_id = $1 AND number = $2",
      message.room, message.number, kit.clock.now())
    try writer.execute(
      "UPDATE chat_poll_options SET text = '' WHERE room_id = $1 AND number = $2", message.room, message.number)
    try detachFiles(of: message, in: writer)
    try reviews?.withdraw(SubjectID(IDKind.message, message.id), in: writer)
    try withdraw(message, room, in: writer)
  }

  /// Ends that files are parts of a message, whose row names them no more.
  func detachFiles(of message: MessageRow, in writer: any Writer) throws {
    for (index, blob) in message.blobs.enumerated() {
      try files?.detach(
        blob, from: SubjectID(IDKind.message, message.id), as: MessageRow.slot(index), in: writer)
    }
  }

  /// Hides a message from everybody, or shows it again; the latter not on screens that are open. A repeat changes
  /// nothing.
  func setRemoved(_ message: MessageRow, _ isRemoved: Bool, in writer: any Writer) throws {
    let room = try RoomRow.lock(message.room, in: writer)
    let changed =
      isRemoved
      ? try writer.execute(
        "UPDATE chat_messages SET removed_at = $3 WHERE room_id = $1 AND number = $2 AND removed_at IS NULL",
        message.room, message.number, kit.clock.now())
      : try writer.execute(
        "UPDATE chat_messages SET removed_at = NULL WHERE room_id = $1 AND number = $2", message.room, message.number)
    if changed == 1, isRemoved { try withdraw(message, room, in: writer) }
  }

  /// Takes what was said back from events and open screens.
  private func withdraw(_ message: MessageRow, _ room: RoomRow, in writer: any Writer) throws {
    // Who comes back for what is older than this begins afresh, without the text.
    let topic = RoomRow.topic(of: room.id)
    if message.event > 0 {
      try kit.hub.compact(topic, through: message.event, in: writer)
    } else {
      try kit.hub.compact(topic, before: kit.clock.now() + .seconds(1), in: writer)
    }
    // The streams of a room that is over have ended, and its topic with them.
    guard room.closedAt == nil || room.kind == .support else { return }
    var deleted = MessageDeleted()
    deleted.messageID = message.id.text(kind: IDKind.message)
    deleted.number = message.number
    try publish(.messageDeleted(deleted), to: room.id, in: writer)
  }

  public func ban(_ user: Identifier, from room: Identifier, until: Instant?, in writer: any Writer) throws {
    let row = try RoomRow.lock(room, in: writer)
    guard row.owner != user else { throw KitError.selfTarget(field: "user_id") }
    guard try !people.isLeaving(user, in: writer) else { throw KitError.notFound(IDKind.user) }
    try writer.execute(
      """
      INSERT INTO chat_bans (room_id, user_id, banned_at, ends_at) VALUES ($1, $2, $3, $4)
      ON CONFLICT (room_id, user_id) DO UPDATE SET banned_at = excluded.banned_at, ends_at = excluded.ends_at
      """, room, user, kit.clock.now(), until)
    for device in try people.devices(of: user, in: writer) { try bar(device, of: user, from: room, in: writer) }
  }

  /// Bars the device on which somebody who is banned has tried to post, if it is a new one: other accounts on it are no way
  /// around the ban. Of whoever goes on trying nothing more is written.
  func barDevice(of caller: Caller, from room: Identifier) async throws {
    guard try await kit.database.read({ try newDevice(of: caller, in: room, $0) }) != nil else { return }
    try await kit.database.write { writer in
      _ = try RoomRow.lock(room, in: writer)
      // The ban may have ended meanwhile.
      guard let device = try newDevice(of: caller, in: room, writer) else { return }
      try bar(device, of: caller.user, from: room, in: writer)
    }
  }

  /// The device of somebody who is banned, unless it is barred already.
  private func newDevice(of caller: Caller, in room: Identifier, _ reader: any Reader) throws -> DeviceHash? {
    guard let device = try people.device(of: caller, in: reader),
      try reader.exists(
        "SELECT 1 FROM chat_bans WHERE room_id = $1 AND user_id = $2 AND (ends_at IS NULL OR ends_at > $3)", room,
        caller.user, kit.clock.now()),
      try !reader.exists(
        "SELECT 1 FROM chat_banned_devices WHERE room_id = $1 AND device_hash = $2 AND user_id = $3", room, device,
        caller.user)
    else { return nil }
    return device
  }

  private func bar(_ device: DeviceHash, of user: Identifier, from room: Identifier, in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO chat_banned_devices (room_id, device_hash, user_id) VALUES ($1, $2, $3)
      ON CONFLICT (room_id, device_hash, user_id) DO NOTHING
      """, room, device, user)
  }

  public func unban(_ user: Identifier, from room: Identifier, in writer: any Writer) throws {
    _ = try RoomRow.lock(room, in: writer)
    for table in ["chat_bans", "chat_banned_devices"] {
      try writer.execute("DELETE FROM \(table) WHERE room_id = $1 AND user_id = $2", room, user)
    }
  }
}
