public import Base
public import ChatAPI
public import DomainKit
import ProtobufRuntime
public import RPC
public import Storage
import Streaming
import WellKnownTypes

/// Rooms that people talk in, for all domains.
public struct ChatRooms: Rooms {
  /// How many messages a client that joins gets.
  static let tailLength = 50

  let kit: Kit
  let people: any People

  /// - Parameter people: tells how authors are shown.
  public init(kit: Kit, people: any People) {
    self.kit = kit
    self.people = people
  }

  /// The tables of this domain.
  public static var migrations: [Migration] { ChatSchema.migrations }

  public func open(_ plan: RoomPlan, in writer: any Writer) throws -> Identifier {
    if let room = try RoomRow.newest(plan.kind, about: plan.subject, in: writer), room.closedAt == nil {
      try setMembers(room.id, to: plan.members, in: writer)
      return room.id
    }
    let id = kit.identifiers.next()
    try writer.execute(
      """
      INSERT INTO chat_rooms (id, kind, subject, slow_mode, next_number, opened_at, closed_at)
      VALUES ($1, $2, $3, $4, 1, $5, NULL)
      """, id, plan.kind.rawValue, plan.subject, plan.slowMode?.inNanoseconds ?? 0, kit.clock.now())
    try setMembers(id, to: plan.members, in: writer)
    return id
  }

  public func setMembers(_ room: Identifier, to members: [Identifier], in writer: any Writer) throws {
    let present: [Identifier] = try writer.rows(
      "SELECT user_id FROM chat_members WHERE room_id = $1 AND left_at IS NULL", room
    ) { $0[0] }
    let leaving = Set(present).subtracting(members)
    let coming = Set(members).subtracting(present)
    for user in leaving {
      try writer.execute(
        "UPDATE chat_members SET left_at = $3 WHERE room_id = $1 AND user_id = $2", room, user, kit.clock.now())
    }
    for user in coming {
      try writer.execute(
        """
        INSERT INTO chat_members (room_id, user_id, left_at, last_post_at) VALUES ($1, $2, NULL, 0)
        ON CONFLICT (room_id, user_id) DO UPDATE SET left_at = NULL
        """, room, user)
    }
    // Tells the streams to look whether they may go on.
    if !leaving.isEmpty { try kit.hub.publish(RoomRow.topic(of: room), [], in: writer) }
  }

  public func close(_ room: Identifier, in writer: any Writer) throws {
    let now = kit.clock.now()
    let closed = try writer.execute(
      "UPDATE chat_rooms SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL", room, now)
    guard closed == 1 else { return }
    try publish(.closed(Closed(at: now)), to: room, in: writer)
    try kit.hub.end(RoomRow.topic(of: room), in: writer)
  }

  public func room(_ kind: RoomKind, about subject: String, in reader: any Reader) throws -> RoomState? {
    try RoomRow.newest(kind, about: subject, in: reader).map { RoomState(id: $0.id, isClosed: $0.closedAt != nil) }
  }

  public func converse(
    in room: Identifier, access: RoomAccess, first: ClientFrame, over frames: ChatFrames, _ context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    try await Conversation(rooms: self, room: room, access: access, caller: caller, frames: frames, context: context)
      .run(first)
  }

  /// Appends a frame to the room, encoded once for all who are in it.
  func publish(_ frame: ServerFrame.Frame, to room: Identifier, in writer: any Writer) throws {
    try kit.hub.publish(RoomRow.topic(of: room), in: writer) { _, token in
      var whole = ServerFrame()
      whole.resumeToken = token
      whole.frame = frame
      return whole.encoded()
    }
  }
}

extension Closed {
  init(at instant: Instant) {
    self.init()
    closeTime = Timestamp(instant)
  }
}
