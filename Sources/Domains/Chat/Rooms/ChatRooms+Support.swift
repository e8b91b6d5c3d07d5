import Base
import ChatAPI
import DomainKit
import Storage

extension ChatRooms {
  /// The caller's support room about a subject, opened again if it was closed.
  /// - Parameter subject: nil for nothing in particular.
  func openSupport(about subject: SubjectID?, for user: Identifier, in writer: any Writer) throws -> Identifier {
    let own = user.text(kind: IDKind.user)
    let about = subject?.text ?? own
    // Of the user alone, so that the rooms can be counted.
    try lockDoor(.support, own, user, in: writer)
    if let found = try RoomRow.newest(.support, about: about, of: user, in: writer) {
      let room = try RoomRow.lock(found.id, in: writer)
      if room.closedAt != nil {
        try writer.execute(
          "UPDATE chat_rooms SET closed_at = NULL, active_at = $2 WHERE id = $1", room.id, kit.clock.now())
        try publishStatus(of: room.id, in: writer)
      }
      return room.id
    }
    let count: Int64? = try writer.first(
      """
      SELECT COUNT(*) FROM chat_members m JOIN chat_rooms r ON r.id = m.room_id
      WHERE m.user_id = $1 AND r.kind = $2 AND r.owner_id = $1
      """, user, RoomKind.support.rawValue
    ) { $0[0] }
    guard count ?? 0 < limits.supportRooms else { throw KitError.limitExceeded }
    return try insert(RoomPlan(.support, about: about, members: [user], owner: user), in: writer)
  }

  /// The open room beside a subject, which whoever owns the subject or what it hangs on may open.
  func openThread(beside subject: SubjectID, by caller: Caller, in writer: any Writer) throws -> Identifier {
    guard try owns(subject, caller, in: writer) else { throw KitError.permissionDenied }
    try lockDoor(.thread, subject.text, nil, in: writer)
    if let room = try RoomRow.newest(.thread, about: subject.text, in: writer),
      case let row = try RoomRow.lock(room.id, in: writer), row.closedAt == nil
    {
      if try !MemberRow.isPresent(caller.user, in: row.id, writer) {
        guard row.memberCount < row.memberLimit(limits) else { throw KitError.limitExceeded }
        try enter(caller.user, row, in: writer)
      }
      return row.id
    }
    return try insert(
      RoomPlan(.thread, about: subject.text, members: [caller.user], owner: caller.user), in: writer)
  }

  /// Whether a user owns a subject that the user sees, or something that it hangs on.
  private func owns(_ subject: SubjectID, _ caller: Caller, in reader: any Reader) throws -> Bool {
    var facts = try kit.subjects.visible(subject, to: caller, in: reader).facts
    // A post in a thread of a forum of a competition, and one to spare.
    for _ in 0..<4 {
      if facts.owner == caller.user { return true }
      guard let parent = facts.parent, let found = try kit.subjects[parent]?.facts(of: parent.id, in: reader) else {
        return false
      }
      facts = found
    }
    return false
  }

  /// Gives staff a support room for a while.
  func take(_ id: Identifier, by user: Identifier, in writer: any Writer) throws {
    let room = try RoomRow.lock(id, in: writer)
    guard room.kind == .support else { throw KitError.notFound("room") }
    let now = kit.clock.now()
    let state = room.state(at: now)
    guard state != .closed else { throw KitError.wrongState(state.protoName) }
    let holder = user.text(kind: IDKind.user)
    let lease = try Leases.acquire(room.leaseName, by: holder, for: limits.take, from: now, in: writer)
    guard let lease else { throw KitError.wrongState(state.protoName) }
    if let before = room.taker, before != user { try dismiss(before, room, in: writer) }
    try writer.execute(
      "UPDATE chat_rooms SET taker_id = $2, take_fence = $3, take_ends_at = $4 WHERE id = $1", id, user, lease.fence,
      lease.expiresAt)
    if try !MemberRow.isPresent(user, in: id, writer) { try enter(user, room, in: writer) }
    if state != .taken { try publishStatus(of: id, in: writer) }
  }

  /// Staff have said something in a room that they have: they keep it.
  func prolong(_ room: RoomRow, in writer: any Writer) throws {
    guard let taker = room.taker else { return }
    let lease = try Leases.acquire(
      room.leaseName, by: taker.text(kind: IDKind.user), for: limits.take, from: kit.clock.now(), in: writer)
    guard let lease, lease.fence == room.takeFence else { throw ChatError.leaseLost }
    try writer.execute("UPDATE chat_rooms SET take_ends_at = $2 WHERE id = $1", room.id, lease.expiresAt)
  }

  /// Takes a support room from whoever has it. The room is locked.
  func free(_ room: RoomRow, in writer: any Writer) throws {
    guard let taker = room.taker else { return }
    try Leases.release(room.leaseName, fence: room.takeFence, in: writer)
    try dismiss(taker, room, in: writer)
    try writer.execute(
      "UPDATE chat_rooms SET taker_id = NULL, take_fence = 0, take_ends_at = NULL WHERE id = $1", room.id)
  }

  private func dismiss(_ staff: Identifier, _ room: RoomRow, in writer: any Writer) throws {
    if staff != room.owner, try MemberRow.isPresent(staff, in: room.id, writer) { try leave(staff, room, in: writer) }
  }
}
