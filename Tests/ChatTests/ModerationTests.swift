import Base
import ChatAPI
import DomainKit
import RPC
import Refusals
import Storage
import Streaming
import Testing
import WellKnownTypes

@testable import Chat

private let owner = Identifier(rawValue: 1)
private let viewer = Identifier(rawValue: 2)
private let second = Identifier(rawValue: 3)
private let bystander = Identifier(rawValue: 4)

/// What those who look after a room do in it, as the services of live streams will.
@Suite struct ModerationTests {
  private static let live = Identifier(rawValue: 100)

  private func lounge(
    rules: RoomRules? = RoomRules(), limits: ChatLimits = ChatLimits()
  ) async throws -> (Lounge, room: Identifier, text: String) {
    let lounge = try await Lounge.open(limits: limits)
    lounge.threads.add(Self.live, owner: owner)
    let plan = RoomPlan(.live, about: "thread_" + Self.live.printed, members: [], owner: owner, rules: rules)
    let room = try await lounge.write { try lounge.rooms.open(plan, in: $0) }
    return (lounge, room, room.text(kind: "room"))
  }

  @Test func `a ban covers the account and whoever else is on its devices, until it ends`() async throws {
    let (lounge, room, text) = try await lounge()
    for user in [viewer, second] { lounge.doors.put(user, on: [7, 7, 7]) }
    lounge.doors.put(bystander, on: [8])
    let guests = try await [viewer, second, bystander].asyncMap { try await lounge.chat(text, as: $0) }
    for guest in guests { try await guest.say("Hello") }
    try await lounge.write {
      try lounge.rooms.ban(viewer, from: room, until: lounge.clock.now() + .seconds(60), in: $0)
    }
    try await guests[0].post("Me?")
    guard case .postRefused(let row) = try await guests[0].answer() else { throw Unexpected() }
    #expect(row.reason == "BANNED" && row.retryAfter?.seconds == 60)
    #expect(try await guests[1].refusal(of: "Me too?") == "BANNED")
    #expect(try await guests[2].say("Not me") == 4)
    #expect(try await guests[0].message().0.text == "Not me", "the banned still read")
    lounge.clock.advance(by: .seconds(60))
    #expect(try await guests[0].say("Again") == 5)

    try await lounge.write { try lounge.rooms.ban(second, from: room, until: nil, in: $0) }
    try await guests[0].post("And now?")
    guard case .postRefused(let forEver) = try await guests[0].answer() else { throw Unexpected() }
    #expect(forEver.reason == "BANNED" && forEver.retryAfter == nil)
    for _ in 0..<2 { try await lounge.write { try lounge.rooms.unban(second, from: room, in: $0) } }
    #expect(try await guests[0].say("Thanks") == 6)
    await #expect(throws: KitError.selfTarget(field: "user_id")) {
      try await lounge.write { try lounge.rooms.ban(owner, from: room, until: nil, in: $0) }
    }
    await lounge.close()
  }

  @Test func `nobody is banned whose erasure has begun, as nothing of it may be kept`() async throws {
    let (lounge, room, _) = try await lounge()
    lounge.doors.put(viewer, on: [7])
    lounge.doors.leave(viewer)
    await #expect(throws: KitError.notFound(IDKind.user)) {
      try await lounge.write { try lounge.rooms.ban(viewer, from: room, until: nil, in: $0) }
    }
    #expect(try await lounge.database.read { try !$0.exists("SELECT 1 FROM chat_bans") })
    #expect(try await lounge.database.read { try !$0.exists("SELECT 1 FROM chat_banned_devices") })
    await lounge.close()
  }

  @Test func `a device on which somebody banned tries to post is barred with the account, and is free with it`()
    async throws
  {
    let (lounge, room, text) = try await lounge()
    lounge.doors.put(viewer, on: [7])
    lounge.doors.put(second, on: [8])
    let (guest, other) = (try await lounge.chat(text, as: viewer), try await lounge.chat(text, as: second))
    try await lounge.write { try lounge.rooms.ban(viewer, from: room, until: nil, in: $0) }
    // What is refused for its device alone makes no other device a banned one's.
    lounge.doors.put(second, on: [7])
    #expect(try await other.refusal(of: "Me?") == "BANNED")
    lounge.doors.put(second, on: [8])
    #expect(try await other.say("Hello") == 1)
    lounge.doors.put(viewer, on: [8])
    #expect(try await guest.refusal(of: "And here?") == "BANNED")
    // That bars the device, and of further tries nothing is written.
    let written = lounge.statements(with: "INTO chat_banned_devices")
    for _ in 0..<5 { #expect(try await guest.refusal(of: "And here?") == "BANNED") }
    #expect(written > 0 && lounge.statements(with: "INTO chat_banned_devices") == written)
    #expect(try await other.refusal(of: "Me too?") == "BANNED")
    try await lounge.write { try lounge.rooms.unban(viewer, from: room, in: $0) }
    #expect(try await other.say("Thanks") == 2)
    await lounge.close()
  }

  @Test func `one person posts once a second beside a live stream, unless its room has rules of its own`() async throws
  {
    #expect(ChatLimits().liveSlowMode == .seconds(1))
    var limits = ChatLimits()
    for (slowMode, isSlow) in [(Duration.seconds(1), true), (.zero, false)] {
      limits.liveSlowMode = slowMode
      let (lounge, room, text) = try await lounge(rules: nil, limits: limits)
      let guest = try await lounge.chat(text, as: viewer)
      try await guest.say("Hi")
      if isSlow {
        #expect(try await guest.refusal(of: "Hi again") == "SLOW_MODE")
        lounge.clock.advance(by: .seconds(1))
        try await guest.say("Hi again")
        try await lounge.write { try lounge.rooms.setRules(RoomRules(), of: room, in: $0) }
      }
      try await guest.say("Fast")
      try await guest.say("Faster")
      await lounge.close()
    }
  }

  @Test func `what could not be judged is said, and looked at`() async throws {
    let lounge = try await Lounge.open(scorer: BrokenScorer())
    lounge.threads.add(Self.live, owner: owner)
    let plan = RoomPlan(.thread, about: "thread_" + Self.live.printed, members: [], owner: owner)
    let text = try await lounge.write { try lounge.rooms.open(plan, in: $0) }.text(kind: "room")
    let guest = try await lounge.chat(text, as: viewer)
    try await guest.say("Hello")
    let said = try #require(try await lounge.messages(text, as: owner).messages.first)
    #expect(said.text == "Hello" && lounge.reviews.subjects.contains { $0.text == said.id })
    await lounge.close()
  }

  @Test func `slow mode is changed on open screens, and those who look after the room need not wait`() async throws {
    let (lounge, room, text) = try await lounge(rules: RoomRules(slowMode: .seconds(1)))
    let (host, guest) = (try await lounge.chat(text, as: owner), try await lounge.chat(text, as: viewer))
    #expect(try await guest.joined().0.status?.slowMode?.seconds == 1)
    try await host.say("Hello")
    try await host.say("Welcome")
    try await guest.say("Hi")
    #expect(try await guest.refusal(of: "Hi again") == "SLOW_MODE")
    try await lounge.write { writer in
      try lounge.rooms.setRules(RoomRules(slowMode: .seconds(30)), of: room, in: writer)
      try lounge.rooms.setRules(RoomRules(slowMode: .seconds(30)), of: room, in: writer)
    }
    #expect(try await guest.status().slowMode?.seconds == 30)
    lounge.clock.advance(by: .seconds(1))
    #expect(try await guest.refusal(of: "Hi again") == "SLOW_MODE")
    for isModerator in [true, false] {
      try await lounge.write { try lounge.rooms.setModerator(viewer, isModerator, of: room, in: $0) }
      let found = try await lounge.database.read { try lounge.rooms.isModerator(viewer, of: room, in: $0) }
      #expect(found == isModerator)
      try await guest.post("May I?")
      guard case .postAccepted = try await guest.answer() else {
        #expect(!isModerator)
        continue
      }
      #expect(isModerator)
    }
    // Somebody who has not posted yet.
    try await lounge.write { try lounge.rooms.setModerator(second, true, of: room, in: $0) }
    let moderators = try await lounge.database.read { reader in
      try [owner, viewer, second, bystander].filter { try lounge.rooms.isModerator($0, of: room, in: reader) }
    }
    #expect(moderators == [owner, second])
    try await lounge.write { try lounge.rooms.setRules(RoomRules(), of: room, in: $0) }
    #expect(try await guest.status().slowMode == nil)
    try await guest.say("Fast")
    try await guest.say("Faster")
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `a message that is deleted goes from open screens, from lists and from what is replayed`() async throws {
    let (lounge, room, text) = try await lounge()
    let (host, guest) = (try await lounge.chat(text, as: owner), try await lounge.chat(text, as: viewer))
    let (_, before) = try await guest.joined()
    _ = try await host.joined()
    try await host.say("Hello")
    let (_, afterFirst) = try await guest.message()
    try await guest.say("Buy my things")
    let all = try await lounge.messages(text, as: owner).messages
    let target = try #require(all.first { $0.text == "Buy my things" })
    let id = try Identifier.parse(target.id, kind: "msg")
    for _ in 0..<2 { try await lounge.write { try lounge.rooms.deleteMessage(id, from: room, in: $0) } }
    let deletion = try await host.deletion()
    #expect(deletion.messageID == target.id && deletion.number == 2)
    try await host.say("Sorry for that")
    #expect(try await lounge.messages(text, as: viewer).messages.map(\.text) == ["Sorry for that", "", "Hello"])
    let late = try await lounge.chat(text, as: second)
    #expect(try await late.joined().0.messages.map(\.deleted) == [false, true, false])
    for token in [before, afterFirst] {
      await expectRefusal(.outOfRange, "RESUME_TOKEN_TOO_OLD") {
        try await lounge.chat(text, as: second, resumeToken: token).next()
      }
    }
    // Not of this room, or not there.
    let other = try await lounge.openRoom(.support, as: viewer).id
    for (message, place) in [(id, try Identifier.parse(other, kind: "room")), (Identifier(rawValue: 5), room)] {
      await #expect(throws: KitError.notFound("message")) {
        try await lounge.write { try lounge.rooms.deleteMessage(message, from: place, in: $0) }
      }
    }
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }
}

extension Sequence {
  /// One after the other.
  fileprivate func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}

/// Judges nothing.
private struct BrokenScorer: ToxicityScorer {
  func score(_ text: String, language: String) async throws -> ToxicityScore { throw Unexpected() }
}
