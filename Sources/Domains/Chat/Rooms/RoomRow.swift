import Base
import ChatAPI
import DomainKit
import Storage
import Streaming
import WellKnownTypes

/// What the room is; the wire's enumeration is called the same.
typealias RoomKind = DomainKit.RoomKind

/// A row of `chat_rooms`.
struct RoomRow: Sendable {
  let id: Identifier
  let kind: RoomKind
  /// Of a support room about nothing in particular, its owner's.
  let subject: String
  let slowMode: Duration
  let nextNumber: Int64
  let openedAt: Instant
  let closedAt: Instant?
  let owner: Identifier?
  /// Staff who took the room, and until when they have it.
  let taker: Identifier?
  let takeFence: Int64
  let takeEndsAt: Instant?
  let activeAt: Instant
  let memberCount: Int64
  let hearts: Int64

  static let columns = """
    id, kind, subject, slow_mode, next_number, opened_at, closed_at, owner_id, taker_id, take_fence, take_ends_at, \
    active_at, member_count, hearts
    """

  init(_ row: any Row) { self.init(row, from: 0) }

  init(_ row: any Row, from column: Int) {
    id = row[column]
    // Only this domain writes the column.
    kind = RoomKind(rawValue: row[column + 1]) ?? .thread
    subject = row[column + 2]
    slowMode = .nanoseconds(row[column + 3] as Int64)
    nextNumber = row[column + 4]
    openedAt = row[column + 5]
    closedAt = row[column + 6]
    owner = row[column + 7]
    taker = row[column + 8]
    takeFence = row[column + 9]
    takeEndsAt = row[column + 10]
    activeAt = row[column + 11]
    memberCount = row[column + 12]
    hearts = row[column + 13]
  }

  static func find(_ room: Identifier, in reader: any Reader) throws -> RoomRow? {
    try reader.first("SELECT \(columns) FROM chat_rooms WHERE id = $1", room, make: RoomRow.init)
  }

  /// The room, taken for this transaction: whatever changes a room or who is in it takes the row first, so that all of
  /// that has one order.
  /// - Throws: `KitError.notFound`.
  static func lock(_ room: Identifier, in writer: any Writer) throws -> RoomRow {
    guard let row = try held(room, in: writer) else { throw KitError.notFound("room") }
    return row
  }

  /// As `lock`; nil if there is no such room.
  static func held(_ room: Identifier, in writer: any Writer) throws -> RoomRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM chat_rooms WHERE id = $1", room, make: RoomRow.init)
  }

  /// The newest room of a kind about a subject.
  /// - Parameter owner: only this user's.
  static func newest(
    _ kind: RoomKind, about subject: String, of owner: Identifier? = nil, in reader: any Reader
  ) throws -> RoomRow? {
    try reader.first(
      """
      SELECT \(columns) FROM chat_rooms WHERE subject = $1 AND kind = $2 AND ($3 = 0 OR owner_id = $3)
      ORDER BY id DESC LIMIT 1
      """, subject, kind.rawValue, owner?.rawValue ?? 0, make: RoomRow.init)
  }

  /// The next room of a kind about a subject, in the order in which they were opened.
  static func next(
    _ kind: RoomKind, about subject: String, after room: Identifier = Identifier(rawValue: .min), in reader: any Reader
  ) throws -> Identifier? {
    try reader.first(
      "SELECT id FROM chat_rooms WHERE subject = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT 1", subject,
      kind.rawValue, room
    ) { $0[0] }
  }

  /// The printed id of what it is about; empty for a support room about nothing in particular.
  var shownSubject: String {
    kind == .support && subject == owner?.text(kind: IDKind.user) ? "" : subject
  }

  /// Where the room is. Staff whose time is over do not have it any more.
  func state(at now: Instant) -> ChatAPI.RoomState {
    if closedAt != nil { return .closed }
    return takeEndsAt.map { now < $0 } ?? false ? .taken : .open
  }

  func status(at now: Instant) -> RoomStatus {
    var status = RoomStatus()
    status.state = state(at: now)
    status.slowMode = slowMode > .zero ? ProtoDuration(slowMode) : nil
    return status
  }

  /// Whether strangers meet in it, so that blocks and mutes hide what is said. In others two sides talk about what is both
  /// of theirs.
  var isOfStrangers: Bool { Self.kindsOfStrangers.contains(kind) }
  static let kindsOfStrangers: [RoomKind] = [.live, .thread]

  /// How many may be in it.
  func memberLimit(_ limits: ChatLimits) -> Int64 { kind == .live ? limits.livePosters : limits.members }

  var asSubject: SubjectID { SubjectID(IDKind.room, id) }

  /// What happens in a room, in order: encoded `ServerFrame`s, and an empty event when the members change. What is counted is
  /// none of it: there may be more than anybody reads, and only the newest counts.
  static func topic(of room: Identifier) -> Topic { Topic(IDKind.room, room) }

  /// The name of the lease that staff have on a support room.
  var leaseName: String { "chat/" + id.text(kind: IDKind.room) }
}

/// The kind prefixes of the domain's ids.
enum IDKind {
  static let user = "user"
  static let room = "room"
  static let message = "msg"
  static let blob = "blob"
  static let upload = "upl"
}
