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
  let kit: Kit
  let people: any People
  let notices: any Notices
  let scorer: any ToxicityScorer
  let reviews: (any ReviewQueue)?
  let files: (any Files)?
  let limits: ChatLimits
  /// Says that hearts or answers to polls have come.
  let counts: ChangeBoard
  /// Waits between two looks of a stream at what is counted.
  let pause: @Sendable (Duration) async throws -> Void

  /// - Parameters:
  ///   - people: tells how authors are shown, and which devices are theirs.
  ///   - notices: tells members of messages while they are away.
  ///   - scorer: judges what is said.
  ///   - reviews: where doubtful messages go; nil where nobody looks at any.
  ///   - files: keeps what goes with messages; nil where nothing can.
  ///   - pause: waits between two messages of what is counted; tests do not.
  public init(
    kit: Kit, people: any People, notices: any Notices, scorer: any ToxicityScorer, reviews: (any ReviewQueue)? = nil,
    files: (any Files)? = nil, limits: ChatLimits = ChatLimits(),
    pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.kit = kit
    self.people = people
    self.notices = notices
    self.scorer = scorer
    self.reviews = reviews
    self.files = files
    self.limits = limits
    self.pause = pause
    counts = ChangeBoard("chat.counts", kit)
  }

  public func open(_ plan: RoomPlan, in writer: any Writer) throws -> Identifier {
    try lockDoor(plan.kind, plan.subject, nil, in: writer)
    if let room = try RoomRow.newest(plan.kind, about: plan.subject, in: writer),
      try RoomRow.lock(room.id, in: writer).closedAt == nil
    {
      try setMembers(room.id, to: plan.members, in: writer)
      return room.id
    }
    return try insert(plan, in: writer)
  }

  /// Makes sure that nobody else opens a room of this kind about this subject until the commit.
  /// - Parameter owner: whose room it is to be if there is one for each user.
  func lockDoor(_ kind: RoomKind, _ subject: String, _ owner: Identifier?, in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO chat_doors (subject, kind, owner_id) VALUES ($1, $2, $3)
      ON CONFLICT (subject, kind, owner_id) DO UPDATE SET kind = excluded.kind
      """, subject, kind.rawValue, owner?.rawValue ?? 0)
  }

  func insert(_ plan: RoomPlan, in writer: any Writer) throws -> Identifier {
    let id = kit.identifiers.next()
    let usual = RoomRules(slowMode: plan.kind == .live ? limits.liveSlowMode : nil)
    let slowMode = (plan.rules ?? usual).slowMode ?? .zero
    try writer.execute(
      """
      INSERT INTO chat_rooms (id, kind, subject, slow_mode, next_number, opened_at, closed_at, owner_id, active_at)
      VALUES ($1, $2, $3, $4, 1, $5, NULL, $6, $5)
      """, id, plan.kind.rawValue, plan.subject, slowMode.inNanoseconds, kit.clock.now(), plan.owner)
    try setMembers(id, to: plan.members, in: writer)
    return id
  }

  public func setMembers(_ room: Identifier, to members: [Identifier], in writer: any Writer) throws {
    let row = try RoomRow.lock(room, in: writer)
    let present = try MemberRow.present(in: room, writer)
    let wanted = Set(members)
    guard wanted.count <= row.memberLimit(limits) else { throw KitError.limitExceeded }
    let leaving = present.subtracting(wanted)
    for user in leaving { try leave(user, row, in: writer) }
    for user in wanted.subtracting(present) { try enter(user, row, in: writer) }
    // Tells the streams to look whether they may go on.
    if !leaving.isEmpty { try kit.hub.publish(RoomRow.topic(of: room), [], in: writer) }
  }

  /// Makes somebody a member. The room is locked, and the user is none yet.
  func enter(_ user: Identifier, _ room: RoomRow, in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO chat_members (room_id, user_id, left_at, last_post_at, read_through) VALUES ($1, $2, NULL, 0, $3)
      ON CONFLICT (room_id, user_id) DO UPDATE SET left_at = NULL
      """, room.id, user, room.kind == .thread ? room.nextNumber - 1 : 0)
    try writer.execute("UPDATE chat_rooms SET member_count = member_count + 1 WHERE id = $1", room.id)
  }

  /// Makes a member one no more. The room is locked.
  func leave(_ user: Identifier, _ room: RoomRow, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE chat_members SET left_at = $3 WHERE room_id = $1 AND user_id = $2", room.id, user, kit.clock.now())
    try writer.execute("UPDATE chat_rooms SET member_count = member_count - 1 WHERE id = $1", room.id)
  }

  public func close(_ room: Identifier, in writer: any Writer) throws {
    let now = kit.clock.now()
    let row = try RoomRow.lock(room, in: writer)
    guard row.closedAt == nil else { return }
    try writer.execute("UPDATE chat_rooms SET closed_at = $2 WHERE id = $1", room, now)
    if row.kind == .support {
      // Its user may write again, so the streams go on.
      try free(row, in: writer)
      try publishStatus(of: room, in: writer)
    } else {
      try publish(.closed(Closed(at: now)), to: room, in: writer)
      try kit.hub.end(RoomRow.topic(of: room), in: writer)
    }
  }

  public func room(
    _ kind: DomainKit.RoomKind, about subject: String, in reader: any Reader
  ) throws -> DomainKit.RoomState? {
    try RoomRow.newest(kind, about: subject, in: reader).map {
      DomainKit.RoomState(id: $0.id, isClosed: $0.closedAt != nil)
    }
  }

  public func converse(
    in room: Identifier, access: RoomAccess, first: ClientFrame, over frames: ChatFrames, _ context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    try await Conversation(
      rooms: self, room: room, gate: RoomGate(kit: kit, access: access, caller: caller), frames: frames,
      context: context
    ).run(first)
  }

  /// Appends a frame to the room, encoded once for all who are in it.
  /// - Returns: its sequence number in the room's topic.
  @discardableResult
  func publish(_ frame: ServerFrame.Frame, to room: Identifier, in writer: any Writer) throws -> UInt64 {
    try kit.hub.publish(RoomRow.topic(of: room), in: writer) { _, token in
      var whole = ServerFrame()
      whole.resumeToken = token
      whole.frame = frame
      return whole.encoded()
    }
  }

  /// Tells all who are in the room what holds for it now.
  func publishStatus(of room: Identifier, in writer: any Writer) throws {
    guard let row = try RoomRow.find(room, in: writer) else { return }
    try publish(.status(row.status(at: kit.clock.now())), to: room, in: writer)
  }
}

extension Closed {
  init(at instant: Instant) {
    self.init()
    closeTime = Timestamp(instant)
  }
}
