import Base
import ChatAPI
import DomainKit
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

/// What people do in a room beside talking: hearts and polls, in rooms where strangers meet.
extension ChatRooms {
  /// - Returns: the number of the message that it is about; 0 for none.
  /// - Throws: `ChatError`; `KitError`.
  func take(
    _ deed: ClientFrame.Frame, _ score: ToxicityScore, in id: Identifier, by gate: RoomGate, _ writer: any Writer
  ) throws -> Int64 {
    let now = kit.clock.now()
    let room = try RoomRow.lock(id, in: writer)
    try gate.confirmPosting(in: room, writer, now: now)
    guard room.isOfStrangers else { throw KitError.permissionDenied }
    guard room.closedAt == nil else { throw ChatError.roomClosed }
    try checkBan(of: gate.caller, room, now: now, in: writer)
    let user = gate.caller.user
    switch deed {
    case .hearts(let hearts):
      try count(hearts, by: user, in: room, now, writer)
      return 0
    case .startPoll(let wanted): return try start(wanted, score, by: user, in: room, now, writer)
    case .vote(let vote): return try count(vote, by: user, in: room, now, writer)
    case .closePoll(let end): return try close(end, by: user, in: room, now, writer)
    case .join, .post: preconditionFailure("neither is such a deed")
    }
  }

  private func count(
    _ hearts: Hearts, by user: Identifier, in room: RoomRow, _ now: Instant, _ writer: any Writer
  ) throws {
    let last: Instant? = try writer.first(
      "SELECT last_at FROM chat_hearts WHERE room_id = $1 AND user_id = $2", room.id, user
    ) { $0[0] }
    if let last, now < last + limits.heartInterval {
      throw ChatError.slowMode(after: last + limits.heartInterval - now)
    }
    let given = Int64(hearts.count)
    try writer.execute(
      """
      INSERT INTO chat_hearts (room_id, user_id, hearts, last_at) VALUES ($1, $2, $3, $4)
      ON CONFLICT (room_id, user_id) DO UPDATE SET
        hearts = chat_hearts.hearts + excluded.hearts, last_at = excluded.last_at
      """, room.id, user, given, now)
    try writer.execute("UPDATE chat_rooms SET hearts = hearts + $2 WHERE id = $1", room.id, given)
    tellCounts(of: room, after: writer)
  }

  private func start(
    _ wanted: StartPoll, _ score: ToxicityScore, by user: Identifier, in room: RoomRow, _ now: Instant,
    _ writer: any Writer
  ) throws -> Int64 {
    guard try isModerator(user, of: room.id, in: writer) else { throw KitError.permissionDenied }
    try check(length: wanted.question)
    guard ([wanted.question] + wanted.options).allSatisfy(\.saysSomething) else { throw ChatError.textRefused("empty") }
    if score.verdict == .refused { throw ChatError.textRefused("insulting") }
    let poll = PollRow(
      room: room.id, number: room.nextNumber, closesAt: try wanted.lasting.map { now + (try lasting($0)) },
      options: wanted.options.map { text in
        var option = PollOption()
        option.text = text
        return option
      })
    let new = NewMessage(
      id: kit.identifiers.next(), author: user, text: wanted.question, kind: .poll, poll: poll.message)
    let number = try append(new, to: room, now, writer)
    try writer.execute(
      "UPDATE chat_members SET read_through = $3 WHERE room_id = $1 AND user_id = $2", room.id, user, number)
    try poll.insert(in: writer)
    if score.verdict == .reviewed {
      try reviews?.review(SubjectID(IDKind.message, new.id), by: user, score, in: writer)
    }
    if room.kind != .live { try tellAbsent(number, room, author: user, now: now, in: writer) }
    return number
  }

  private func lasting(_ wanted: ProtoDuration) throws -> Duration {
    guard let lasting = Duration(wanted), lasting >= .seconds(1), lasting <= limits.longestPoll else {
      throw KitError.invalid(
        FieldViolation(field: "lasting", description: "not between a second and the longest time of a poll"))
    }
    return lasting
  }

  private func count(
    _ vote: Vote, by user: Identifier, in room: RoomRow, _ now: Instant, _ writer: any Writer
  ) throws -> Int64 {
    let poll = try poll(vote.number, in: room, writer)
    if let closesAt = poll.closesAt, closesAt <= now { throw ChatError.pollClosed }
    guard poll.options.indices.contains(Int(vote.option)) else {
      throw KitError.invalid(FieldViolation(field: "option", description: "the poll has no such option"))
    }
    let choice = Int64(vote.option)
    let before: Int64? = try writer.first(
      "SELECT choice FROM chat_votes WHERE room_id = $1 AND number = $2 AND user_id = $3", room.id, poll.number, user
    ) { $0[0] }
    guard before != choice else { return poll.number }
    try writer.execute(
      """
      INSERT INTO chat_votes (room_id, number, user_id, choice) VALUES ($1, $2, $3, $4)
      ON CONFLICT (room_id, number, user_id) DO UPDATE SET choice = excluded.choice
      """, room.id, poll.number, user, choice)
    for (choice, change) in [(before, -1), (choice, 1)] as [(Int64?, Int64)] {
      guard let choice else { continue }
      try writer.execute(
        "UPDATE chat_poll_options SET votes = votes + $4 WHERE room_id = $1 AND number = $2 AND choice = $3", room.id,
        poll.number, choice, change)
    }
    try noteChange(of: poll, in: room, writer)
    return poll.number
  }

  private func close(
    _ end: ClosePoll, by user: Identifier, in room: RoomRow, _ now: Instant, _ writer: any Writer
  ) throws -> Int64 {
    guard try isModerator(user, of: room.id, in: writer) else { throw KitError.permissionDenied }
    let poll = try poll(end.number, in: room, writer)
    if let closesAt = poll.closesAt, closesAt <= now { return poll.number }
    try writer.execute(
      "UPDATE chat_polls SET closes_at = $3 WHERE room_id = $1 AND number = $2", room.id, poll.number, now)
    try noteChange(of: poll, in: room, writer)
    return poll.number
  }

  /// A poll whose message people may see. The room is locked.
  private func poll(_ number: Int64, in room: RoomRow, _ writer: any Writer) throws -> PollRow {
    // Any number may come from outside, the greatest one too.
    guard number < room.nextNumber else { throw KitError.notFound("poll") }
    let message = try MessageRow.list(room.id, below: number + 1, limit: 1, in: writer).first
    guard let message, message.number == number, message.isShown,
      let poll = try PollRow.find(number, in: room.id, writer)
    else { throw KitError.notFound("poll") }
    return poll
  }

  private func noteChange(of poll: PollRow, in room: RoomRow, _ writer: any Writer) throws {
    try poll.noteChange(in: writer)
    tellCounts(of: room, after: writer)
  }

  private func tellCounts(of room: RoomRow, after writer: any Writer) {
    writer.afterCommit { [counts] in counts.changed(room.asSubject) }
  }
}
