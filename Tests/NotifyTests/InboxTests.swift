import Base
import DomainKit
import NotifyAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Notify

@Suite struct InboxTests {
  @Test func `a notice is in the inbox with its words, and unread until it is read`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    try await world.tell(user, key: "1", "a book")
    try await world.tell(user, key: "2", "two books")
    var inbox = try await world.inbox(user)
    #expect(inbox.notices.map(\.number) == [2, 1])
    #expect(inbox.notices.map(\.title) == ["On its way", "On its way"])
    #expect(inbox.notices.map(\.text) == ["We sent two books.", "We sent a book."])
    #expect(inbox.notices.allSatisfy { $0.unread && $0.objectID == user.text(kind: "order") })
    #expect(inbox.unreadCount == 2)

    let read = try await world.markRead(user, 1)
    #expect(read.readThrough == 1 && read.unreadCount == 1)
    inbox = try await world.inbox(user)
    #expect(inbox.notices.map(\.unread) == [true, false])
    // A smaller number changes nothing, and one beyond the newest is the newest.
    #expect(try await world.markRead(user, 99).readThrough == 2)
    #expect(try await world.markRead(user, 1).readThrough == 2)
    #expect(try await world.inbox(user).unreadCount == 0)
    #expect(try await world.inbox(world.user()).notices.isEmpty)
    await world.close()
  }

  @Test func `lists page by page, and refuses a token of another user`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    for number in 1...5 { try await world.tell(user, key: "\(number)") }
    var numbers: [Int64] = []
    var page = try await world.inbox(user, pageSize: 2)
    let stolen = page.nextPageToken
    while true {
      numbers += page.notices.map(\.number)
      if page.nextPageToken.isEmpty { break }
      page = try await world.inbox(user, pageSize: 2, pageToken: page.nextPageToken)
    }
    #expect(numbers == [5, 4, 3, 2, 1])
    await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
      try await world.inbox(world.user(), pageSize: 2, pageToken: stolen)
    }
    await world.close()
  }

  @Test func `invariant 8: numbers are dense and keys are taken once, however many write at once`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    try await withThrowingTaskGroup(of: Void.self) { group in
      // Each key is told by two.
      for number in 0..<60 { group.addTask { try await world.tell(user, key: "\(number / 2)") } }
      try await group.waitForAll()
    }
    let inbox = try await world.inbox(user)
    #expect(inbox.notices.map(\.number) == (1...30).reversed())
    #expect(inbox.unreadCount == 30)
    let reports = try await world.notify.checkInvariants()
    #expect(reports.map(\.number) == [8, 8, 9, 6, 9])
    for report in reports.dropLast() { #expect(report.holds && report.rowsChecked > 0, "\(report)") }
    await world.close()
  }

  @Test func `a notice of a transaction that fails was never there`() async throws {
    struct Failure: Error {}
    let world = try await NotifyWorld.open()
    let user = world.user()
    let notices = world.notify.notices
    await #expect(throws: Failure.self) {
      try await world.database.write { writer in
        try notices.notify(user, DomainKit.Notice(NotifyWorld.quiet, key: "1", about: nil), in: writer)
        throw Failure()
      }
    }
    try await world.tell(user, NotifyWorld.quiet, key: "1")
    #expect(try await world.inbox(user).notices.map(\.number) == [1])
    await world.close()
  }

  @Test func `watches: a snapshot, then every notice and reading; resumed, none is missed or repeated`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    try await world.tell(user, key: "1")
    let first = world.client(user).watchInbox(WatchInboxRequest())
    let opening = try #require(try await first.responses.next())
    guard case .snapshot(let snapshot) = opening.event else { throw Unexpected() }
    #expect(snapshot.notices.map(\.number) == [1] && snapshot.unreadCount == 1 && snapshot.lastNumber == 1)
    try await world.tell(user, key: "2")
    let second = try #require(try await first.responses.next())
    guard case .notice(let notice) = second.event else { throw Unexpected() }
    #expect(notice.number == 2 && notice.unread)
    first.cancel()

    try await world.tell(user, key: "3")
    _ = try await world.markRead(user, 3)
    var request = WatchInboxRequest()
    request.resumeToken = second.resumeToken
    let again = world.client(user).watchInbox(request)
    guard case .notice(let third) = try await again.responses.next()?.event,
      case .readThrough(let through) = try await again.responses.next()?.event
    else { throw Unexpected() }
    #expect(third.number == 3 && through == 3)
    again.cancel()
    await expectRefusal(.invalidArgument, "BAD_RESUME_TOKEN") {
      try await world.client(world.user()).watchInbox(request).responses.next()
    }
    await world.close()
  }

  @Test func `words come in the user's language, or in English`() async throws {
    let world = try await NotifyWorld.open()
    for (language, title) in [("de-AT", "Unterwegs"), ("fi", "On its way"), ("en-GB", "On its way")] {
      let user = world.user()
      world.people.teach(user, language)
      try await world.tell(user, key: "1")
      #expect(try await world.inbox(user).notices.first?.title == title)
    }
    await world.close()
  }

  @Test func `notices age out with their deliveries, and count as read then`() async throws {
    var limits = NotifyLimits()
    limits.retention = .seconds(1000)
    limits.sweptAtOnce = 2
    let world = try await NotifyWorld.open(limits: limits)
    let user = world.user()
    for number in 1...5 { try await world.tell(user, key: "\(number)") }
    try await world.advance(by: .seconds(999))
    try await world.tell(user, key: "6")
    try await world.sweep()
    #expect(try await world.inbox(user).notices.count == 6)
    try await world.advance(by: .seconds(1))
    try await world.sweep()
    let inbox = try await world.inbox(user)
    #expect(inbox.notices.map(\.number) == [6] && inbox.unreadCount == 1)
    #expect(try await world.deliveries(of: user).map(\.number) == [6])
    for report in try await world.notify.checkInvariants() { #expect(report.holds, "\(report)") }
    // The key went with its notice.
    try await world.tell(user, key: "1")
    #expect(try await world.inbox(user).notices.map(\.number) == [7, 6])
    await world.close()
  }

  @Test func `the audit names who breaks an invariant`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    for number in 1...3 { try await world.tell(user, key: "\(number)") }
    _ = try await world.database.write { writer in
      try writer.execute("DELETE FROM notify_inbox WHERE number = 2")
      try writer.execute("DELETE FROM octet_timers WHERE kind = 'notify.mail'")
    }
    let broken = try await world.notify.checkInvariants().filter { !$0.holds }
    #expect(broken.map(\.number) == [8, 9])
    #expect(Set(broken.flatMap(\.violations)) == [user.text(kind: "user")])
    await world.close()
  }

  @Test func `what is kept of a user is exported, and erased without a trace`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let other = world.user()
    try await world.registerPush(user)
    try await world.tell(user, key: "1", "a secret book")
    try await world.tell(other, key: "1")
    let records = try #require(world.notify.personalRecords)
    let exported = try await world.database.read { reader in
      var lines: [String] = []
      try records.export(user, in: reader) { kind, json in lines.append("\(kind) \(json)") }
      return lines
    }
    #expect(exported.count == 2 && exported.contains { $0.hasPrefix("Notice ") && $0.contains("a secret book") })
    var hasMore = true
    while hasMore { hasMore = try await world.database.write { try records.erase(user, in: $0) } }
    for table in ["notify_users", "notify_inbox", "notify_deliveries", "notify_devices"] {
      let isThere = try await world.database.read { reader in
        try reader.exists("SELECT 1 FROM \(table) WHERE user_id = $1", user)
      }
      #expect(!isThere, "\(table)")
    }
    let events: Int? = try await world.database.read { reader in
      try reader.first(
        "SELECT COUNT(*) FROM octet_topic_events WHERE topic = $1", "inbox/" + user.text(kind: "user")
      ) { $0[0] }
    }
    #expect(events == 0)
    try await world.timers.runDue()
    #expect(try world.letters().values.allSatisfy { $0.text != "We sent a secret book." })
    #expect(try await world.inbox(other).notices.count == 1)
    await world.close()
  }

  @Test func `invariant 6: nothing is told to somebody whose erasure has begun, and the audit names what was`()
    async throws
  {
    let world = try await NotifyWorld.open()
    let (user, other) = (world.user(), world.user())
    try await world.tell(user, key: "1")
    let records = try #require(world.notify.personalRecords)
    world.people.erase(user)
    try await world.tell(user, key: "2")
    #expect(try await world.count("SELECT COUNT(*) FROM notify_inbox") == 1)
    while try await world.database.write({ try records.erase(user, in: $0) }) {}
    // What comes after the erasure leaves nothing either, not even an empty inbox.
    try await world.tell(user, key: "3")
    try await world.tell(other, key: "3")
    for table in ["notify_users", "notify_inbox", "notify_deliveries"] {
      #expect(
        try await world.count("SELECT COUNT(*) FROM \(table) WHERE user_id <> \(other.rawValue)") == 0, "\(table)")
    }
    #expect(try await world.notify.checkInvariants().allSatisfy(\.holds))
    _ = try await world.database.write { writer in
      try writer.execute("UPDATE notify_users SET user_id = $1", user)
      try writer.execute("UPDATE notify_inbox SET user_id = $1", user)
    }
    let broken = try await world.notify.checkInvariants().filter { !$0.holds && $0.number == 6 }
    #expect(broken.map(\.violations) == [[user.text(kind: "user")]])
    await world.close()
  }
}

/// Something else came than the test waits for.
struct Unexpected: Error {}

extension NotifyWorld {
  /// Does all that there is to sweep.
  func sweep() async throws {
    for sweep in notify.sweeps {
      while try await sweep.step(database) {}
    }
  }
}
