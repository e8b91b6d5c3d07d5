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

private let ada = Identifier(rawValue: 1)
private let eve = Identifier(rawValue: 2)
private let support = Identifier(rawValue: 3)

@Suite struct ConversationTests {
  private func room(_ lounge: Lounge, slowMode: Duration? = nil) async throws -> Identifier {
    let plan = RoomPlan(.ride, about: "ride_1", members: [ada, eve], rules: RoomRules(slowMode: slowMode))
    return try await lounge.write { try lounge.rooms.open(plan, in: $0) }
  }

  @Test func `what one says, the other hears`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let first = try await lounge.enter(room, as: ada)
    let second = try await lounge.enter(room, as: eve)
    #expect(try await first.joined().0.messages.isEmpty)
    #expect(try await second.joined().0.nextNumber == 1)
    try await first.post("Where are you?")
    let (message, _) = try await second.message()
    #expect(message.text == "Where are you?" && message.number == 1)
    #expect(message.authorName == "User 1" && message.authorID == ada.text(kind: "user"))
    // The author hears it too, as one of all.
    #expect(try await first.message().0 == message)
    await lounge.close()
  }

  /// Invariant 8 of video.
  @Test func `invariant 8: numbers are dense while many post, and a joiner gets tail and live without gap or repeat`()
    async throws
  {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let poster = try await lounge.enter(room, as: ada)
    async let posting: Void = {
      for number in 1...100 { try await poster.post("message \(number)") }
    }()
    while try await poster.message().0.number < 60 {}
    let joiner = try await lounge.enter(room, as: eve)
    let (joined, _) = try await joiner.joined()
    try await posting
    #expect(joined.messages.count == ChatLimits().tail)
    var numbers = joined.messages.map(\.number)
    while numbers.last ?? 0 < 100 { numbers.append(try await joiner.message().0.number) }
    #expect(numbers == Array((numbers.first ?? 0)...100))
    await lounge.close()
  }

  @Test func `a client that comes back with its token misses nothing and repeats nothing`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let first = try await lounge.enter(room, as: ada)
    let reader = try await lounge.enter(room, as: eve)
    _ = try await reader.joined()
    for number in 1...3 { try await first.post("message \(number)") }
    let (_, token) = try await reader.message()
    reader.cancel()
    for number in 4...5 { try await first.post("message \(number)") }
    while try await first.message().0.number < 5 {}
    let again = try await lounge.enter(room, as: eve, resumeToken: token)
    #expect(try await again.joined().0.messages.isEmpty)
    var numbers: [Int64] = []
    while numbers.count < 4 { numbers.append(try await again.message().0.number) }
    #expect(numbers == [2, 3, 4, 5])
    await lounge.close()
  }

  @Test func `refuses a resume token of another room and one that is too old`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let other = try await lounge.write {
      try lounge.rooms.open(RoomPlan(.ride, about: "ride_2", members: [ada]), in: $0)
    }
    let poster = try await lounge.enter(room, as: ada)
    let token = try await poster.joined().token
    for number in 1...3 {
      try await poster.post("message \(number)")
      _ = try await poster.answer()
    }
    await expectRefusal(.invalidArgument, "BAD_RESUME_TOKEN") {
      try await lounge.enter(other, as: ada, resumeToken: token).next()
    }
    try await lounge.write { _ = try lounge.kit.hub.compact(Topic("room", room), through: 2, in: $0) }
    await expectRefusal(.outOfRange, "RESUME_TOKEN_TOO_OLD") {
      try await lounge.enter(room, as: ada, resumeToken: token).next()
    }
    await lounge.close()
  }

  @Test(arguments: ["a method of another domain", "ChatService.Chat"])
  func `a reader that falls too far behind is ended, and goes on from its last token without a gap`(
    by method: String
  ) async throws {
    var (topicLimits, limits) = (TopicLimits(), ChatLimits())
    // More than the windows between the two ends hold, so that the writer waits and the queue overflows.
    let (count, length): (Int64, Int) = (40, 60_000)
    (topicLimits.queuedEvents, limits.textLength) = (4, length)
    let lounge = try await Lounge.open(limits: limits, topicLimits: topicLimits)
    let room = try await room(lounge)
    func enter(_ resumeToken: String = "") async throws -> Guest {
      if method == "ChatService.Chat" {
        try await lounge.chat(room.text(kind: "room"), as: ada, resumeToken: resumeToken)
      } else {
        try await lounge.enter(room, as: ada, resumeToken: resumeToken)
      }
    }
    let slow = try await enter()
    var token = try await slow.joined().token
    for number in 1...count {
      let message = RoomMessage(.system, text: "\(number)".padding(toLength: length, withPad: "x", startingAt: 0))
      _ = try await lounge.write { try lounge.rooms.post(message, in: room, $0) }
    }
    var numbers: [Int64] = []
    await expectRefusal(.resourceExhausted, "SLOW_READER") {
      while true {
        let (message, next) = try await slow.message()
        numbers.append(message.number)
        token = next
      }
    }
    #expect(numbers.count < count)
    let back = try await enter(token)
    _ = try await back.joined()
    while numbers.last != count { numbers.append(try await back.message().0.number) }
    #expect(numbers == Array(1...count))
    await lounge.close()
  }

  @Test func `into a room that has closed meanwhile nobody says anything, nor gives hearts`() async throws {
    let lounge = try await Lounge.open()
    lounge.threads.add(Identifier(rawValue: 9), owner: eve)
    let about = "thread_" + Identifier(rawValue: 9).printed
    let plan = RoomPlan(.live, about: about, members: [], owner: eve)
    let room = try await lounge.write { try lounge.rooms.open(plan, in: $0) }
    let guest = try await lounge.chat(room.text(kind: "room"), as: ada)
    _ = try await guest.joined()
    // The stream has not heard of it.
    let now = lounge.clock.now()
    _ = try await lounge.write { try $0.execute("UPDATE chat_rooms SET closed_at = $1", now) }
    try await guest.post("Hello")
    guard case .postRefused(let post) = try await guest.answer() else { throw Unexpected() }
    #expect(try await [post.reason, guest.hearts(1)] == ["ROOM_CLOSED", "ROOM_CLOSED"])
    await lounge.close()
  }

  @Test func `slow mode, texts and repeats are answered by rows, and the stream goes on`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge, slowMode: .seconds(1))
    let guest = try await lounge.enter(room, as: ada)
    let id = UUID().uuidString
    try await guest.post("first", requestID: id)
    guard case .postAccepted(let accepted) = try await guest.answer() else { throw Unexpected() }
    #expect(accepted.requestID == id && accepted.number == 1)
    try await guest.post("too soon")
    #expect(try await guest.refusal() == "SLOW_MODE")
    // A repeat is answered as before and posts nothing.
    try await guest.post("first", requestID: id)
    #expect(try await guest.answer() == .postAccepted(accepted))
    try await guest.post("another text", requestID: id)
    #expect(try await guest.refusal() == "REQUEST_ID_REUSED")
    lounge.clock.advance(by: .seconds(1))
    #expect(ChatLimits().textLength == 2000)
    for text in [String(repeating: "ä", count: 2001), " \n\u{3000}"] {
      try await guest.post(text)
      #expect(try await guest.refusal() == "TEXT_REFUSED")
    }
    try await guest.post(String(repeating: "ä", count: 2000))
    guard case .postAccepted(let last) = try await guest.answer() else { throw Unexpected() }
    #expect(last.number == 2)
    await lounge.close()
  }

  @Test func `a room that closes ends its streams in order`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let guest = try await lounge.enter(room, as: ada)
    let token = try await guest.joined().token
    try await lounge.write { try lounge.rooms.close(room, in: $0) }
    guard let closing = try await guest.next(), case .closed = closing.frame else { throw Unexpected() }
    #expect(try await guest.next() == nil)
    // Whoever comes back later learns it, too, with and without what they missed.
    for resumeToken in [token, closing.resumeToken, ""] {
      let late = try await lounge.enter(room, as: ada, resumeToken: resumeToken)
      _ = try await late.joined()
      guard let frame = try await late.next(), case .closed = frame.frame else { throw Unexpected() }
      #expect(try await late.next() == nil)
    }
    await lounge.close()
  }

  @Test func `strangers do not enter, and whoever is no member any more hears nothing more`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.enter(room, as: support).next() }
    let guest = try await lounge.enter(room, as: eve)
    let other = try await lounge.enter(room, as: ada)
    _ = try await guest.joined()
    try await lounge.write { try lounge.rooms.setMembers(room, to: [ada, support], in: $0) }
    try await other.post("She is gone")
    await expectRefusal(.notFound, "NOT_FOUND") { try await guest.next() }
    #expect(try await lounge.enter(room, as: support).joined().0.roomID == room.text(kind: "room"))
    await lounge.close()
  }

  @Test func `a visitor whose right was judged elsewhere hears and speaks, and is no member by it`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let guest = try await lounge.enter(room, as: support, asVisitor: true)
    try await guest.post("May I help?")
    #expect(try await guest.message().0.number == 1)
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.enter(room, as: support).next() }
    await lounge.close()
  }

  @Test func `an ended session neither hears nor speaks`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let guest = try await lounge.enter(room, as: eve)
    let other = try await lounge.enter(room, as: ada)
    _ = try await guest.joined()
    lounge.doors.end(eve)
    try await guest.post("Hello?")
    #expect(try await guest.refusal() == "SESSION_ENDED")
    try await other.post("Who is there?")
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await guest.next() }
    await lounge.close()
  }

  @Test func `the first frame is join, and the only one`() async throws {
    let lounge = try await Lounge.open()
    let room = try await room(lounge)
    let guest = try await lounge.enter(room, as: ada)
    _ = try await guest.joined()
    try await guest.send(.join(Join()))
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await guest.next() }
    await lounge.close()
  }

  @Test func `a client that half-closes has left`() async throws {
    let lounge = try await Lounge.open()
    let guest = try await lounge.enter(try await room(lounge), as: ada)
    _ = try await guest.joined()
    guest.finish()
    #expect(try await guest.next() == nil)
    await lounge.close()
  }

  @Test func `a subject has one open room, and a new one after it has closed`() async throws {
    let lounge = try await Lounge.open()
    let first = try await room(lounge)
    #expect(try await room(lounge) == first)
    try await lounge.write { try lounge.rooms.close(first, in: $0) }
    let state = try await lounge.database.read { try lounge.rooms.room(.ride, about: "ride_1", in: $0) }
    #expect(state == DomainKit.RoomState(id: first, isClosed: true))
    #expect(try await room(lounge) != first)
    await lounge.close()
  }

  @Test func `the error table is as documented`() {
    #expect(
      ChatError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" } == [
        "SLOW_MODE RESOURCE_EXHAUSTED", "TEXT_REFUSED FAILED_PRECONDITION", "BANNED PERMISSION_DENIED",
        "POSTING_OFF FAILED_PRECONDITION", "LEASE_LOST ABORTED", "ROOM_CLOSED FAILED_PRECONDITION",
        "POLL_CLOSED FAILED_PRECONDITION",
      ])
  }
}
