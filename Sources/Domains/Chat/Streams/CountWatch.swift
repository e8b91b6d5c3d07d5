import Base
import DomainKit
import Storage

/// Finds what other nodes have counted in the rooms that are read on this one, though their word of it may have been lost: one
/// read for all of these, however many read them. Readers are woken only where something has changed.
struct CountWatch: Sendable {
  private let rooms: ChatRooms
  /// How far the rooms had come that were read here at the last look.
  private var known: [Identifier: CountState] = [:]
  /// Rooms of one statement.
  private static let roomsAtOnce = 64

  init(_ rooms: ChatRooms) {
    self.rooms = rooms
  }

  /// Wakes the readers of the rooms that have changed since the last look, and of those that nobody read here then. Who begins
  /// to read afterwards sees no less than this look.
  /// - Returns: these rooms.
  @discardableResult
  mutating func look() async throws -> Set<Identifier> {
    let read = rooms.counts.readThings.map(\.id)
    let states = read.isEmpty ? [:] : try await rooms.kit.database.read { try Self.states(of: read, in: $0) }
    let changed = states.filter { known[$0.key] != $0.value }.keys
    known = states
    for room in changed { rooms.counts.wake(SubjectID(IDKind.room, room)) }
    return Set(changed)
  }

  private static func states(of rooms: [Identifier], in reader: any Reader) throws -> [Identifier: CountState] {
    var states: [Identifier: CountState] = [:]
    for piece in rooms.filledPieces(of: roomsAtOnce) {
      let found: [(room: Identifier, state: CountState)] = try reader.rows(
        """
        SELECT r.id, r.hearts, COALESCE((SELECT MAX(p.changed) FROM chat_polls p WHERE p.room_id = r.id), 0)
        FROM chat_rooms r WHERE r.id IN \(placeholders(from: 1, count: roomsAtOnce))
        """, piece.map(\.sqlValue)
      ) { ($0[0], CountState(hearts: $0[1], change: $0[2])) }
      for (room, state) in found { states[room] = state }
    }
    return states
  }
}
