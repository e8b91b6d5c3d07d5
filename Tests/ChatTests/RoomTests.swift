import Base
import ChatAPI
import DomainKit
import RPC
import Refusals
import Storage
import Streaming
import Testing

@testable import Chat

private let ada = Identifier(rawValue: 1)
private let eve = Identifier(rawValue: 2)
private let bob = Identifier(rawValue: 3)

/// What holds in all rooms: numbers, reading, notices, upkeep, people's data.
@Suite struct RoomTests {
  private func room(_ lounge: Lounge, _ members: [Identifier] = [ada, eve]) async throws -> String {
    try await lounge.write { try lounge.rooms.open(RoomPlan(.ride, about: "ride_1", members: members), in: $0) }
      .text(kind: "room")
  }

  @Test(arguments: [1, 2])
  func `a hundred post while one joins: the numbers are dense, for all, on one node and on two`(nodes: Int) async throws
  {
    let lounge = try await Lounge.open(nodes: nodes)
    let people = (1...100).map { Identifier(rawValue: $0) }
    let room = try await room(lounge, people)
    let joiner = Locked<[Int64]>([])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for person in people {
        group.addTask {
          let guest = try await lounge.chat(room, as: person, node: Int(person.rawValue) % nodes)
          _ = try await guest.joined()
          try await guest.say("I am \(person.rawValue)")
          guest.finish()
          while try await guest.next() != nil {}
        }
      }
      group.addTask {
        let guest = try await lounge.chat(room, as: people[0], node: nodes - 1)
        var numbers = try await guest.joined().0.messages.map(\.number)
        while numbers.last ?? 0 < 100 { numbers.append(try await guest.message().0.number) }
        joiner.withLock { $0 = numbers }
      }
      try await group.waitForAll()
    }
    let numbers = joiner.withLock { $0 }
    #expect(numbers == Array((numbers.first ?? 0)...100))
    let all = try await lounge.messages(room, as: people[1], size: 500)
    #expect(all.messages.map(\.number) == Array((1...100).reversed()))
    #expect(Set(all.messages.map(\.text)).count == 100)
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `rooms and messages are listed page by page, and tokens are good for their own list`() async throws {
    let lounge = try await Lounge.open()
    var rooms: [String] = []
    for number in 1...3 {
      rooms.append(
        try await lounge.write {
          try lounge.rooms.open(RoomPlan(.ride, about: "ride_\(number)", members: [ada]), in: $0)
        }.text(kind: "room"))
    }
    rooms.append(try await lounge.openRoom(.support, as: ada).id)
    let first = try await lounge.list(ada, size: 3)
    let second = try await lounge.list(ada, size: 3, token: first.nextPageToken)
    #expect((first.rooms + second.rooms).map(\.id) == rooms.reversed())
    #expect(second.nextPageToken.isEmpty)
    #expect(try await lounge.list(ada, kind: .support).rooms.map(\.id) == [rooms[3]])
    let guest = try await lounge.chat(rooms[0], as: ada)
    for number in 1...3 { try await guest.say("message \(number)") }
    let newest = try await lounge.messages(rooms[0], as: ada, size: 2)
    let oldest = try await lounge.messages(rooms[0], as: ada, size: 2, token: newest.nextPageToken)
    #expect((newest.messages + oldest.messages).map(\.number) == [3, 2, 1])
    for token in [newest.nextPageToken, first.nextPageToken] {
      await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
        try await lounge.messages(rooms[1], as: ada, token: token)
      }
    }
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await lounge.closeRoom(rooms[0], as: ada) }
    await lounge.close()
  }

  @Test func `what is unread is counted up to the number that was read`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let guest = try await lounge.chat(room, as: ada)
    for number in 1...5 { try await guest.say("message \(number)") }
    func seen() async throws -> [Int64] {
      let room = try #require(try await lounge.list(eve).rooms.first)
      return [room.lastNumber, room.readThrough, room.unreadCount]
    }
    #expect(try await seen() == [5, 0, 5])
    #expect(try await lounge.markRead(room, as: eve, 3).unreadCount == 2)
    #expect(try await lounge.markRead(room, as: eve, 2).readThrough == 3)
    #expect(try await seen() == [5, 3, 2])
    #expect(try await lounge.markRead(room, as: eve, .max).readThrough == 5)
    #expect(try await seen() == [5, 5, 0])
    #expect(try await lounge.list(ada).rooms.map(\.unreadCount) == [0], "the author's own are read")
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `members who are not on a stream get one notice until they have read`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge, [ada, eve, bob])
    let author = try await lounge.chat(room, as: ada)
    let present = try await lounge.chat(room, as: eve)
    _ = try await present.joined()
    try await author.say("one")
    try await author.say("two")
    #expect(try await lounge.noticeCount(bob) == 1)
    #expect(try await lounge.noticeCount(eve) == 0, "on a stream")
    #expect(try await lounge.noticeCount(ada) == 0)
    _ = try await lounge.markRead(room, as: bob, 2)
    try await author.say("three")
    #expect(try await lounge.noticeCount(bob) == 2)
    // Who has left the stream is told.
    present.finish()
    while try await present.next() != nil {}
    try await author.say("four")
    #expect(try await lounge.noticeCount(eve) == 1)
    await lounge.close()
  }

  @Test func `a stream whose node has died counts as left after a while, and its row goes`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let id = try Identifier.parse(room, kind: "room")
    let presence = Presence(lounge.rooms, room: id, user: eve)
    try await presence.begin()
    let author = try await lounge.chat(room, as: ada)
    _ = try await author.joined()
    lounge.clock.advance(by: ChatLimits().presence - .seconds(1))
    try await author.say("one")
    #expect(try await lounge.noticeCount(eve) == 0)
    lounge.clock.advance(by: .seconds(1))
    try await author.say("two")
    #expect(try await lounge.noticeCount(eve) == 1)
    var limits = ChatLimits()
    limits.sweptAtOnce = 1
    let sweep = LostStreams(
      rooms: ChatRooms(
        kit: lounge.kit, people: lounge.doors, notices: lounge.rooms.notices, scorer: WordScorer(), limits: limits))
    while try await sweep.step(lounge.database) {}
    let rows: [Identifier] = try await lounge.database.read { reader in
      try reader.rows("SELECT user_id FROM chat_streams WHERE user_id = $1", eve) { $0[0] }
    }
    #expect(rows.isEmpty)
    await lounge.close()
  }

  @Test func `an insult is refused, a doubtful text shown and looked at`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let guest = try await lounge.chat(room, as: ada)
    #expect(try await guest.refusal(of: "You are an іdi0t") == "TEXT_REFUSED")
    try await guest.say("That was stupid")
    let message = try #require(try await lounge.messages(room, as: eve).messages.first)
    #expect(message.text == "That was stupid")
    #expect(lounge.reviews.subjects.map(\.text).contains(message.id))
    let before = lounge.reviews.subjects.count
    try await guest.say("You are not an idiot")
    #expect(lounge.reviews.subjects.count == before)
    await lounge.close()
  }

  @Test func `nobody need look at what was deleted, or went with the account of whoever said it`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    for guest in [try await lounge.chat(room, as: ada), try await lounge.chat(room, as: eve)] {
      for _ in 0..<2 { try await guest.say("That was stupid") }
    }
    let said = try await lounge.messages(room, as: eve).messages
    let all = Set(said.compactMap { SubjectID(parsing: $0.id) })
    #expect(all.count == 4 && lounge.reviews.subjects.isSuperset(of: all))
    let deleted = try #require(said.first { $0.authorID == eve.text(kind: "user") })
    let (id, message) = (try Identifier.parse(room, kind: "room"), try Identifier.parse(deleted.id, kind: "msg"))
    try await lounge.write { try lounge.rooms.deleteMessage(message, from: id, in: $0) }
    let records = ChatRecords(rooms: lounge.rooms)
    while try await lounge.write({ try records.erase(ada, in: $0) }) {}
    let left = said.filter { $0.authorID == deleted.authorID && $0.id != deleted.id }
    #expect(lounge.reviews.subjects.intersection(all).map(\.text) == left.map(\.id))
    await lounge.close()
  }

  @Test func `whom moderators have forbidden to post reads on`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    lounge.quarrels.restrict(eve, until: lounge.clock.now() + .seconds(60))
    let guest = try await lounge.chat(room, as: eve)
    _ = try await guest.joined()
    #expect(try await guest.refusal(of: "Hello") == "RESTRICTED")
    try await lounge.chat(room, as: ada).say("Hello yourself")
    #expect(try await guest.message().0.text == "Hello yourself")
    lounge.clock.advance(by: .seconds(60))
    #expect(try await guest.say("Hello") == 2)
    await lounge.close()
  }

  @Test func `the same request_id in another room is another request`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let support = try await lounge.openRoom(.support, as: ada).id
    let id = "00000000-0000-4000-8000-000000000001"
    let guest = try await lounge.chat(room, as: ada)
    try await guest.post("Hello", requestID: id)
    _ = try await guest.answer()
    let elsewhere = try await lounge.chat(support, as: ada)
    try await elsewhere.post("Hello", requestID: id)
    #expect(try await elsewhere.refusal() == "REQUEST_ID_REUSED")
    await lounge.close()
  }

  @Test func `messages and rooms are subjects for those who may read them`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    try await lounge.chat(room, as: ada).say("Hello")
    let message = try #require(try await lounge.messages(room, as: eve).messages.first)
    func isVisible(_ text: String, to user: Identifier) async throws -> Bool {
      let subject = try #require(SubjectID(parsing: text))
      return try await lounge.database.read {
        try lounge.kit.subjects.isVisible(subject, to: Caller(user: user, session: user), in: $0)
      }
    }
    for text in [room, message.id] {
      #expect(try await isVisible(text, to: eve))
      #expect(try await !isVisible(text, to: bob))
    }
    let (roomID, messageID) = (
      try Identifier.parse(room, kind: "room"), try Identifier.parse(message.id, kind: "msg")
    )
    // Moderators remove a message, and take that back.
    func decide(_ measure: ModerationMeasure) async throws -> [String] {
      let kind = try #require(lounge.kit.subjects[SubjectID("msg", messageID)])
      for _ in 0..<2 { #expect(try await lounge.write { try kind.moderate(messageID, measure, in: $0) }) }
      return try await lounge.messages(room, as: eve).messages.map(\.text)
    }
    let guest = try await lounge.chat(room, as: eve)
    _ = try await guest.joined()
    #expect(try await decide(.remove) == [""])
    #expect(try await guest.deletion().messageID == message.id)
    #expect(try await !isVisible(message.id, to: eve))
    // Invariant 11: the audit names what was removed and is not any more, or never was, by anybody's decision.
    #expect(try await lounge.violations().flatMap(\.violations) == [message.id])
    lounge.quarrels.decide(.remove, on: SubjectID("msg", messageID))
    #expect(try await lounge.violations().isEmpty)
    lounge.quarrels.decide(.restore, on: SubjectID("msg", messageID))
    #expect(try await lounge.violations().map(\.number) == [11])
    #expect(try await decide(.restore) == ["Hello"])
    #expect(try await lounge.violations().isEmpty)
    #expect(try await isVisible(message.id, to: eve))
    try await lounge.write { try lounge.rooms.deleteMessage(messageID, from: roomID, in: $0) }
    #expect(try await !isVisible(message.id, to: eve))
    #expect(try await decide(.restore) == [""])
    await lounge.close()
  }

  @Test func `what somebody said is exported and erased, and the numbers stay dense`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let support = try await lounge.openRoom(.support, as: ada).id
    let (guest, other) = (try await lounge.chat(room, as: ada), try await lounge.chat(room, as: eve))
    let (_, token) = try await other.joined()
    for number in 1...3 { try await guest.say("secret \(number)") }
    try await other.say("mine")
    try await lounge.chat(support, as: ada).say("secret 4")
    let records = try #require(lounge.domain.personalRecords)
    let exported = Locked<[String]>([])
    try await lounge.database.read { reader in
      try records.export(ada, in: reader) { kind, json in exported.withLock { $0.append(kind + " " + json) } }
    }
    let lines = exported.withLock { $0 }
    #expect(lines.count { $0.hasPrefix("Room ") } == 2 && lines.count { $0.hasPrefix("ExportedPost ") } == 4)
    for number in 1...4 { #expect(lines.contains { $0.contains("secret \(number)") }) }
    #expect(!lines.contains { $0.contains("mine") })

    while try await lounge.write({ try records.erase(ada, in: $0) }) {}
    #expect(try await other.deletion().number == 1)
    let left = try await lounge.messages(room, as: eve).messages
    #expect(left.map(\.text) == ["mine", "", "", ""])
    #expect(left.map(\.authorName) == ["User 2", "", "", ""])
    #expect(left.map(\.deleted) == [false, true, true, true])
    // Not even those who come back for it get it.
    await expectRefusal(.outOfRange, "RESUME_TOKEN_TOO_OLD") {
      try await lounge.chat(room, as: eve, resumeToken: token).next()
    }
    for table in ["chat_members", "chat_streams", "chat_bans", "chat_banned_devices"] {
      let rows: [Identifier] = try await lounge.database.read { reader in
        try reader.rows("SELECT room_id FROM \(table) WHERE user_id = $1", ada) { $0[0] }
      }
      #expect(rows.isEmpty, "\(table)")
    }
    let payloads: [[UInt8]] = try await lounge.database.read { reader in
      try reader.rows("SELECT payload FROM octet_topic_events") { $0[0] }
    }
    #expect(!payloads.contains { String(decoding: $0, as: UTF8.self).contains("secret") })
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `a gap in the numbers is found`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let guest = try await lounge.chat(room, as: ada)
    for number in 1...3 { try await guest.say("message \(number)") }
    #expect(try await lounge.violations() == [])
    try await lounge.write { writer in
      try writer.execute("DELETE FROM chat_messages WHERE number = 2")
      try writer.execute("UPDATE chat_members SET read_through = 9 WHERE user_id = $1", eve)
      try writer.execute("DELETE FROM chat_members WHERE user_id = $1", ada)
    }
    #expect(try await lounge.violations().map(\.violations) == [[room], [room], [room]])
    await lounge.close()
  }
}
