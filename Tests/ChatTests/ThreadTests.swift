import Base
import ChatAPI
import DomainKit
import RPC
import Refusals
import Storage
import Testing

@testable import Chat

private let ada = Identifier(rawValue: 1)
private let eve = Identifier(rawValue: 2)
private let host = Identifier(rawValue: 3)

/// Rooms beside subjects.
@Suite struct ThreadTests {
  private static let thread = Identifier(rawValue: 100)
  private static let subject = "thread_" + thread.printed

  /// A thread of ada's in a forum of the host's.
  private func lounge(limits: ChatLimits = ChatLimits()) async throws -> Lounge {
    let lounge = try await Lounge.open(limits: limits)
    lounge.threads.add(Identifier(rawValue: 99), owner: host)
    lounge.threads.add(Self.thread, owner: ada, parent: Identifier(rawValue: 99))
    return lounge
  }

  @Test func `its author or its host opens the one room of a thread, and nobody else`() async throws {
    let lounge = try await lounge()
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await lounge.openRoom(.thread, as: eve, about: Self.subject)
    }
    let rooms = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<10 {
        for user in [ada, host] {
          group.addTask { try await lounge.openRoom(.thread, as: user, about: Self.subject).id }
        }
      }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    let room = try #require(rooms.first)
    #expect(rooms.count == 1)
    #expect(await badFields { try await lounge.openRoom(.thread, as: ada) } == ["subject_id"])
    for kind: ChatAPI.RoomKind in [.ride, .live] {
      #expect(await badFields { try await lounge.openRoom(kind, as: ada, about: Self.subject) } == ["kind"])
    }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await lounge.closeRoom(room, as: eve) }
    let opener = try #require(try await lounge.list(ada).rooms.first).openerID
    let closer = opener == ada.text(kind: "user") ? ada : host
    let guest = try await lounge.chat(room, as: eve)
    _ = try await guest.joined()
    #expect(try await lounge.closeRoom(room, as: closer).state == .closed)
    guard let closing = try await guest.next(), case .closed = closing.frame else { throw Unexpected() }
    #expect(try await guest.next() == nil)
    #expect(try await lounge.openRoom(.thread, as: ada, about: Self.subject).id != room)
    await lounge.close()
  }

  @Test func `invariant 7: the audit names a room that is open though what it is beside is gone`() async throws {
    let lounge = try await lounge()
    let room = try await lounge.openRoom(.thread, as: ada, about: Self.subject).id
    #expect(try await lounge.violations().isEmpty)
    lounge.threads.remove(Self.thread)
    #expect(try await lounge.violations().flatMap(\.violations) == [room])
    _ = try await lounge.closeRoom(room, as: ada)
    #expect(try await lounge.violations().isEmpty)
    await lounge.close()
  }

  @Test func `who sees the thread reads along, who may post becomes a member, and who sees it no more hears nothing`()
    async throws
  {
    let lounge = try await lounge()
    let room = try await lounge.openRoom(.thread, as: ada, about: Self.subject).id
    let (author, reader) = (try await lounge.chat(room, as: ada), try await lounge.chat(room, as: eve))
    _ = try await reader.joined()
    try await author.say("Welcome")
    #expect(try await reader.message().0.text == "Welcome")
    #expect(try await lounge.list(eve).rooms.isEmpty)
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.markRead(room, as: eve, 1) }
    for (posting, reason) in [(Posting.off, "POSTING_OFF"), (.refused, "PERMISSION_DENIED")] {
      lounge.threads.set(posting, on: Self.thread)
      #expect(try await reader.refusal(of: "Hello") == reason)
    }
    lounge.threads.set(.allowed, on: Self.thread)
    try await reader.say("Hello")
    #expect(try await lounge.list(eve).rooms.map(\.id) == [room])
    _ = try await author.message()

    let (hidden, told) = (try await lounge.chat(room, as: host), try await lounge.chat(room, as: eve))
    _ = (try await hidden.joined(), try await told.joined())
    lounge.threads.hide(Self.thread)
    #expect(try await author.refusal(of: "Psst") == "NOT_FOUND")
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.messages(room, as: eve) }
    #expect(try await lounge.list(eve).rooms.isEmpty)
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.chat(room, as: eve).next() }
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.markRead(room, as: eve, 1) }
    // What happens there by another way still does not reach those who may not see it.
    let id = try Identifier.parse(room, kind: "room")
    try await lounge.write { try lounge.rooms.setRules(RoomRules(slowMode: .seconds(5)), of: id, in: $0) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await hidden.next() }
    await expectRefusal(.notFound, "NOT_FOUND") { try await told.next() }
    await lounge.close()
  }

  @Test func `streams about what becomes hidden end at once, without anything else that happens`() async throws {
    let lounge = try await lounge()
    let room = try await lounge.openRoom(.thread, as: ada, about: Self.subject).id
    let guest = try await lounge.chat(room, as: eve)
    _ = try await guest.joined()
    let subject = SubjectID("thread", Self.thread)
    try await lounge.write { try lounge.kit.subjects.visibilityChanged(of: subject, in: $0) }
    try await lounge.chat(room, as: ada).say("Still here")
    #expect(try await guest.message().0.text == "Still here", "nothing was hidden")
    lounge.threads.hide(Self.thread)
    try await lounge.write { try lounge.kit.subjects.visibilityChanged(of: subject, in: $0) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await guest.next() }
    await lounge.close()
  }

  @Test func `they end also with what lies above, and with a block`() async throws {
    let lounge = try await lounge()
    let room = try await lounge.openRoom(.thread, as: ada, about: Self.subject).id
    let (blocked, reader) = (try await lounge.chat(room, as: eve), try await lounge.chat(room, as: host))
    _ = (try await blocked.joined(), try await reader.joined())
    lounge.quarrels.block(ada, eve)
    try await lounge.write { writer in
      for user in [ada, eve] { try lounge.kit.sights.changed(for: user, in: writer) }
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await blocked.next() }
    let forum = SubjectID("thread", Identifier(rawValue: 99))
    try await lounge.write { try lounge.kit.subjects.visibilityChanged(of: forum, in: $0) }
    try await lounge.chat(room, as: ada).say("Still here")
    #expect(try await reader.message().0.text == "Still here", "nothing was hidden")
    lounge.threads.hide(Identifier(rawValue: 99))
    try await lounge.write { try lounge.kit.subjects.visibilityChanged(of: forum, in: $0) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await reader.next() }
    await lounge.close()
  }

  @Test func `a room holds as many as its limit says, and beside a live stream more`() async throws {
    var limits = ChatLimits()
    (limits.members, limits.livePosters) = (2, 3)
    let lounge = try await lounge(limits: limits)
    #expect(ChatLimits().members == 500 && ChatLimits().livePosters == 1_000_000)
    let room = try await lounge.openRoom(.thread, as: ada, about: Self.subject).id
    let live = try await lounge.write {
      try lounge.rooms.open(RoomPlan(.live, about: Self.subject, members: [], owner: ada), in: $0)
    }
    var refused: [String: [Int64]] = [:]
    for user in Int64(10)...14 {
      for id in [room, live.text(kind: "room")] {
        let guest = try await lounge.chat(id, as: Identifier(rawValue: user))
        try await guest.post("Hello")
        if case .postRefused(let row) = try await guest.answer() {
          #expect(row.reason == "LIMIT_EXCEEDED")
          refused[id, default: []].append(user)
        }
      }
    }
    #expect(refused == [room: [11, 12, 13, 14], live.text(kind: "room"): [13, 14]])
    await #expect(throws: KitError.limitExceeded) {
      try await lounge.write {
        try lounge.rooms.open(RoomPlan(.ride, about: "ride_9", members: [ada, eve, host]), in: $0)
      }
    }
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }
}
