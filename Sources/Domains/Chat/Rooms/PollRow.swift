import Base
import ChatAPI
import DomainKit
import Storage
import WellKnownTypes

/// A row of `chat_polls`, with those of its options.
struct PollRow: Sendable {
  let room: Identifier
  /// Of its message.
  let number: Int64
  let closesAt: Instant?
  /// In their order.
  let options: [PollOption]

  static func find(_ number: Int64, in room: Identifier, _ reader: any Reader) throws -> PollRow? {
    let closesAt: Instant?? = try reader.first(
      "SELECT closes_at FROM chat_polls WHERE room_id = $1 AND number = $2", room, number
    ) { $0[0] as Instant? }
    guard let closesAt else { return nil }
    let options = try reader.rows(
      "SELECT text, votes FROM chat_poll_options WHERE room_id = $1 AND number = $2 ORDER BY choice", room, number
    ) { row in
      var option = PollOption()
      (option.text, option.voteCount) = (row[0], row[1])
      return option
    }
    return PollRow(room: room, number: number, closesAt: closesAt, options: options)
  }

  /// Says that its answers have changed, or that it was closed. The room is locked.
  func noteChange(in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE chat_polls SET changed = (SELECT MAX(p.changed) FROM chat_polls p WHERE p.room_id = $1) + 1
      WHERE room_id = $1 AND number = $2
      """, room, number)
  }

  /// The place in the order of changes after which so many polls of a room have changed; 0 if there are fewer.
  static func place(before count: Int, in room: Identifier, _ reader: any Reader) throws -> Int64 {
    try reader.first(
      "SELECT changed FROM chat_polls WHERE room_id = $1 ORDER BY changed DESC LIMIT 1 OFFSET $2", room, count
    ) { $0[0] } ?? 0
  }

  /// A poll that has changed, and when in the order of changes.
  struct Change: Sendable {
    let author: Identifier
    let place: Int64
    var counts = PollCounts()
  }

  /// The polls of a room that have changed after a place in that order. Not those whose messages nobody may see.
  static func changes(
    after place: Int64, in room: Identifier, limit: Int, _ reader: any Reader
  ) throws -> [Change] {
    var changes: [Change] = []
    // One row for each option. No two polls of a room have one place.
    try reader.forEachRow(
      """
      SELECT c.author_id, c.changed, c.number, c.closes_at, o.votes FROM (
        SELECT p.number, m.author_id, p.changed, p.closes_at FROM chat_polls p
        JOIN chat_messages m ON m.room_id = p.room_id AND m.number = p.number
        WHERE p.room_id = $1 AND p.changed > $2 AND m.deleted_at IS NULL AND m.removed_at IS NULL
        ORDER BY p.changed LIMIT $3) c
      JOIN chat_poll_options o ON o.room_id = $1 AND o.number = c.number ORDER BY c.changed, o.choice
      """, [room.sqlValue, place.sqlValue, limit.sqlValue]
    ) { row in
      let place: Int64 = row[1]
      if changes.last?.place != place {
        var change = Change(author: row[0], place: place)
        change.counts.number = row[2]
        change.counts.closeTime = (row[3] as Instant?).map { Timestamp($0) }
        changes.append(change)
      }
      changes[changes.endIndex - 1].counts.votes.append(row[4])
      return true
    }
    return changes
  }

  func insert(in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO chat_polls (room_id, number, closes_at) VALUES ($1, $2, $3)", room, number, closesAt)
    for (choice, option) in options.enumerated() {
      try writer.execute(
        "INSERT INTO chat_poll_options (room_id, number, choice, text, votes) VALUES ($1, $2, $3, $4, 0)", room, number,
        choice, option.text)
    }
  }

  /// What a message shows of it.
  var message: Poll {
    var poll = Poll()
    poll.options = options
    poll.closeTime = closesAt.map { Timestamp($0) }
    return poll
  }
}

extension ChatMessage {
  /// A message with the poll that it may be.
  init(_ row: MessageRow, in reader: any Reader) throws {
    self.init(row)
    if row.kind == .poll, row.isShown { poll = try PollRow.find(row.number, in: row.room, reader)?.message }
  }
}
