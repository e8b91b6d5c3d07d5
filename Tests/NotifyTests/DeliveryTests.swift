import Base
import DomainKit
import NotifyAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Notify

@Suite struct DeliveryTests {
  @Test func `invariant 9: each notice reaches each wanted way, by one file in the spool`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let device = try await world.registerPush(user)
    for number in 1...3 { try await world.tell(user, key: "\(number)") }
    try await world.timers.runDue()
    let notices = try await world.inbox(user).notices
    let letters = try world.letters()
    #expect(
      Set(letters.keys) == Set(notices.flatMap { ["\($0.id).mail.json", "\($0.id).push.\(device.id).json"] }))
    let mail = try #require(letters["\(notices[0].id).mail.json"])
    #expect(mail.address == "ada@example.org" && mail.title == "On its way" && mail.text == "We sent a book.")
    #expect(mail.unsubscribeToken != nil && mail.notice == notices[0].id && mail.object == user.text(kind: "order"))
    let push = try #require(letters["\(notices[0].id).push.\(device.id).json"])
    #expect(push.address == "https://push.example/\(user.rawValue)" && push.unsubscribeToken == nil)
    #expect(try await world.deliveries(of: user).allSatisfy { $0.state == .sent && $0.settleTime != nil })
    // The addresses are nowhere but in the spool.
    for report in try await world.notify.checkInvariants() { #expect(report.holds, "\(report)") }
    await world.close()
  }

  @Test func `a way on which the user cannot be reached is not wanted`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user([:])
    try await world.tell(user, NotifyWorld.alarm, key: "1")
    #expect(try await world.deliveries(of: user).isEmpty)
    await world.close()
  }

  @Test func `an address that goes before the letter does leaves nothing to send`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    try await world.tell(user, key: "1")
    world.people.erase(user)
    try await world.timers.runDue()
    #expect(try await world.deliveries(of: user).map { "\($0.state.rawValue) \($0.reason)" } == ["5 NO_ADDRESS"])
    #expect(try world.letters().isEmpty)
    await world.close()
  }

  @Test func `eight tries, each after twice the wait, and no more`() async throws {
    let outbound = ScriptedOutbound(Array(repeating: .retry("no answer"), count: 20))
    let world = try await NotifyWorld.open(outbound: outbound)
    let user = world.user()
    try await world.tell(user, key: "1")
    try await world.timers.runDue()
    let limits = NotifyLimits()
    var waits: [Duration] = []
    while let delivery = try await world.deliveries(of: user).first, let due = delivery.dueTime.flatMap({ Instant($0) })
    {
      #expect(delivery.state == .queued && delivery.reason == "no answer")
      waits.append(due - world.clock.now())
      try await world.advance(by: due - world.clock.now())
    }
    #expect(outbound.sent.count == Int(limits.tries) && waits.count == Int(limits.tries) - 1)
    for (index, wait) in waits.enumerated() {
      let plain = limits.firstWait * (1 << index)
      #expect(wait >= plain * 4 / 5 && wait <= plain * 6 / 5)
    }
    let failed = try #require(try await world.deliveries(of: user).first)
    #expect(failed.state == .failed && failed.tries == 8 && failed.reason == "no answer")
    #expect(Set(outbound.sent.map(\.key)).count == 1, "each try has the same key")
    #expect(Set(outbound.sent.map(\.unsubscribeToken)).count == 1)
    await world.close()
  }

  @Test func `what is refused is not tried again; a device that is gone is forgotten`() async throws {
    let outbound = ScriptedOutbound([.refused("no such mailbox")])
    let world = try await NotifyWorld.open(outbound: outbound)
    let user = world.user()
    try await world.tell(user, key: "1")
    try await world.timers.runDue()
    #expect(try await world.deliveries(of: user).map { "\($0.state.rawValue) \($0.reason)" } == ["4 no such mailbox"])

    let gone = ScriptedOutbound([.gone("410")])
    let other = try await NotifyWorld.open(outbound: gone)
    let owner = other.user([:])
    try await other.registerPush(owner)
    try await other.registerPush(owner, "https://push.example/second")
    try await other.tell(owner, key: "1")
    try await other.timers.runDue()
    #expect(gone.sent.count == 2)
    #expect(try await other.deliveries(of: owner).map(\.state) == [.sent], "one of the devices has it")
    #expect(try await other.settings(of: owner).devices.count == 1)
    await world.close()
    await other.close()
  }

  @Test func `what was switched off before it went does not go`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    try await world.tell(user, key: "1")
    try await world.choose(user, NotifyWorld.order, [])
    try await world.timers.runDue()
    #expect(try await world.deliveries(of: user).map(\.reason) == ["SWITCHED_OFF"])
    try await world.tell(user, key: "2")
    #expect(try await world.deliveries(of: user).count == 1)
    // What a kind does not go by unless it is wanted.
    try await world.choose(user, NotifyWorld.quiet, [.sms])
    try await world.tell(user, NotifyWorld.quiet, key: "3")
    try await world.timers.runDue()
    #expect(try world.letters().values.map(\.address) == ["+358401234567"])
    await world.close()
  }

  @Test func `of one day's mails to a user the fifty-first does not go, but for what is urgent`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user([.email: "ada@example.org"])
    let most = Int(NotifyLimits().mailsPerDay)
    for number in 0...most { try await world.tell(user, key: "\(number)") }
    try await world.tell(user, NotifyWorld.alarm, key: "alarm")
    try await world.timers.runDue()
    #expect(try world.letters().count == most + 1)
    #expect(
      try await world.deliveries(of: user).filter { $0.reason == "MAIL_LIMIT" }.map(\.number) == [Int64(most) + 1])
    try await world.advance(by: .seconds(86_400))
    try await world.tell(user, key: "tomorrow")
    try await world.timers.runDue()
    #expect(try world.letters().count == most + 2)
    await world.close()
  }

  @Test func `a worker that died after sending sends the same letter again, into the same file`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    try await world.tell(user, key: "1")
    try await world.timers.runDue()
    let before = try world.letters()
    // As if the process had died between the file and the commit.
    _ = try await world.database.write { [timers = world.timers, now = world.clock.now()] writer in
      try writer.execute("UPDATE notify_deliveries SET state = 1, settled_at = NULL")
      try timers.set("notify.mail", key: "\(user.rawValue)/1", due: now, in: writer)
    }
    try await world.timers.runDue()
    #expect(try world.letters() == before)
    #expect(try await world.deliveries(of: user).map(\.state) == [.sent])
    await world.close()
  }

  @Test func `lists deliveries of one user or in one state, page by page`() async throws {
    let world = try await NotifyWorld.open()
    let staff = world.staff()
    let users = [world.user(), world.user()]
    for user in users {
      for number in 1...3 { try await world.tell(user, key: "\(number)") }
    }
    try await world.timers.runDue()
    var request = ListDeliveriesRequest()
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await staff.listDeliveries(request) }
    request.state = .sent
    request.pageSize = 4
    let first = try await staff.listDeliveries(request)
    request.pageToken = first.nextPageToken
    let second = try await staff.listDeliveries(request)
    #expect(first.deliveries.count == 4 && second.deliveries.count == 2 && second.nextPageToken.isEmpty)
    #expect(Set((first.deliveries + second.deliveries).map(\.noticeID)).count == 6)
    request.pageToken = ""
    request.userID = users[0].text(kind: "user")
    #expect(try await staff.listDeliveries(request).deliveries.map(\.number) == [3, 2, 1])
    request.state = .failed
    #expect(try await staff.listDeliveries(request).deliveries.isEmpty)
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await world.client(users[0]).listDeliveries(request)
    }
    await world.close()
  }
}
