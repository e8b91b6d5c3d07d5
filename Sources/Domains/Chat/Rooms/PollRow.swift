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

  var counts: PollCounts {
    var counts = PollCounts()
    counts.number = number
    counts.votes = options.map(\.voteCount)
    counts.closeTime = closesAt.map { Timestamp($0) }
    return counts
  }
}

extension ChatMessage {
  /// A message with the poll that it may be.
  init(_ row: MessageRow, in reader: any Reader) throws {
    self.init(row)
    if row.kind == .poll, row.isShown { poll = try PollRow.find(row.number, in: row.room, reader)?.message }
  }
}
