import Base
import ChatAPI
import DomainKit
import Storage
import Streaming

/// How far what is counted in a room has come.
struct CountState: Sendable, Equatable {
  var hearts: Int64
  /// The newest change of polls: `PollRow.Change.place`.
  var change: Int64

  /// Rooms of one statement.
  private static let roomsAtOnce = 64

  /// How far some rooms are.
  static func states(of rooms: [SubjectID], in reader: any Reader) throws -> [SubjectID: CountState] {
    var states: [SubjectID: CountState] = [:]
    for piece in rooms.filledPieces(of: roomsAtOnce) {
      let found: [(room: Identifier, state: CountState)] = try reader.rows(
        """
        SELECT r.id, r.hearts, COALESCE((SELECT MAX(p.changed) FROM chat_polls p WHERE p.room_id = r.id), 0)
        FROM chat_rooms r WHERE r.id IN \(placeholders(from: 1, count: roomsAtOnce))
        """, piece.map(\.id.sqlValue)
      ) { ($0[0], CountState(hearts: $0[1], change: $0[2])) }
      for (room, state) in found { states[SubjectID(IDKind.room, room)] = state }
    }
    return states
  }
}

/// Hearts and answers to polls, which many give at once. They are read when there are new ones and wait nowhere, so nobody is
/// too slow a reader for them, and nothing is told after what is newer.
extension Conversation {
  /// Tells what is counted whenever it has changed.
  /// - Parameter told: what the client knows.
  func tellCounts(after told: Locked<CountState>) async throws {
    // Before the first look: what is counted after it is not missed.
    let changes = rooms.counts.subscribe(SubjectID(IDKind.room, room))
    while true {
      let step = try await tellNewCounts(after: told)
      if step.hasNews { try await rooms.pause(rooms.limits.countRest) }
      if step.isAll { _ = try await changes.next() }
    }
  }

  /// Tells what was counted last in a room that has closed. Nobody else tells of counts at that time.
  func tellLastCounts(after told: Locked<CountState>) async throws {
    do {
      while try await !tellNewCounts(after: told).isAll {}
    } catch KitError.notFound {
      // Closed and hidden at once: the end alone is told.
    }
  }

  /// - Returns: whether there was something to tell, and whether that is all.
  private func tellNewCounts(after told: Locked<CountState>) async throws -> (hasNews: Bool, isAll: Bool) {
    let known = told.withLock { $0 }
    let seen = try await kit.database.read { try look(after: known, in: $0) }
    if !seen.news.isEmpty {
      try await kit.judgeAgain(context)
      for frame in seen.news { try await frames.send(Self.frame(frame)) }
    }
    told.withLock { $0 = seen.counts }
    return (!seen.news.isEmpty, seen.isAll)
  }

  /// What has changed since, how far that goes, and whether that is all.
  private func look(
    after told: CountState, in reader: any Reader
  ) throws -> (news: [ServerFrame.Frame], counts: CountState, isAll: Bool) {
    let row = try confirm(in: reader)
    var (news, counts): ([ServerFrame.Frame], CountState) = ([], told)
    if row.hearts > told.hearts {
      counts.hearts = row.hearts
      var count = HeartCount()
      count.total = row.hearts
      news.append(.hearts(count))
    }
    let changes = try PollRow.changes(after: told.change, in: room, limit: rooms.limits.polls, reader)
    let hidden = try curtain.hidden(Set(changes.map(\.author)), in: reader)
    for change in changes {
      counts.change = change.place
      if !hidden.contains(change.author) { news.append(.poll(change.counts)) }
    }
    return (news, counts, changes.count < rooms.limits.polls)
  }
}
