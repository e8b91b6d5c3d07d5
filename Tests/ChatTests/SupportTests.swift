import Base
import ChatAPI
import DomainKit
import Foundation
import RPC
import Refusals
import Storage
import Testing

@testable import Chat

private let ada = Identifier(rawValue: 1)
private let eve = Identifier(rawValue: 2)
private let agent = Identifier(rawValue: 3)
private let other = Identifier(rawValue: 4)

/// Rooms of one user and the staff.
@Suite struct SupportTests {
  private func lounge(limits: ChatLimits = ChatLimits()) async throws -> Lounge {
    let lounge = try await Lounge.open(limits: limits)
    for staff in [agent, other] { lounge.doors.give("support", to: staff) }
    return lounge
  }

  @Test func `a user opens a room, staff take it, answer and close it, and the user's next words open it again`()
    async throws
  {
    let lounge = try await lounge()
    let opened = try await lounge.openRoom(.support, as: ada)
    #expect(opened.state == .open && opened.subjectID.isEmpty && opened.openerID == ada.text(kind: "user"))
    let user = try await lounge.chat(opened.id, as: ada)
    #expect(try await user.joined().0.status?.state == .open)
    try await user.say("My parcel is lost")
    #expect(try await lounge.list(agent, waiting: true).rooms.map(\.id) == [opened.id])

    let staff = try await lounge.chat(opened.id, as: agent)
    #expect(try await staff.joined().0.messages.map(\.text) == ["My parcel is lost"])
    #expect(try await staff.refusal(of: "Hello") == "LEASE_LOST", "not taken yet")
    let taken = try await lounge.takeRoom(opened.id, as: agent)
    #expect(taken.state == .taken && taken.takerID == agent.text(kind: "user"))
    #expect(try await user.status().state == .taken)
    #expect(try await lounge.list(agent, waiting: true).rooms.isEmpty)
    #expect(try await staff.say("We look for it") == 2)
    #expect(try await user.message().0.text == "We look for it")

    #expect(try await lounge.closeRoom(opened.id, as: agent).state == .closed)
    #expect(try await user.status().state == .closed)
    #expect(try await staff.refusal(of: "Bye") == "LEASE_LOST")
    #expect(try await user.say("Thank you") == 3)
    let again = try #require(try await lounge.list(ada).rooms.first)
    #expect(again.id == opened.id && again.state == .open && again.closeTime == nil && again.takerID.isEmpty)
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `staff hold a room by a lease: nobody else gets it, words prolong it, and its end is an end`() async throws
  {
    var limits = ChatLimits()
    limits.take = .seconds(60)
    let lounge = try await lounge(limits: limits)
    let room = try await lounge.openRoom(.support, as: ada).id
    _ = try await lounge.takeRoom(room, as: agent)
    let staff = try await lounge.chat(room, as: agent)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await lounge.takeRoom(room, as: other) }
    lounge.clock.advance(by: .seconds(50))
    try await staff.say("One moment")
    lounge.clock.advance(by: .seconds(50))
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await lounge.takeRoom(room, as: other) }
    lounge.clock.advance(by: .seconds(10))
    // Its time is over, though nobody has noticed.
    #expect(try await staff.refusal(of: "Here it is") == "LEASE_LOST")
    #expect(try await lounge.list(ada).rooms.map(\.state) == [.open])
    #expect(try await lounge.list(other, waiting: true).rooms.map(\.id) == [room])
    #expect(try await lounge.takeRoom(room, as: other).takerID == other.text(kind: "user"))
    #expect(try await staff.refusal(of: "Too late") == "LEASE_LOST")
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await lounge.takeRoom(room, as: agent) }
    #expect(try await lounge.list(agent).rooms.isEmpty, "whoever lost it is in it no more")
    #expect(try await lounge.list(other).rooms.map(\.id) == [room])
    await lounge.close()
  }

  @Test func `of many staff who take a room at once one has it`() async throws {
    let lounge = try await lounge()
    let room = try await lounge.openRoom(.support, as: ada).id
    let staff = (10..<30).map { Identifier(rawValue: $0) }
    for one in staff { lounge.doors.give("support", to: one) }
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for one in staff { group.addTask { await refusal { try await lounge.takeRoom(room, as: one) } } }
      return await group.reduce(into: [Refusal?]()) { $0.append($1) }
    }
    #expect(outcomes.count { $0 == nil } == 1)
    #expect(outcomes.compactMap { $0 } == Array(repeating: Refusal(.failedPrecondition, "WRONG_STATE"), count: 19))
    #expect(try await lounge.violations() == [])
    await lounge.close()
  }

  @Test func `nobody but its user and support knows of a room`() async throws {
    let lounge = try await lounge()
    let room = try await lounge.openRoom(.support, as: ada).id
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.chat(room, as: eve).next() }
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.messages(room, as: eve) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.closeRoom(room, as: eve) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.markRead(room, as: eve, 1) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await lounge.takeRoom(room, as: ada) }
    let plan = RoomPlan(.ride, about: "ride_1", members: [ada])
    let ride = try await lounge.write { try lounge.rooms.open(plan, in: $0) }.text(kind: "room")
    await expectRefusal(.notFound, "NOT_FOUND") { try await lounge.takeRoom(ride, as: agent) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await lounge.list(ada, waiting: true) }
    // A role that was taken ends what it allowed, also on open streams.
    let staff = try await lounge.chat(room, as: agent)
    _ = try await staff.joined()
    _ = try await lounge.takeRoom(room, as: agent)
    _ = try await staff.status()
    lounge.doors.take("support", from: agent)
    try await staff.post("May I?")
    #expect(try await staff.refusal() == "PERMISSION_DENIED")
    try await lounge.chat(room, as: ada).say("Anybody there?")
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await staff.next() }
    await lounge.close()
  }

  @Test func `a user has one room for each subject, however often and however many at once it is opened`() async throws
  {
    var limits = ChatLimits()
    limits.supportRooms = 3
    let lounge = try await lounge(limits: limits)
    let (first, second, third) = (Identifier(rawValue: 100), Identifier(rawValue: 101), Identifier(rawValue: 102))
    for thread in [first, second, third] { lounge.threads.add(thread, owner: eve) }
    let rooms = try await withThrowingTaskGroup(of: Room.self) { group in
      for _ in 0..<10 {
        group.addTask { try await lounge.openRoom(.support, as: ada) }
        group.addTask { try await lounge.openRoom(.support, as: ada, about: "thread_" + first.printed) }
      }
      return try await group.reduce(into: [Room]()) { $0.append($1) }
    }
    #expect(Set(rooms.map(\.id)).count == 2)
    #expect(Set(rooms.map(\.subjectID)) == ["", "thread_" + first.printed])
    // Another user's is another room.
    let others = try await lounge.openRoom(.support, as: eve, about: "thread_" + first.printed)
    #expect(!rooms.map(\.id).contains(others.id))
    _ = try await lounge.openRoom(.support, as: ada, about: "thread_" + second.printed)
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") {
      try await lounge.openRoom(.support, as: ada, about: "thread_" + third.printed)
    }
    lounge.threads.hide(third)
    await expectRefusal(.notFound, "NOT_FOUND") {
      try await lounge.openRoom(.support, as: eve, about: "thread_" + third.printed)
    }
    await expectRefusal(.invalidArgument, "WRONG_ID_KIND") {
      try await lounge.openRoom(.support, as: eve, about: "ride_" + third.printed)
    }
    // Opening a closed one opens it again.
    let room = try #require(rooms.first).id
    #expect(try await lounge.closeRoom(room, as: ada).state == .closed)
    #expect(try await lounge.closeRoom(room, as: ada).state == .closed)
    #expect(
      try await lounge.openRoom(.support, as: ada, about: rooms[0].subjectID).state == .open)
    await lounge.close()
  }

  @Test func `seven days of silence close a room`() async throws {
    let lounge = try await lounge()
    let first = try await lounge.openRoom(.support, as: ada).id
    _ = try await lounge.openRoom(.support, as: eve)
    let user = try await lounge.chat(first, as: ada)
    _ = try await user.joined()
    func sweep() async throws {
      for sweep in lounge.domain.sweeps { while try await sweep.step(lounge.database) {} }
    }
    lounge.clock.advance(by: ChatLimits().supportSilence - .seconds(1))
    try await user.say("Still there?")
    lounge.clock.advance(by: .seconds(1))
    try await sweep()
    #expect(try await lounge.list(ada).rooms.map(\.state) == [.open])
    #expect(try await lounge.list(eve).rooms.map(\.state) == [.closed])
    lounge.clock.advance(by: ChatLimits().supportSilence)
    try await sweep()
    #expect(try await user.status().state == .closed)
    #expect(try await lounge.list(agent, waiting: true).rooms.isEmpty)
    await lounge.close()
  }
}

extension Identifier {
  /// Its text without a kind.
  var printed: String { String(text(kind: "x").dropFirst(2)) }
}
