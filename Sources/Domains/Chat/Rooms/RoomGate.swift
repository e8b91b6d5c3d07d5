import Base
import ChatAPI
import DomainKit
import Storage

/// What somebody may do in a room, judged in the transaction that does it.
struct RoomGate: Sendable {
  static let support = "support"
  /// The id of no room.
  private static let absent = Identifier(rawValue: 0)

  let kit: Kit
  let access: RoomAccess
  let caller: Caller

  /// Whether the caller may read. What else than members decides it can change without an event in the room, so it is
  /// asked before each push.
  /// - Parameter room: nil if there is none. Whoever may not read is told so after the same questions, whatever room it is
  ///   or whether there is one, so that the time of an answer does not tell what is there.
  func mayRead(_ room: RoomRow?, in reader: any Reader) throws -> Bool {
    if room != nil, case .visitor = access { return true }
    let isBesideThing = room.map { self.isBesideThing($0) } ?? false
    let thing = room.flatMap { self.thing(beside: $0) }
    if let thing, try kit.subjects.isVisible(beneath: thing, to: caller, in: reader) { return true }
    if let room, !isBesideThing, try isIn(room, in: reader) { return true }
    // What was not asked yet.
    if thing == nil { _ = try kit.subjects.isVisible(beneath: nil, to: caller, in: reader) }
    if room == nil || isBesideThing { _ = try MemberRow.isPresent(caller.user, in: Self.absent, reader) }
    return false
  }

  private func isBesideThing(_ room: RoomRow) -> Bool { isOfKind && room.isOfStrangers }

  /// What whoever reads here has to see; nil where something else decides it.
  func thing(beside room: RoomRow) -> SubjectID? { isBesideThing(room) ? SubjectID(parsing: room.subject) : nil }

  private var isOfKind: Bool {
    if case .ofKind = access { true } else { false }
  }

  /// Whether the caller is one of those whom a room is for that is beside nothing.
  private func isIn(_ room: RoomRow, in reader: any Reader) throws -> Bool {
    guard isOfKind, room.kind == .support else { return try isMember(of: room, in: reader) }
    if room.owner == caller.user { return true }
    // Of no consequence but for the time that it takes.
    _ = try isMember(of: room, in: reader)
    return try isSupport(in: reader)
  }

  /// Whether reading is asked for before each push, and not only when the members change.
  func isAskedAtEachPush(_ room: RoomRow) -> Bool {
    isOfKind && (room.isOfStrangers || room.kind == .support && room.owner != caller.user)
  }

  /// Makes sure that the caller may post.
  /// - Throws: `KitError.notFound` for those who may not even read; `.permissionDenied`; `ChatError`.
  func confirmPosting(in room: RoomRow, _ writer: any Writer, now: Instant) throws {
    guard try mayRead(room, in: writer) else { throw KitError.notFound("room") }
    guard case .ofKind = access else { return }
    switch room.kind {
    case .ride: return
    case .support:
      if room.owner == caller.user { return }
      guard room.taker == caller.user, room.state(at: now) == .taken else { throw ChatError.leaseLost }
    case .live, .thread:
      guard let subject = SubjectID(parsing: room.subject), let kind = kit.subjects[subject] else {
        throw KitError.notFound("room")
      }
      switch try kind.posting(on: subject.id, by: caller, in: writer) {
      case .allowed: return
      case .off: throw ChatError.postingOff
      case .refused: throw KitError.permissionDenied
      }
    }
  }

  private func isMember(of room: RoomRow, in reader: any Reader) throws -> Bool {
    try MemberRow.isPresent(caller.user, in: room.id, reader)
  }

  private func isSupport(in reader: any Reader) throws -> Bool {
    // By the rows, as a stream may outlive a grant.
    try caller.roles.holds(Self.support) && kit.authority.roles(of: caller.user, in: reader).holds(Self.support)
  }
}
