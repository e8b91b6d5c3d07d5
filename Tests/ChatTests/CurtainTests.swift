import Base
import ChatAPI
import DomainKit
import FilesInMemory
import RPC
import Refusals
import Storage
import Testing

@testable import Chat

private let ada = Identifier(rawValue: 1)
private let bob = Identifier(rawValue: 2)
private let eve = Identifier(rawValue: 3)

/// Blocks and mutes in rooms, what domains say there, and what goes with messages.
@Suite struct CurtainTests {
  /// A room beside a thread of Ada's.
  private func thread(_ lounge: Lounge) async throws -> (room: String, subject: SubjectID) {
    let thread = lounge.kit.identifiers.next()
    lounge.threads.add(thread, owner: ada)
    let subject = SubjectID("thread", thread)
    return (try await lounge.openRoom(.thread, as: ada, about: subject.text).id, subject)
  }

  /// Invariant 7 of video: blocking hides both ways from its commit on.
  @Test func `invariant 7: what is between two by a block or a mute is hidden from streams, joins and lists`()
    async throws
  {
    let lounge = try await Lounge.open()
    let (room, _) = try await thread(lounge)
    let (first, second) = (try await lounge.chat(room, as: bob), try await lounge.chat(room, as: eve))
    _ = (try await first.joined(), try await second.joined())
    try await first.say("one")
    #expect(try await second.message().0.text == "one")
    lounge.quarrels.block(eve, bob)
    try await first.say("two")
    try await second.post("three")
    // Numbers stay dense; of who and what nothing is told.
    let unseen = try await second.message().0
    #expect(unseen.hidden && unseen.number == 2 && unseen.text.isEmpty)
    #expect(unseen.authorID.isEmpty && unseen.authorName.isEmpty && unseen.kind == .unspecified)
    let own = try await second.message().0
    #expect(!own.hidden && own.text == "three")
    try await first.say("four")
    #expect(try await lounge.chat(room, as: bob).joined().0.messages.map(\.text) == ["one", "two", "", "four"])
    #expect(try await lounge.messages(room, as: eve).messages.map(\.hidden) == [true, false, true, true])
    #expect(try await lounge.messages(room, as: ada).messages.map(\.text) == ["four", "three", "two", "one"])

    lounge.quarrels.reconcile()
    #expect(try await lounge.messages(room, as: eve).messages.map(\.text) == ["four", "three", "two", "one"])
    // A mute hides one way; staff sees all.
    lounge.quarrels.mute(ada, bob)
    #expect(try await lounge.messages(room, as: ada).messages.map(\.text) == ["", "three", "", ""])
    #expect(try await lounge.messages(room, as: bob).messages.map(\.hidden) == [false, false, false, false])
    lounge.doors.give("moderator", to: ada)
    #expect(try await lounge.messages(room, as: ada).messages.map(\.text) == ["four", "three", "two", "one"])
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `nobody is told of what a block hides, and two sides of a ride hear each other in any case`() async throws
  {
    let lounge = try await Lounge.open()
    let (room, _) = try await thread(lounge)
    // Both become members by what they say.
    func say(_ text: String, as user: Identifier) async throws {
      let guest = try await lounge.chat(room, as: user)
      try await guest.say(text)
      guest.finish()
      while try await guest.next() != nil {}
    }
    for user in [bob, eve] { try await say("here", as: user) }
    lounge.quarrels.block(eve, bob)
    let before = try await lounge.noticeCount(eve)
    _ = try await lounge.markRead(room, as: eve, 2)
    try await say("psst", as: bob)
    #expect(try await lounge.noticeCount(eve) == before)
    lounge.quarrels.reconcile()
    try await say("hello", as: bob)
    #expect(try await lounge.noticeCount(eve) == before + 1)

    let (rooms, members) = (lounge.rooms, [bob, eve])
    let ride = try await lounge.write { try rooms.open(RoomPlan(.ride, about: "ride_1", members: members), in: $0) }
    let (first, second) = (try await lounge.enter(ride, as: bob), try await lounge.enter(ride, as: eve))
    _ = try await second.joined()
    try await first.say("I am at the door")
    #expect(try await second.message().0.text == "I am at the door")
    await lounge.close()
  }

  @Test func `a domain's message is seen with the commit that it tells of, or not at all`() async throws {
    let lounge = try await Lounge.open()
    let (room, subject) = try await thread(lounge)
    let id = try Identifier.parse(room, kind: "room")
    let (rooms, gift) = (lounge.rooms, SubjectID("gift", lounge.kit.identifiers.next()))
    let guest = try await lounge.chat(room, as: eve)
    _ = try await guest.joined()
    struct Broke: Error {}
    await #expect(throws: Broke.self) {
      try await lounge.write { writer in
        _ = try rooms.post(RoomMessage(.gift, by: bob, about: gift), in: id, writer)
        throw Broke()
      }
    }
    let message = try await lounge.write { writer in
      _ = try rooms.post(RoomMessage(.system, text: "It begins"), in: id, writer)
      return try rooms.post(RoomMessage(.gift, by: bob, text: "a rose", about: gift), in: id, writer)
    }
    let (system, given) = (try await guest.message().0, try await guest.message().0)
    #expect(system.kind == .system && system.authorID.isEmpty && system.text == "It begins" && system.number == 1)
    #expect(given.kind == .gift && given.authorID == bob.text(kind: "user") && given.aboutID == gift.text)
    #expect(given.id == message.text(kind: "msg") && given.authorName == "User 2")
    #expect(try await lounge.messages(room, as: eve).messages == [given, system])
    try await guest.post("oh")
    #expect(try await guest.message().0.kind == .text)
    let long = String(repeating: "x", count: ChatLimits().textLength + 1)
    await #expect(throws: ChatError.self) {
      try await lounge.write { _ = try rooms.post(RoomMessage(.system, text: long), in: id, $0) }
    }

    // What people judge, they can read; what is about a thing that is gone is closed with it.
    let subjects = lounge.kit.subjects
    let said = try await lounge.database.read { reader in
      let target = SubjectID("msg", message)
      return try subjects[target]?.words(of: message, in: reader)
    }
    #expect(said == "a rose")
    try await lounge.write { try subjects.gone(subject, in: $0) }
    await #expect(throws: KitError.wrongState("ROOM_STATE_CLOSED")) {
      try await lounge.write { _ = try rooms.post(RoomMessage(.system), in: id, $0) }
    }
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `files go with a message, are parts of it, and leave with it`() async throws {
    let lounge = try await Lounge.open()
    let (room, _) = try await thread(lounge)
    let guest = try await lounge.chat(room, as: bob)
    _ = try await guest.joined()
    #expect(try await guest.refusal(of: " ") == "TEXT_REFUSED")
    try await guest.post("", files: [lounge.files.upload(of: eve)])
    #expect(try await guest.refusal() == "NOT_FOUND")
    let uploads = (0..<2).map { _ in lounge.files.upload(of: bob) }
    try await guest.post("", files: uploads)
    let message = try await guest.message().0
    #expect(message.number == 1 && message.text.isEmpty)
    let blobs = try uploads.map { try Identifier.parse($0, kind: "upl") }
    #expect(message.blobIds == blobs.map { $0.text(kind: "blob") })
    #expect(try await lounge.messages(room, as: eve).messages == [message])
    #expect(lounge.files.parts.map(\.subject.text) == [message.id, message.id])
    #expect(Set(lounge.files.parts.map { "\($0.blob) \($0.slot)" }) == Set(zip(blobs, 0...).map { "\($0) file\($1)" }))

    // A message as a thing: seen by those who read here, but not across a block.
    let (subjects, id) = (lounge.kit.subjects, try Identifier.parse(message.id, kind: "msg"))
    func sees(_ user: Identifier) async throws -> Bool {
      try await lounge.database.read { reader in
        try subjects.isVisible(SubjectID("msg", id), to: Caller(user: user, session: user), in: reader)
      }
    }
    #expect(try await sees(eve))
    lounge.quarrels.block(bob, eve)
    #expect(try await !sees(eve))
    #expect(try await sees(ada))

    let (rooms, roomID) = (lounge.rooms, try Identifier.parse(room, kind: "room"))
    try await lounge.write { try rooms.deleteMessage(id, from: roomID, in: $0) }
    #expect(lounge.files.parts.isEmpty)
    #expect(try await lounge.messages(room, as: ada).messages.map(\.blobIds) == [[]])
    #expect(try await !sees(ada))
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `a message that is nothing but files, of somebody without a name, is erased with them`() async throws {
    let lounge = try await Lounge.open()
    let (room, _) = try await thread(lounge)
    let guest = try await lounge.chat(room, as: bob)
    _ = try await guest.joined()
    try await guest.post("", files: [lounge.files.upload(of: bob)])
    _ = try await guest.message()
    try await lounge.write { _ = try $0.execute("UPDATE chat_messages SET author_name = ''") }
    let records = try #require(lounge.domain.personalRecords)
    while try await lounge.write({ try records.erase(bob, in: $0) }) {}
    #expect(lounge.files.parts.isEmpty)
    #expect(try await lounge.messages(room, as: ada).messages.map(\.deleted) == [true])
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test(arguments: [1, 2, 128]) func `what a room is about is gone: its messages have no files any more`(
    atOnce: Int
  ) async throws {
    var limits = ChatLimits()
    limits.sweptAtOnce = atOnce
    let lounge = try await Lounge.open(limits: limits)
    let (room, subject) = try await thread(lounge)
    let guest = try await lounge.chat(room, as: bob)
    _ = try await guest.joined()
    for _ in 0..<2 {
      try await guest.post("look", files: [lounge.files.upload(of: bob)])
      _ = try await guest.message()
      try await guest.post("nice")
      _ = try await guest.message()
    }
    #expect(lounge.files.parts.count == 2)
    let subjects = lounge.kit.subjects
    try await lounge.write { try subjects.gone(subject, in: $0) }
    try await lounge.timers.runDue()
    #expect(lounge.files.parts.isEmpty)
    let rows: [String] = try await lounge.database.read {
      try $0.rows("SELECT text || blobs FROM chat_messages ORDER BY number") { $0[0] }
    }
    #expect(rows == ["look", "nice", "look", "nice"])
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `a thing that is gone takes the files of rooms that were closed before, too`() async throws {
    let lounge = try await Lounge.open()
    let (first, subject) = try await thread(lounge)
    var room = first
    for number in 1...3 {
      let guest = try await lounge.chat(room, as: bob)
      _ = try await guest.joined()
      try await guest.post("look", files: [lounge.files.upload(of: bob)])
      _ = try await guest.message()
      if number == 3 { break }
      let (rooms, id) = (lounge.rooms, try Identifier.parse(room, kind: "room"))
      try await lounge.write { try rooms.close(id, in: $0) }
      room = try await lounge.openRoom(.thread, as: ada, about: subject.text).id
    }
    #expect(lounge.files.parts.count == 3)
    let subjects = lounge.kit.subjects
    try await lounge.write { try subjects.gone(subject, in: $0) }
    for _ in 0..<3 { try await lounge.timers.runDue() }
    #expect(lounge.files.parts.isEmpty)
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `limits: files of a message`() {
    let rules = ChatLimits().files
    #expect(rules.kinds == [.file, .image, .video, .audio] && rules.longest == 25 << 20)
  }
}
