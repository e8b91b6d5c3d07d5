import Base
import ChatAPI
import DomainKit
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

/// octet.chat.v1.ChatService.
struct ChatHandlers: ChatService {
  let rooms: ChatRooms

  private var kit: Kit { rooms.kit }

  func openRoom(_ request: OpenRoomRequest, context: ServerContext) async throws -> Room {
    let caller = try context.requireCaller()
    let subject = try request.subjectID.isEmpty ? nil : kit.subjects.parse(request.subjectID, field: "subject_id")
    switch request.kind {
    case .support: break
    case .thread where subject != nil: break
    case .thread: throw KitError.invalid(FieldViolation(field: "subject_id", description: "required for a thread"))
    default: throw KitError.invalid(FieldViolation(field: "kind", description: "neither SUPPORT nor THREAD"))
    }
    return try await kit.mutate(request, context) { [rooms] writer in
      if let subject { _ = try rooms.kit.subjects.visible(subject, to: caller, in: writer) }
      let room =
        if request.kind == .thread, let subject {
          try rooms.openThread(beside: subject, by: caller, in: writer)
        } else {
          try rooms.openSupport(about: subject, for: caller.user, in: writer)
        }
      return try rooms.view(of: room, for: caller.user, in: writer)
    }
  }

  func closeRoom(_ request: CloseRoomRequest, context: ServerContext) async throws -> Room {
    let caller = try context.requireCaller()
    let id = try roomID(request.roomID)
    return try await kit.mutate(request, context) { [rooms] writer in
      let found = try RoomRow.held(id, in: writer)
      let isOpener = found?.owner == caller.user
      let mayKnow = try isOpener || caller.roles.holds(RoomGate.support) || rooms.mayRead(found, caller, in: writer)
      guard mayKnow, let row = found else { throw KitError.notFound("room") }
      guard row.kind == .support || row.kind == .thread else {
        throw KitError.wrongState(row.state(at: rooms.kit.clock.now()).protoName)
      }
      guard isOpener || caller.roles.holds(RoomGate.support) else { throw KitError.permissionDenied }
      try rooms.close(id, in: writer)
      return try rooms.view(of: id, for: caller.user, in: writer)
    }
  }

  func takeRoom(_ request: TakeRoomRequest, context: ServerContext) async throws -> Room {
    let caller = try context.requireCaller()
    let id = try roomID(request.roomID)
    return try await kit.mutate(request, context) { [rooms] writer in
      try rooms.take(id, by: caller.user, in: writer)
      return try rooms.view(of: id, for: caller.user, in: writer)
    }
  }

  func chat(
    _ requests: RequestReader<ChatRequest>, responses: ResponseWriter<ChatResponse>, context: ServerContext
  ) async throws {
    guard let first = try await requests.next(), let frame = first.frame else { return }
    let id = try roomID(first.roomID)
    let frames = ChatFrames(requests, responses) { request in
      guard let frame = request.frame else {
        throw KitError.invalid(FieldViolation(field: "frame", description: "required"))
      }
      return frame
    } wrap: { frame in
      var response = ChatResponse()
      response.frame = frame
      return response
    }
    try await rooms.converse(in: id, access: .ofKind, first: frame, over: frames, context)
  }

  func listRooms(_ request: ListRoomsRequest, context: ServerContext) async throws -> ListRoomsResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    if request.waiting {
      guard caller.roles.holds(RoomGate.support) else { throw KitError.permissionDenied }
      caller.seesAsStaff()
      guard request.kind == .unspecified || request.kind == .support else {
        throw KitError.invalid(FieldViolation(field: "kind", description: "only support rooms wait"))
      }
    }
    let now = kit.clock.now()
    return try await kit.database.read { [rooms] reader in
      let rows =
        request.waiting
        ? try RoomList.waiting(after: page.last, limit: page.fetch, now: now, in: reader)
        : try RoomList.rooms(
          of: caller.user, kind: request.kind, before: page.before, limit: page.fetch, in: reader)
      let (items, next) = page.cut(rows) { [$0.room.id.sqlValue] }
      var response = ListRoomsResponse()
      let seen = try items.filter { try request.waiting || rooms.mayMemberRead($0.room, caller, in: reader) }
      response.rooms = seen.map { Room($0.room, $0.member, at: now) }
      response.nextPageToken = next
      return response
    }
  }

  func listMessages(_ request: ListMessagesRequest, context: ServerContext) async throws -> ListMessagesResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    let id = try roomID(request.roomID)
    return try await kit.database.read { [rooms] reader in
      let room = try RoomRow.find(id, in: reader)
      guard try rooms.mayRead(room, caller, in: reader), let room else { throw KitError.notFound("room") }
      let rows = try MessageRow.list(id, below: page.before.rawValue, limit: page.fetch, in: reader)
      let (items, next) = page.cut(rows) { [.integer($0.number)] }
      var response = ListMessagesResponse()
      response.messages = try Curtain(kit: rooms.kit, caller: caller).draw(over: items, of: room, in: reader)
      response.nextPageToken = next
      return response
    }
  }

  func markRoomRead(_ request: MarkRoomReadRequest, context: ServerContext) async throws -> MarkRoomReadResponse {
    let caller = try context.requireCaller()
    let id = try roomID(request.roomID)
    return try await kit.mutate(request, context) { [rooms] writer in
      // Of what is there and what is not alike, as the time of an answer must not tell.
      guard try MemberRow.isPresent(caller.user, in: id, writer) else { throw KitError.notFound("room") }
      let row = try RoomRow.lock(id, in: writer)
      guard let member = try MemberRow.find(caller.user, in: id, writer), member.isPresent,
        try rooms.mayRead(row, caller, in: writer)
      else { throw KitError.notFound("room") }
      let last = row.nextNumber - 1
      let through = max(member.readThrough, min(request.number, last))
      try writer.execute(
        "UPDATE chat_members SET read_through = $3 WHERE room_id = $1 AND user_id = $2", id, caller.user, through)
      var response = MarkRoomReadResponse()
      response.readThrough = through
      response.unreadCount = last - through
      return response
    }
  }

  private func roomID(_ text: String) throws -> Identifier {
    try Identifier(text, kind: IDKind.room, field: "room_id")
  }
}

extension ChatRooms {
  /// Whether somebody may read by what the room's kind asks.
  func mayRead(_ room: RoomRow?, _ caller: Caller, in reader: any Reader) throws -> Bool {
    try RoomGate(kit: kit, access: .ofKind, caller: caller).mayRead(room, in: reader)
  }

  /// The same of somebody who is a member, as the reader has just seen.
  func mayMemberRead(_ room: RoomRow, _ caller: Caller, in reader: any Reader) throws -> Bool {
    let gate = RoomGate(kit: kit, access: .ofKind, caller: caller)
    return try !gate.isAskedAtEachPush(room) || gate.mayRead(room, in: reader)
  }

  /// A room as a user sees it.
  func view(of id: Identifier, for user: Identifier, in reader: any Reader) throws -> Room {
    guard let row = try RoomRow.find(id, in: reader) else { throw KitError.notFound("room") }
    return Room(row, try MemberRow.find(user, in: id, reader), at: kit.clock.now())
  }
}

extension Page {
  /// For lists in rising order of one id: the rows of this page have greater ones.
  fileprivate var last: Identifier {
    if case .integer(let id) = after?.first { Identifier(rawValue: id) } else { Identifier(rawValue: 0) }
  }
}

/// A room, with what it is to one user; nil for somebody who is not in it.
typealias SeenRoom = (room: RoomRow, member: MemberRow?)

/// The lists of rooms.
enum RoomList {
  /// Columns with the name of their table.
  static func columns(of columns: String, _ table: String) -> String {
    columns.split(separator: ", ").map { "\(table).\($0)" }.joined(separator: ", ")
  }

  private static let roomColumns = columns(of: RoomRow.columns, "r")
  private static let roomWidth = RoomRow.columns.split(separator: ", ").count
  private static let memberColumns = columns(of: MemberRow.columns, "m")

  /// The rooms that a user is in, newest first.
  static func rooms(
    of user: Identifier, kind: ChatAPI.RoomKind = .unspecified, before: Identifier, limit: Int, in reader: any Reader
  ) throws -> [SeenRoom] {
    try reader.rows(
      """
      SELECT \(roomColumns), \(memberColumns) FROM chat_members m JOIN chat_rooms r ON r.id = m.room_id
      WHERE m.user_id = $1 AND m.left_at IS NULL AND m.room_id < $2 AND ($3 = 0 OR r.kind = $3)
      ORDER BY m.room_id DESC LIMIT $4
      """, user, before, Int64(kind.rawValue), limit
    ) { (RoomRow($0), MemberRow($0, from: roomWidth)) }
  }

  /// The support rooms that nobody has taken, or whose time is over, oldest first.
  static func waiting(after: Identifier, limit: Int, now: Instant, in reader: any Reader) throws -> [SeenRoom] {
    try reader.rows(
      """
      SELECT \(RoomRow.columns) FROM chat_rooms
      WHERE kind = 3 AND closed_at IS NULL AND id > $1 AND (take_ends_at IS NULL OR take_ends_at <= $2)
      ORDER BY id LIMIT $3
      """, after, now, limit
    ) { (RoomRow($0), nil) }
  }
}

extension Room {
  init(_ row: RoomRow, _ member: MemberRow?, at now: Instant) {
    self.init()
    id = row.id.text(kind: IDKind.room)
    kind = ChatAPI.RoomKind(rawValue: Int32(row.kind.rawValue))
    subjectID = row.shownSubject
    state = row.state(at: now)
    openerID = row.owner?.text(kind: IDKind.user) ?? ""
    openTime = Timestamp(row.openedAt)
    closeTime = row.closedAt.map { Timestamp($0) }
    if state == .taken {
      takerID = row.taker?.text(kind: IDKind.user) ?? ""
      takeEndTime = row.takeEndsAt.map { Timestamp($0) }
    }
    lastNumber = row.nextNumber - 1
    slowMode = row.slowMode > .zero ? ProtoDuration(row.slowMode) : nil
    if let member, member.isPresent {
      readThrough = member.readThrough
      unreadCount = lastNumber - member.readThrough
    }
  }
}
