import Base
import DomainKit
import NotifyAPI
import Storage
import Streaming

/// What notify keeps about people: the inbox with its words, the settings, the devices.
struct NotifyRecords: PersonalRecords {
  let core: NotifyCore
  let name = NotifyDomain.name

  /// Rows that one transaction erases.
  private static let erasedAtOnce = 256

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    // A notice that is being written is there before this goes on, and one that comes later sees that the user leaves.
    _ = try Inbox.take(user, in: writer)
    let numbers: [Int64] = try writer.rows(
      "SELECT number FROM notify_inbox WHERE user_id = $1 ORDER BY number LIMIT $2", user, Self.erasedAtOnce
    ) { $0[0] }
    for number in numbers {
      for way in Way.allCases {
        let key = DeliveryKey(user: user, number: number, way: way)
        try core.timers.cancel(way.job, key: key.text, in: writer)
      }
      try writer.execute("DELETE FROM notify_deliveries WHERE user_id = $1 AND number = $2", user, number)
      try writer.execute("DELETE FROM notify_inbox WHERE user_id = $1 AND number = $2", user, number)
    }
    if let last = numbers.last {
      try writer.execute(
        "UPDATE notify_users SET swept_through = $2 WHERE user_id = $1 AND swept_through < $2", user, last)
      return true
    }
    // The events tell the same as the inbox did.
    try core.kit.hub.compact(core.topic(of: user), before: core.now + .seconds(1), in: writer)
    try core.kit.hub.end(core.topic(of: user), in: writer)
    if try core.eraseOutside(of: user, limit: Self.erasedAtOnce, in: writer) { return true }
    for table in ["notify_choices", "notify_devices", "notify_users"] {
      try writer.execute("DELETE FROM \(table) WHERE user_id = $1", user)
    }
    return false
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON(NotifyDomain.descriptors)
    try json.write(try core.settings(of: user, askedIn: nil, in: reader), to: record)
    for letter in try core.outsideLetters(of: user, in: reader) { try json.write(letter, to: record) }
    let inbox = try Inbox.find(user, in: reader)
    var number = Int64.max
    while true {
      let entries = try InboxEntry.list(user, below: number, limit: Self.erasedAtOnce, in: reader)
      for entry in try core.opened(entries, in: reader) {
        try json.write(NotifyAPI.Notice(entry, isUnread: entry.number > inbox.readThrough), to: record)
      }
      guard let last = entries.last else { return }
      number = last.number
    }
  }
}
