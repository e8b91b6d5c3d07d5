import Base
import DomainKit
import Storage

/// Takes their files from the messages of rooms whose things are gone: nobody sees them there any more, and nobody could
/// give them up.
struct GoneRooms: Sendable {
  private static let kind = JobKind<MessageNumber>("chat.gone")

  let rooms: ChatRooms
  let jobs: Jobs

  var declaration: JobDeclaration {
    Self.kind.inTransaction { job, writer in
      guard let room = job.key.id else { return }
      try release(room, after: job.payload.number, in: writer)
    }
  }

  /// Begins to do so with the oldest room of its kind about a thing that this transaction deletes; the newer ones follow.
  func begin(with room: Identifier, in writer: any Writer) throws {
    try goOn(with: room, after: 0, in: writer)
  }

  private func goOn(with room: Identifier, after number: Int64, in writer: any Writer) throws {
    try jobs.set(Self.kind, JobKey(room), MessageNumber(number: number), due: rooms.kit.clock.now(), in: writer)
  }

  private func release(_ room: Identifier, after number: Int64, in writer: any Writer) throws {
    let limit = rooms.limits.sweptAtOnce
    // Messages are changed by whoever holds their room.
    let row = try RoomRow.lock(room, in: writer)
    let messages = try writer.rows(
      "SELECT \(MessageRow.columns) FROM chat_messages WHERE room_id = $1 AND number > $2 ORDER BY number LIMIT $3",
      room, number, limit, make: MessageRow.init)
    for message in messages { try rooms.release(message, in: writer) }
    if messages.count == limit, let last = messages.last {
      try goOn(with: room, after: last.number, in: writer)
    } else if let next = try RoomRow.next(row.kind, about: row.subject, after: room, in: writer) {
      try begin(with: next, in: writer)
    }
  }
}

/// The last message of a room that was dealt with.
struct MessageNumber: JobPayload {
  let number: Int64

  init(number: Int64) { self.number = number }

  init(jobBytes: [UInt8]) { number = Int64(String(decoding: jobBytes, as: UTF8.self)) ?? 0 }

  var jobBytes: [UInt8] { Array(String(number).utf8) }
}

extension ChatRooms {
  /// Takes its files from a message. The room is locked.
  fileprivate func release(_ message: MessageRow, in writer: any Writer) throws {
    if message.blobs.isEmpty { return }
    try writer.execute(
      "UPDATE chat_messages SET blobs = '' WHERE room_id = $1 AND number = $2", message.room, message.number)
    try detachFiles(of: message, in: writer)
  }
}
