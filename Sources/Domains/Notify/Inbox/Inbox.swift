import Base
import DomainKit
import Storage

/// A row of `notify_users`: one inbox, with what its user has chosen.
struct Inbox: Sendable {
  let user: Identifier
  let lastNumber: Int64
  let readThrough: Int64
  let sweptThrough: Int64
  let quietHours: QuietTime?
  /// Of the settings.
  let version: Int64
  let mailDay: Int64
  let mailCount: Int64

  private static let columns = """
    user_id, last_number, read_through, swept_through, quiet_start, quiet_end, version, mail_day, mail_count
    """

  private init(_ row: any Row) {
    user = row[0]
    lastNumber = row[1]
    readThrough = row[2]
    sweptThrough = row[3]
    let (start, end): (Int64?, Int64?) = (row[4], row[5])
    if let start, let end {
      quietHours = QuietTime(start: start, end: end)
    } else {
      quietHours = nil
    }
    version = row[6]
    mailDay = row[7]
    mailCount = row[8]
  }

  /// That of a user who was told nothing yet.
  private init(emptyOf user: Identifier) {
    self.user = user
    (lastNumber, readThrough, sweptThrough, version, mailDay, mailCount) = (0, 0, 0, 0, 0, 0)
    quietHours = nil
  }

  var unreadCount: Int64 { lastNumber - max(readThrough, sweptThrough) }

  static func find(_ user: Identifier, in reader: any Reader) throws -> Inbox {
    try reader.first("SELECT \(columns) FROM notify_users WHERE user_id = $1", user, make: Inbox.init)
      ?? Inbox(emptyOf: user)
  }

  /// An inbox that is this transaction's until it ends; made if there was none.
  static func take(_ user: Identifier, in writer: any Writer) throws -> Inbox {
    if let inbox = try held(user, in: writer) { return inbox }
    try writer.execute(
      """
      INSERT INTO notify_users (user_id, last_number, read_through, swept_through, version, mail_day, mail_count)
      VALUES ($1, 0, 0, 0, 0, 0, 0) ON CONFLICT (user_id) DO NOTHING
      """, user)
    guard let inbox = try held(user, in: writer) else { throw RetryTransaction() }
    return inbox
  }

  /// Gives up an inbox that this transaction has taken, if nothing was ever in it.
  static func drop(_ inbox: Inbox, in writer: any Writer) throws {
    guard inbox.lastNumber == 0 else { return }
    try writer.execute("DELETE FROM notify_users WHERE user_id = $1 AND last_number = 0", inbox.user)
  }

  private static func held(_ user: Identifier, in writer: any Writer) throws -> Inbox? {
    try writer.firstForUpdate(
      "SELECT \(columns) FROM notify_users WHERE user_id = $1", user, make: Inbox.init)
  }
}
