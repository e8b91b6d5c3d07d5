import Base
import ChatAPI
import DomainKit
import Storage

/// Hides from a reader what those have said whom the reader has blocked or muted, and those who have blocked the reader, in
/// rooms where strangers meet. Asked at each read and each push, so a block counts from its commit on. Staff sees all.
struct Curtain: Sendable {
  let kit: Kit
  let caller: Caller

  /// Those of some authors whom the reader is not to hear.
  func hidden(_ authors: Set<Identifier>, in reader: any Reader) throws -> Set<Identifier> {
    let others = authors.subtracting([caller.user, MessageRow.server])
    let hidden = others.isEmpty ? [] : try kit.community.unheard(by: caller.user, among: others, in: reader)
    guard caller.roles.isStaff else { return hidden }
    if let author = hidden.first { caller.seesAsStaff(SubjectID(IDKind.user, author)) }
    return []
  }

  /// Messages of a room as the reader sees them.
  func draw(over rows: [MessageRow], of room: RoomRow, in reader: any Reader) throws -> [ChatMessage] {
    let hidden = room.isOfStrangers ? try hidden(Set(rows.map(\.author)), in: reader) : []
    return try rows.map {
      hidden.contains($0.author) ? ChatMessage(hiding: ChatMessage($0)) : try ChatMessage($0, in: reader)
    }
  }
}

extension ChatMessage {
  /// What is told of a message that a reader does not see.
  init(hiding message: ChatMessage) {
    self.init()
    (id, number, postTime, hidden) = (message.id, message.number, message.postTime, true)
  }

  /// Nil for the server.
  var author: Identifier? { try? Identifier.parse(authorID, kind: IDKind.user) }
}
