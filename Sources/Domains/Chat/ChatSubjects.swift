import Base
import ChatAPI
import DomainKit
import Storage
import Streaming

/// Rooms as things that notices lead to and reports are about.
struct RoomSubject: SubjectKind {
  let rooms: ChatRooms
  let prefix = IDKind.room

  var traits: SubjectTraits { .ofSeveral }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try RoomRow.find(id, in: reader).map { SubjectFacts(owner: $0.owner, parent: SubjectID(parsing: $0.subject)) }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let caller else { return false }
    return try rooms.mayRead(RoomRow.find(id, in: reader), caller, in: reader)
  }
}

/// Messages as things that can be reported, and that moderators can remove. One that was deleted is there for nobody.
struct MessageSubject: SubjectKind {
  let rooms: ChatRooms
  let prefix = IDKind.message

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    let message = try MessageRow.find(id, in: reader)
    let room = try RoomRow.find(message?.room ?? id, in: reader)
    guard let message, let room, message.deletedAt == nil else { return nil }
    return SubjectFacts(
      owner: message.author == MessageRow.server ? nil : message.author, parent: room.asSubject,
      isShared: !room.isOfStrangers)
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let caller else { return false }
    let message = try MessageRow.find(id, in: reader)
    // A message's id is no room's.
    let mayRead = try rooms.mayRead(RoomRow.find(message?.room ?? id, in: reader), caller, in: reader)
    return mayRead && message?.isShown == true
  }

  func words(of id: Identifier, in reader: any Reader) throws -> String? {
    guard let message = try MessageRow.find(id, in: reader) else { return nil }
    let poll = message.kind == .poll ? try PollRow.find(message.number, in: message.room, reader) : nil
    return ([message.text] + (poll?.options.map(\.text) ?? [])).joined(separator: "\n")
  }

  func moderate(_ id: Identifier, _ measure: ModerationMeasure, in writer: any Writer) throws -> Bool {
    guard let message = try MessageRow.find(id, in: writer) else { return false }
    try rooms.setRemoved(message, measure == .remove, in: writer)
    return true
  }
}

/// Ends the streams of those who may not see any more what a room is about, and closes the rooms of what is gone.
struct RoomWatchers: SubjectObserver {
  let rooms: ChatRooms
  /// Nil where no message has files.
  let goneRooms: GoneRooms?

  func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {
    for room in try open(about: subject, in: writer) {
      // Tells the streams to look whether they may go on.
      try rooms.kit.hub.publish(RoomRow.topic(of: room.id), [], in: writer)
    }
  }

  func gone(_ subject: SubjectID, in writer: any Writer) throws {
    for room in try open(about: subject, in: writer) { try rooms.close(room.id, in: writer) }
    // Those that were closed before have files as well.
    for kind in RoomRow.kindsOfStrangers {
      guard let oldest = try RoomRow.next(kind, about: subject.text, in: writer) else { continue }
      try goneRooms?.begin(with: oldest, in: writer)
    }
  }

  private func open(about subject: SubjectID, in writer: any Writer) throws -> [RoomRow] {
    try RoomRow.kindsOfStrangers.compactMap { kind in
      guard let room = try RoomRow.newest(kind, about: subject.text, in: writer), room.closedAt == nil else {
        return nil
      }
      return room
    }
  }
}

extension SubjectTraits {
  /// What several people have made together, each of whom sees it in any case.
  fileprivate static var ofSeveral: SubjectTraits {
    var traits = SubjectTraits()
    traits.isHiddenByBlocks = false
    return traits
  }
}
