import Base
import DomainKit
import NotifyAPI
import Storage
import WellKnownTypes

/// A row of `notify_deliveries`: one notice on one way.
struct DeliveryRow: Sendable {
  let user: Identifier
  let number: Int64
  let way: Way
  let notice: Identifier
  let state: DeliveryState
  let reason: String
  let tries: Int64
  let dueAt: Instant
  let createdAt: Instant
  let settledAt: Instant?
  /// What the devices of a push have said so far.
  let answers: DeviceAnswers

  static let columns =
    "user_id, number, way, note_id, state, reason, tries, due_at, created_at, settled_at, taken_by, refused_by"

  /// Why a delivery stands as it does, where no other side said so.
  enum Reason {
    static let quietHours = "QUIET_HOURS"
    static let read = "READ"
    static let switchedOff = "SWITCHED_OFF"
    static let noAddress = "NO_ADDRESS"
    static let mailLimit = "MAIL_LIMIT"
  }

  init(_ row: any Row) {
    user = row[0]
    number = row[1]
    guard let way = Way(rawValue: row[2]) else { preconditionFailure("notify_deliveries holds a strange way") }
    self.way = way
    notice = row[3]
    state = DeliveryState(rawValue: row[4])
    reason = row[5]
    tries = row[6]
    dueAt = row[7]
    createdAt = row[8]
    settledAt = row[9]
    answers = DeviceAnswers(takenBy: row[10], refusedBy: row[11])
  }

  static func find(_ key: DeliveryKey, in reader: any Reader) throws -> DeliveryRow? {
    try reader.first(
      "SELECT \(columns) FROM notify_deliveries WHERE user_id = $1 AND number = $2 AND way = $3", key.user, key.number,
      key.way.rawValue, make: DeliveryRow.init)
  }
}

/// Which delivery a job is about.
struct DeliveryKey: Sendable, Equatable {
  let user: Identifier
  let number: Int64
  let way: Way

  init(user: Identifier, number: Int64, way: Way) {
    self.user = user
    self.number = number
    self.way = way
  }

  /// Nil for what is no job's key.
  init?(_ text: String, way: Way) {
    let words = text.split(separator: "/")
    guard words.count == 2, let user = Int64(words[0]), let number = Int64(words[1]) else { return nil }
    self.init(user: Identifier(rawValue: user), number: number, way: way)
  }

  /// The key of the job.
  var text: String { "\(user.rawValue)/\(number)" }
}

extension Delivery {
  init(_ row: DeliveryRow) {
    self.init()
    noticeID = row.notice.text(kind: IDKind.notice)
    userID = row.user.text(kind: IDKind.user)
    number = row.number
    channel = Channel(row.way)
    state = row.state
    dueTime = row.settledAt == nil ? Timestamp(row.dueAt) : nil
    tries = Int32(row.tries)
    reason = row.reason
    createTime = Timestamp(row.createdAt)
    settleTime = row.settledAt.map { Timestamp($0) }
  }
}

extension Channel {
  init(_ way: Way) {
    self =
      switch way {
      case .push: .push
      case .mail: .mail
      case .sms: .sms
      }
  }

  /// Nil for what is none.
  var way: Way? {
    switch self {
    case .push: .push
    case .mail: .mail
    case .sms: .sms
    default: nil
    }
  }
}
