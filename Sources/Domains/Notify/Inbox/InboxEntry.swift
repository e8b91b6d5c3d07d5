import Base
import Cryptography
import DomainKit
import NotifyAPI
import Storage
import WellKnownTypes

/// A row of `notify_inbox`.
struct InboxEntry: Sendable {
  let user: Identifier
  let number: Int64
  let id: Identifier
  let kind: String
  /// A printed id, or empty.
  let object: String
  /// May hold sealed names.
  var title: String
  /// May hold sealed names.
  var text: String
  let createdAt: Instant

  private static let columns = "user_id, number, id, kind, object, title, text, created_at"

  init(
    user: Identifier, number: Int64, id: Identifier, kind: String, object: String, title: String, text: String,
    createdAt: Instant
  ) {
    self.user = user
    self.number = number
    self.id = id
    self.kind = kind
    self.object = object
    self.title = title
    self.text = text
    self.createdAt = createdAt
  }

  private init(_ row: any Row) {
    self.init(
      user: row[0], number: row[1], id: row[2], kind: row[3], object: row[4], title: row[5], text: row[6],
      createdAt: row[7])
  }

  static func find(_ user: Identifier, number: Int64, in reader: any Reader) throws -> InboxEntry? {
    try reader.first(
      "SELECT \(columns) FROM notify_inbox WHERE user_id = $1 AND number = $2", user, number, make: InboxEntry.init)
  }

  /// The notices below a number, newest first.
  static func list(
    _ user: Identifier, below number: Int64 = .max, limit: Int, in reader: any Reader
  ) throws -> [InboxEntry] {
    try reader.rows(
      "SELECT \(columns) FROM notify_inbox WHERE user_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3", user,
      number, limit, make: InboxEntry.init)
  }
}

extension NotifyCore {
  /// Notices as they are read. Each person's key is asked for once.
  func opened(_ entries: [InboxEntry], in reader: any Reader) throws -> [InboxEntry] {
    var keys: [Identifier: SealingKey?] = [:]
    func key(_ user: Identifier) throws -> SealingKey? {
      if let known = keys[user] { return known }
      let key = try contacts.sealingKey(of: user, in: reader)
      keys.updateValue(key, forKey: user)
      return key
    }
    return try entries.map { entry in
      var entry = entry
      entry.title = try SealedNames.open(entry.title, key: key)
      entry.text = try SealedNames.open(entry.text, key: key)
      return entry
    }
  }

  /// Stored words as they are read.
  func opened(_ text: String, in reader: any Reader) throws -> String {
    try SealedNames.open(text) { try contacts.sealingKey(of: $0, in: reader) }
  }

  /// The words of a notice as they are stored.
  func stored(_ words: NoticeWords, with values: [String: NoticeValue], in reader: any Reader) throws -> NoticeWords {
    try words.filled(with: values) { value in
      guard case .name(_, let user) = value else { return nil }
      return SealedNames.seal(value.shown, of: user, key: try contacts.sealingKey(of: user, in: reader))
    }
  }
}

extension NotifyAPI.Notice {
  init(_ entry: InboxEntry, isUnread: Bool) {
    self.init()
    id = entry.id.text(kind: IDKind.notice)
    number = entry.number
    kind = entry.kind
    objectID = entry.object
    title = entry.title
    text = entry.text
    createTime = Timestamp(entry.createdAt)
    unread = isUnread
  }
}
