import Base
import ChatAPI
import DomainKit
import Foundation
import GoogleRPC
import RPC
import Refusals
import Storage
import Streaming
import Testing

@testable import Chat

private let owner = Identifier(rawValue: 1)
private let viewer = Identifier(rawValue: 2)
private let second = Identifier(rawValue: 3)

/// How streams tell what is counted: hearts and answers to polls, of which only the newest matters.
@Suite struct CountTests {
  private static let live = Identifier(rawValue: 100)

  /// A room beside a live stream, where people give hearts and answers without a stream of their own.
  private struct Stand {
    let lounge: Lounge
    let room: Identifier
    var text: String { room.text(kind: "room") }

    func take(_ deed: ClientFrame.Frame, by user: Identifier) async throws {
      lounge.clock.advance(by: ChatLimits().heartInterval)
      let gate = RoomGate(kit: lounge.kit, access: .ofKind, caller: Caller(user: user, session: user))
      try await lounge.write { _ = try lounge.rooms.take(deed, .nothing, in: room, by: gate, $0) }
    }

    func give(_ count: Int32) async throws {
      var hearts = Hearts()
      (hearts.requestID, hearts.count) = (UUID().uuidString, count)
      try await take(.hearts(hearts), by: second)
    }

    func ask(_ question: String) async throws {
      var poll = StartPoll()
      (poll.requestID, poll.question, poll.options) = (UUID().uuidString, question, ["Yes", "No"])
      try await take(.startPoll(poll), by: owner)
    }

    func answer(_ number: Int64, _ option: Int32, by user: Identifier = second) async throws {
      var vote = Vote()
      (vote.requestID, vote.number, vote.option) = (UUID().uuidString, number, option)
      try await take(.vote(vote), by: user)
    }

    func closePoll(_ number: Int64) async throws {
      var end = ClosePoll()
      (end.requestID, end.number) = (UUID().uuidString, number)
      try await take(.closePoll(end), by: owner)
    }

    func close() async throws {
      try await lounge.write { try lounge.rooms.close(room, in: $0) }
    }
  }

  private func stand(
    nodes: Int = 1, limits: ChatLimits = ChatLimits(),
    pause: @escaping @Sendable (Duration) async throws -> Void = { _ in }
  ) async throws -> Stand {
    let lounge = try await Lounge.open(nodes: nodes, limits: limits, pause: pause)
    lounge.threads.add(Self.live, owner: owner)
    let room = try await lounge.write {
      try lounge.rooms.open(
        RoomPlan(.live, about: "thread_" + Self.live.printed, members: [], owner: owner), in: $0)
    }
    return Stand(lounge: lounge, room: room)
  }

  @Test func `what is counted while a reader is told is told once, the newest, and nothing of it waits`() async throws {
    let rest = ParkingSpot()
    var limits = ChatLimits()
    limits.countRest = .seconds(3)
    let stand = try await stand(limits: limits) { pause in
      #expect(pause == .seconds(3))
      try await rest.park()
    }
    let guest = try await stand.lounge.chat(stand.text, as: viewer)
    #expect(try await guest.joined().0.heartTotal == 0)
    try await stand.give(5)
    #expect(try await guest.heartTotal() == 5)
    for count: Int32 in [7, 9] { try await stand.give(count) }
    rest.unpark()
    #expect(try await guest.heartTotal() == 21)

    try await stand.ask("Now?")
    #expect(try await guest.message().0.number == 1)
    try await stand.answer(1, 0)
    try await stand.answer(1, 1)
    try await stand.answer(1, 0, by: viewer)
    rest.unpark()
    guard case .poll(let counts)? = try await guest.next()?.frame else { throw Unexpected() }
    #expect(counts.votes == [1, 1])
    // The poll's message alone: a reader's backlog does not grow with what is counted.
    let events = try await stand.lounge.database.read { reader in
      try reader.first(
        "SELECT COUNT(*) FROM octet_topic_events WHERE topic = $1", RoomRow.topic(of: stand.room).name
      ) { $0[0] as Int64 }
    }
    #expect(events == 1)
    await stand.lounge.close()
  }

  @Test func `who comes back is told how hearts and the newest polls stand, and nothing older`() async throws {
    var limits = ChatLimits()
    limits.polls = 1
    let stand = try await stand(limits: limits)
    let guest = try await stand.lounge.chat(stand.text, as: viewer)
    _ = try await guest.joined()
    for question in ["Now?", "Then?"] { try await stand.ask(question) }
    _ = try await guest.message()
    let (last, token) = try await guest.message()
    #expect(last.number == 2)
    guest.cancel()
    try await stand.give(1)
    try await stand.answer(1, 0)
    try await stand.answer(2, 0)
    try await stand.answer(2, 1, by: viewer)
    try await stand.give(2)

    let back = try await stand.lounge.chat(stand.text, as: viewer, resumeToken: token)
    #expect(try await back.joined().0.heartTotal == 3)
    guard case .poll(let counts)? = try await back.next()?.frame else { throw Unexpected() }
    #expect(counts.number == 2 && counts.votes == [1, 1])
    try await stand.give(4)
    guard case .hearts(let hearts)? = try await back.next()?.frame else { throw Unexpected() }
    #expect(hearts.total == 7)
    // Who joins afresh has the answers with the messages.
    let fresh = try await stand.lounge.chat(stand.text, as: owner)
    #expect(try await fresh.joined().0.messages.map { $0.poll?.options.map(\.voteCount) } == [[1, 0], [1, 1]])
    try await stand.give(1)
    guard case .hearts? = try await fresh.next()?.frame else { throw Unexpected() }
    await stand.lounge.close()
  }

  /// Reads the counts of a poll that is over, and then the end of the room.
  /// - Returns: the last token.
  private func end(of guest: Guest) async throws -> String {
    guard case .poll(let counts)? = try await guest.next()?.frame else { throw Unexpected() }
    #expect(counts.votes == [0, 1] && counts.closeTime != nil)
    guard let last = try await guest.next(), case .closed = last.frame else { throw Unexpected() }
    #expect(try await guest.next() == nil)
    return last.resumeToken
  }

  @Test func `what was counted last is told before a room's end, also to who comes back after it`() async throws {
    let rest = ParkingSpot()
    let stand = try await stand { _ in try await rest.park() }
    let guest = try await stand.lounge.chat(stand.text, as: viewer)
    _ = try await guest.joined()
    try await stand.ask("Now?")
    _ = try await guest.message()
    try await stand.give(5)
    #expect(try await guest.heartTotal() == 5)
    // The stream rests, and nobody wakes it.
    try await stand.answer(1, 1)
    try await stand.closePoll(1)
    try await stand.give(7)
    try await stand.close()
    #expect(try await guest.heartTotal() == 12)
    let token = try await end(of: guest)

    let back = try await stand.lounge.chat(stand.text, as: viewer, resumeToken: token)
    #expect(try await back.joined().0.heartTotal == 12)
    _ = try await end(of: back)
    await stand.lounge.close()
  }

  @Test func `of polls of those who are muted nothing is told, and nothing of rooms that are hidden`() async throws {
    let stand = try await stand()
    let guest = try await stand.lounge.chat(stand.text, as: viewer)
    _ = try await guest.joined()
    try await stand.ask("Now?")
    #expect(try await guest.message().0.number == 1)
    stand.lounge.quarrels.mute(viewer, owner)
    try await stand.answer(1, 0)
    try await stand.give(1)
    guard case .hearts? = try await guest.next()?.frame else { throw Unexpected() }
    stand.lounge.threads.hide(Self.live)
    // Nobody says that it is hidden; the next look finds it.
    stand.lounge.rooms.counts.wake(SubjectID("room", stand.room))
    await expectRefusal(.notFound, "NOT_FOUND") { try await guest.next() }
    await stand.lounge.close()
  }

  @Test func `readers are woken where another node has counted something, and nowhere else`() async throws {
    let stand = try await stand(nodes: 2)
    let (lounge, room) = (stand.lounge, stand.room)
    // More than one statement asks for.
    let quiet = try await lounge.write { writer in
      try (1...100).map { number in
        let plan = RoomPlan(
          .live, about: "thread_" + Identifier(rawValue: Int64(1000 + number)).printed, members: [], owner: owner)
        return try lounge.rooms.open(plan, in: writer)
      }
    }
    guard let rooms = lounge.domain(node: 1).rooms as? ChatRooms else { throw Unexpected() }
    var watch = ChangeWatch(rooms.counts, rooms.kit, read: CountState.states)
    func looked() async throws -> Set<Identifier> { Set(try await watch.look().map(\.id)) }
    #expect(try await looked() == [])
    let changes = rooms.counts.subscribe(SubjectID("room", room))
    var others = quiet.map { rooms.counts.subscribe(SubjectID("room", $0)) }
    #expect(try await looked() == Set(quiet + [room]))
    _ = try await changes.next()
    #expect(try await looked() == [])

    try await stand.give(6)
    #expect(try await looked() == [room])
    _ = try await changes.next()
    try await stand.ask("Now?")
    #expect(try await looked() == [])
    try await stand.answer(1, 0)
    #expect(try await looked() == [room])
    _ = try await changes.next()

    // What nobody reads is forgotten, and may have changed when somebody reads it again.
    others.removeAll()
    #expect(try await looked() == [])
    others.append(rooms.counts.subscribe(SubjectID("room", quiet[0])))
    #expect(try await looked() == [quiet[0]])
    withExtendedLifetime((changes, others)) {}
    await lounge.close()
  }

  @Test func `streams that are told of no counts do not watch them`() async throws {
    let stand = try await stand()
    let support = try await stand.lounge.openRoom(.support, as: viewer)
    let asking = try await stand.lounge.chat(support.id, as: viewer)
    _ = try await asking.joined()
    #expect(stand.lounge.rooms.counts.readThings == [])
    let guest = try await stand.lounge.chat(stand.text, as: viewer)
    _ = try await guest.joined()
    try await stand.give(1)
    #expect(try await guest.heartTotal() == 1)
    #expect(stand.lounge.rooms.counts.readThings == [SubjectID("room", stand.room)])
    asking.cancel()
    await stand.lounge.close()
  }

  @Test func `what another node has counted is found, though nobody tells of it`() async throws {
    let stand = try await stand(nodes: 2)
    let guest = try await stand.lounge.chat(stand.text, as: viewer, node: 1)
    _ = try await guest.joined()
    try await stand.give(6)
    await stand.lounge.domain(node: 1).start()
    #expect(try await guest.heartTotal() == 6)
    await stand.lounge.domain(node: 1).stop()
    await stand.lounge.close()
  }
}
