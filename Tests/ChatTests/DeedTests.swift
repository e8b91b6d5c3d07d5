import Base
import ChatAPI
import DomainKit
import Foundation
import Storage
import Testing

@testable import Chat

private let owner = Identifier(rawValue: 1)
private let viewer = Identifier(rawValue: 2)
private let second = Identifier(rawValue: 3)

/// Hearts and polls beside a live stream, as people send them.
@Suite struct DeedTests {
  private static let live = Identifier(rawValue: 100)

  private func lounge(limits: ChatLimits = ChatLimits()) async throws -> (Lounge, room: Identifier, text: String) {
    let lounge = try await Lounge.open(limits: limits)
    lounge.threads.add(Self.live, owner: owner)
    let room = try await lounge.write {
      try lounge.rooms.open(
        RoomPlan(.live, about: "thread_" + Self.live.printed, members: [], owner: owner), in: $0)
    }
    return (lounge, room, room.text(kind: "room"))
  }

  /// Invariant 3 of video, of hearts and votes: a counter is what its rows say, and a repeat counts nothing.
  @Test func `invariant 3: hearts are counted once, told to all, and never more than one frame a second`() async throws
  {
    var limits = ChatLimits()
    limits.heartInterval = .seconds(2)
    let (lounge, room, text) = try await lounge(limits: limits)
    let (host, guest) = (try await lounge.chat(text, as: owner), try await lounge.chat(text, as: viewer))
    #expect(try await host.joined().0.heartTotal == 0)
    let first = UUID().uuidString
    #expect(try await guest.hearts(50, requestID: first) == "0")
    #expect(try await host.heartTotal() == 50)
    #expect(try await guest.hearts(1) == "SLOW_MODE")
    lounge.clock.advance(by: .seconds(2))
    #expect(try await guest.hearts(50, requestID: first) == "0", "a repeat")
    #expect(try await guest.hearts(7) == "0")
    #expect(try await host.heartTotal() == 57)
    #expect(try await host.hearts(1) == "0")
    #expect(try await lounge.chat(text, as: second).joined().0.heartTotal == 58)
    // They make no message.
    #expect(try await guest.say("Hello") == 1)

    try await lounge.write { try lounge.rooms.ban(viewer, from: room, until: nil, in: $0) }
    lounge.clock.advance(by: .seconds(2))
    #expect(try await guest.hearts(1) == "BANNED")
    #expect(try await lounge.violations() == [])
    try await lounge.write { _ = try $0.execute("UPDATE chat_rooms SET hearts = hearts + 1 WHERE id = $1", room) }
    #expect(try await lounge.violations().map(\.number) == [8])
    await lounge.close()
  }

  @Test func `a poll is a message that is answered until it is over, by everybody once`() async throws {
    let (lounge, _, text) = try await lounge()
    var guests: [Guest] = []
    for user in [owner, viewer, second] { guests.append(try await lounge.chat(text, as: user)) }
    #expect(try await guests[1].startPoll("Which?", ["Tea", "Coffee"]) == "PERMISSION_DENIED")
    #expect(try await guests[0].startPoll(" ", ["Tea", "Coffee"]) == "TEXT_REFUSED")
    #expect(try await guests[0].startPoll("Which?", ["Tea", "   "]) == "TEXT_REFUSED")
    #expect(try await guests[0].startPoll("Which?", ["Tea", "Coffee"], lasting: .seconds(0)) == "INVALID_REQUEST")
    #expect(try await guests[0].startPoll("Which?", ["Tea", "Coffee"], lasting: .seconds(60)) == "1")
    let asked = try await guests[1].message().0
    #expect(asked.kind == .poll && asked.text == "Which?" && asked.poll?.closeTime != nil)
    #expect(asked.poll?.options.map(\.text) == ["Tea", "Coffee"])

    #expect(try await guests[1].vote(0, in: 1) == "1")
    #expect(try await guests[2].vote(0, in: 1) == "1")
    #expect(try await guests[0].counts { $0.votes == [2, 0] }.number == 1)
    // A later answer takes the place of the one before.
    let moved = UUID().uuidString
    for _ in 0..<2 { #expect(try await guests[2].vote(1, in: 1, requestID: moved) == "1") }
    #expect(try await guests[0].counts { $0.votes == [1, 1] }.closeTime == asked.poll?.closeTime)
    #expect(try await guests[2].vote(2, in: 1) == "INVALID_REQUEST")
    for number: Int64 in [2, .max] { #expect(try await guests[2].vote(0, in: number) == "NOT_FOUND") }
    #expect(try await guests[0].closePoll(.max) == "NOT_FOUND")
    let joined = try await lounge.chat(text, as: second).joined().0
    #expect(joined.messages.first?.poll?.options.map(\.voteCount) == [1, 1])

    lounge.clock.advance(by: .seconds(60))
    #expect(try await guests[2].vote(0, in: 1) == "POLL_CLOSED")
    #expect(try await lounge.messages(text, as: viewer).messages[0].poll?.options.map(\.voteCount) == [1, 1])
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `who looks after the room ends a poll; of a deleted one nothing is read or answered`() async throws {
    let (lounge, room, text) = try await lounge()
    let (host, guest) = (try await lounge.chat(text, as: owner), try await lounge.chat(text, as: viewer))
    #expect(try await host.startPoll("Now?", ["Yes", "No"]) == "1")
    #expect(try await guest.closePoll(1) == "PERMISSION_DENIED")
    #expect(try await guest.vote(1, in: 1) == "1")
    for _ in 0..<2 { #expect(try await host.closePoll(1) == "1") }
    #expect(try await guest.counts { $0.closeTime != nil }.votes == [0, 1])
    #expect(try await guest.vote(0, in: 1) == "POLL_CLOSED")

    #expect(try await host.startPoll("Who is a secret?", ["The cook", "Me"]) == "2")
    let message = try await lounge.messages(text, as: owner).messages[0]
    let id = try Identifier.parse(message.id, kind: "msg")
    try await lounge.write { try lounge.rooms.deleteMessage(id, from: room, in: $0) }
    #expect(try await guest.vote(0, in: 2) == "NOT_FOUND")
    #expect(try await lounge.messages(text, as: viewer).messages[0].poll == nil)
    let kept = try await lounge.database.read { reader in
      try reader.rows("SELECT text FROM chat_poll_options WHERE number = 2") { $0[0] as String }
    }
    #expect(kept == ["", ""])
    await lounge.close()
  }

  @Test func `what an erased account has given stays counted, and is nobody's`() async throws {
    let (lounge, _, text) = try await lounge()
    let (host, guest) = (try await lounge.chat(text, as: owner), try await lounge.chat(text, as: viewer))
    #expect(try await host.startPoll("Now?", ["Yes", "No"]) == "1")
    #expect(try await guest.vote(1, in: 1) == "1")
    #expect(try await guest.hearts(3) == "0")
    let records = try #require(lounge.domain.personalRecords)
    let exported = Locked<[String]>([])
    try await lounge.database.read { reader in
      try records.export(viewer, in: reader) { kind, json in exported.withLock { $0.append(kind + " " + json) } }
    }
    #expect(
      exported.withLock { $0 } == [
        #"ExportedHearts {"roomId":"\#(text)","count":"3"}"#,
        #"ExportedVote {"roomId":"\#(text)","number":"1","option":1}"#,
      ])
    while try await lounge.write({ try records.erase(viewer, in: $0) }) {}
    for table in ["chat_votes", "chat_hearts"] {
      let named = try await lounge.database.read { reader in
        try reader.first("SELECT COUNT(*) FROM \(table) WHERE user_id = $1", viewer) { $0[0] as Int64 }
      }
      #expect(named == 0, "\(table)")
    }
    let joined = try await lounge.chat(text, as: owner).joined().0
    #expect(joined.heartTotal == 3 && joined.messages[0].poll?.options.map(\.voteCount) == [0, 1])
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `the longest poll is what the limits say, and rides have neither hearts nor polls`() async throws {
    var limits = ChatLimits()
    limits.longestPoll = .seconds(60)
    let (lounge, _, text) = try await lounge(limits: limits)
    let host = try await lounge.chat(text, as: owner)
    #expect(try await host.startPoll("Now?", ["Yes", "No"], lasting: .seconds(61)) == "INVALID_REQUEST")
    #expect(try await host.startPoll("Now?", ["Yes", "No"], lasting: .seconds(60)) == "1")
    let ride = try await lounge.write {
      try lounge.rooms.open(RoomPlan(.ride, about: "ride_1", members: [owner, viewer]), in: $0)
    }
    let driver = try await lounge.enter(ride, as: owner)
    #expect(try await driver.hearts(1) == "PERMISSION_DENIED")
    await lounge.close()
  }
}
