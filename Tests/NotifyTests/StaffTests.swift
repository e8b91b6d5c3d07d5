import Base
import DomainKit
import NotifyAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Notify

@Suite struct StaffTests {
  private func template(_ text: String, _ language: String = "en", etag: String = "") -> PutTemplateRequest {
    var request = PutTemplateRequest()
    request.requestID = newRequestID()
    request.kind = NotifyWorld.order.name
    var words = NoticeText()
    words.language = language
    words.title = "News"
    words.text = text
    request.text = words
    request.etag = etag
    return request
  }

  @Test func `a template takes the place of the program's words, in its language`() async throws {
    let world = try await NotifyWorld.open()
    let staff = world.staff()
    let first = try await staff.putTemplate(template("Out: {what}"))
    _ = try await staff.putTemplate(template("{what} lähti", "FI"))
    let user = world.user()
    let finn = world.user()
    world.people.teach(finn, "fi-FI")
    try await world.tell(user, key: "1")
    try await world.tell(finn, key: "1")
    #expect(try await world.inbox(user).notices.map(\.text) == ["Out: a book"])
    #expect(try await world.inbox(finn).notices.map(\.text) == ["a book lähti"])
    await expectRefusal(.aborted, "ETAG_MISMATCH") { try await staff.putTemplate(template("x")) }
    let second = try await staff.putTemplate(template("Gone: {what} {{}}", etag: first.etag))
    #expect(second.etag != first.etag)
    try await world.tell(user, key: "2")
    #expect(try await world.inbox(user).notices.first?.text == "Gone: a book {}")
    await world.close()
  }

  @Test(arguments: ["{when}", "{what", "what}", "{ what}", "{}", "{what}}"])
  func `refuses words that do not fit`(text: String) async throws {
    let world = try await NotifyWorld.open()
    let staff = world.staff()
    await expectRefusal(.invalidArgument, "BAD_TEMPLATE") { try await staff.putTemplate(template(text)) }
    await world.close()
  }

  @Test func `refuses templates of unknown kinds, in no language, and by anybody but staff`() async throws {
    let world = try await NotifyWorld.open()
    let staff = world.staff()
    await expectRefusal(.invalidArgument, "BAD_LANGUAGE") { try await staff.putTemplate(template("x", "english!")) }
    var request = template("x")
    request.kind = "shop.nothing"
    await expectRefusal(.invalidArgument, "UNKNOWN_KIND") { [request] in try await staff.putTemplate(request) }
    request.text?.language = "english!"
    request.text?.text = "{"
    let fields = await badFields { [request] in try await staff.putTemplate(request) }
    #expect(fields == ["kind", "text.language", "text"])
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await world.client(world.user()).putTemplate(template("x"))
    }
    await world.close()
  }

  private func announcement(_ who: Segment.Who, _ languages: [String] = ["en", "de"]) -> AnnounceRequest {
    var request = AnnounceRequest()
    request.requestID = newRequestID()
    var segment = Segment()
    segment.who = who
    request.segment = segment
    request.texts = languages.map { language in
      var text = NoticeText()
      text.language = language
      text.title = "Hello \(language)"
      return text
    }
    return request
  }

  @Test func `an announcement reaches everybody once, part by part, whatever crashes in between`() async throws {
    var limits = NotifyLimits()
    limits.toldAtOnce = 4
    let world = try await NotifyWorld.open(limits: limits)
    let users = (0..<11).map { _ in world.user([:]) }
    world.people.teach(users[3], "de")
    let staff = world.staff()
    let request = announcement(.everyone(Everyone()))
    let made = try await staff.announce(request)
    #expect(try await staff.announce(request) == made)
    try await world.timers.runDue()
    // As if the process had died before the last parts committed.
    _ = try await world.database.write { [timers = world.timers, now = world.clock.now(), reached = users[5]] writer in
      try writer.execute("UPDATE notify_broadcasts SET reached = $1, ended_at = NULL", reached)
      let id: Int64? = try writer.first("SELECT id FROM notify_broadcasts") { $0[0] }
      try timers.set("notify.broadcast", key: "\(id ?? 0)", due: now, in: writer)
    }
    try await world.timers.runDue()
    for user in users {
      let titles = try await world.inbox(user).notices.map(\.title)
      #expect(titles == [user == users[3] ? "Hello de" : "Hello en"])
    }
    for report in try await world.notify.checkInvariants() { #expect(report.holds, "\(report)") }
    await world.close()
  }

  @Test func `an announcement to some reaches them alone`() async throws {
    let world = try await NotifyWorld.open()
    let users = (0..<4).map { _ in world.user([:]) }
    var list = UserList()
    list.userIds = [users[2], users[0], users[2]].map { $0.text(kind: "user") }
    _ = try await world.staff().announce(announcement(.users(list)))
    try await world.timers.runDue()
    for (index, user) in users.enumerated() {
      #expect(try await world.inbox(user).notices.count == (index % 2 == 0 ? 1 : 0))
    }
    await world.close()
  }

  @Test func `refuses announcements without English, to nobody, twice in a language`() async throws {
    let world = try await NotifyWorld.open()
    let staff = world.staff()
    await expectRefusal(.invalidArgument, "NO_ENGLISH_TEXT") {
      try await staff.announce(announcement(.everyone(Everyone()), ["de"]))
    }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await staff.announce(announcement(.everyone(Everyone()), ["en", "EN"]))
    }
    var request = announcement(.everyone(Everyone()))
    request.segment = Segment()
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { [request] in try await staff.announce(request) }
    request.texts = announcement(.everyone(Everyone()), ["de", "german!", "DE"]).texts
    let fields = await badFields { [request] in try await staff.announce(request) }
    #expect(fields == ["texts[1].language", "texts", "texts", "segment"])
    await expectRefusal(.invalidArgument, "BAD_LANGUAGE") {
      try await staff.announce(announcement(.everyone(Everyone()), ["en", "german!"]))
    }
    let store = Identifier(rawValue: 7).text(kind: "store")
    for role in ["", "opps", "ops/\(store)"] {
      let request = announcement(.role(role))
      await expectRefusal(.invalidArgument, "UNKNOWN_ROLE") { try await staff.announce(request) }
      #expect(await badFields { try await staff.announce(request) } == ["segment.role"])
    }
    await world.close()
  }

  @Test func `a domain tells an audience with one row; broadcasts age out`() async throws {
    var limits = NotifyLimits()
    limits.toldAtOnce = 3
    let world = try await NotifyWorld.open(limits: limits)
    let users = (0..<7).map { _ in world.user([:]) }
    world.people.teach(users[1], "de")
    let notices = world.notify.notices
    for _ in 0..<2 {
      try await world.database.write { writer in
        try notices.notify(
          .everybody, DomainKit.Notice(NotifyWorld.order, key: "sale", about: nil, ["what": .text("all")]), in: writer)
      }
      try await world.timers.runDue()
    }
    for user in users {
      let texts = try await world.inbox(user).notices.map(\.text)
      #expect(texts == [user == users[1] ? "all ist unterwegs." : "We sent all."])
    }
    try await world.advance(by: NotifyLimits().retention)
    try await world.sweep()
    let left: Int? = try await world.database.read { reader in
      try reader.first("SELECT COUNT(*) FROM notify_broadcasts") { $0[0] }
    }
    #expect(left == 0)
    await world.close()
  }

  @Test func `limits are as documented`() {
    let limits = NotifyLimits()
    #expect(limits.retention == .seconds(90 * 86_400) && limits.eventRetention == .seconds(7 * 86_400))
    #expect(limits.mailsPerDay == 50 && limits.tries == 8 && limits.firstWait == .seconds(30))
    #expect(limits.lettersAtOnce == 16 && limits.toldAtOnce == 100 && limits.sweptAtOnce == 128)
    #expect(limits.shownInSnapshot == 50)
  }
}
