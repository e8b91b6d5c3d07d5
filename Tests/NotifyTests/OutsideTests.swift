import Base
import DomainKit
import NotifyAPI
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Testing

@testable import Notify

/// Letters to people without an account.
@Suite struct OutsideTests {
  private static let address = ContactAddress(.email, normalized: "outside@example.net")

  private func write(
    _ world: NotifyWorld, _ kind: NoticeKind = NotifyWorld.invited, to address: ContactAddress = address, key: String,
    from sender: Identifier, in language: String = "en"
  ) async throws {
    let notices = world.notify.notices
    let notice = DomainKit.Notice(kind, key: key, about: nil, ["who": .name("Eve Miller", of: sender)])
    try await world.database.write { writer in
      try notices.notify(address, OutsideNotice(notice, from: sender, in: language), in: writer)
    }
  }

  private func count(_ world: NotifyWorld, _ condition: String) async throws -> Int {
    try await world.database.read { reader in
      try reader.first("SELECT COUNT(*) FROM notify_outside WHERE \(condition)") { $0[0] } ?? 0
    }
  }

  private func stop(_ world: NotifyWorld, _ letter: OutboundLetter?) async throws -> String {
    var request = UnsubscribeRequest()
    request.requestID = newRequestID()
    request.token = try #require(letter?.unsubscribeToken)
    return try await world.client(nil).unsubscribe(request).kind
  }

  @Test func `a repeated invitation counts alike for a user's address and for nobody's`() async throws {
    var limits = NotifyLimits()
    limits.invitationsPerDay = 2
    let world = try await NotifyWorld.open(limits: limits)
    _ = world.user([.email: Self.address.text])
    for address in [Self.address, ContactAddress(.email, normalized: "nobody@example.net")] {
      let eve = world.user()
      for _ in 0..<2 { try await write(world, to: address, key: "1", from: eve) }
      await #expect(throws: KitError.dayLimitExceeded(at: world.clock.now())) {
        try await write(world, to: address, key: "1", from: eve)
      }
    }
    await world.close()
  }

  @Test func `a limit of 0 invitations lets none through, also not the first of a day`() async throws {
    var limits = NotifyLimits()
    limits.invitationsPerDay = 0
    let world = try await NotifyWorld.open(limits: limits)
    let eve = world.user()
    await #expect(throws: KitError.dayLimitExceeded(at: world.clock.now())) {
      try await write(world, key: "1", from: eve)
    }
    await world.close()
  }

  @Test func `an invitation goes out once a key, and then nothing tells to whom or what`() async throws {
    let world = try await NotifyWorld.open()
    let eve = world.user()
    for _ in 0..<2 { try await write(world, key: "1", from: eve, in: "de-AT") }
    let phone = ContactAddress(.phone, normalized: "+431234567")
    try await write(world, NotifyWorld.danger, to: phone, key: "2", from: eve)
    let stored: String? = try await world.database.read { reader in
      try reader.first("SELECT sealed, title FROM notify_outside WHERE kind = 'test.invited'") {
        String(decoding: $0[0] as [UInt8], as: UTF8.self) + ($0[1] as String)
      }
    }
    // Three letters would be in the base 64 of what is sealed once in some thousand runs.
    #expect(stored?.contains("outside") == false && stored?.contains("Miller") == false)
    let unsent = try await world.notify.checkInvariants()
    #expect(unsent.last?.rowsChecked == 2 && unsent.allSatisfy(\.holds))
    let broken = try await world.database.takenBack { writer in
      try writer.execute("DELETE FROM octet_timers WHERE kind = $1", Way.mail.outsideJob)
      return try NotifyAudit(reader: writer, people: world.people).reports().filter { !$0.holds }
    }
    #expect(broken.map(\.number) == [9] && broken.first?.violationCount == 1)
    try await world.timers.runDue()
    let letters = try world.letters().values.sorted { $0.way < $1.way }
    #expect(
      letters.map { "\($0.way) \($0.address) \($0.title)" } == [
        "mail outside@example.net Eve Miller lädt dich ein", "sms +431234567 Eve Miller needs you",
      ])
    #expect(try await count(world, "LENGTH(sealed) > 0 OR title <> '' OR settled_at IS NULL") == 0)
    #expect(try await count(world, "state = \(DeliveryState.sent.rawValue)") == 2)
    let sent = try await world.notify.checkInvariants()
    #expect(sent.last?.rowsChecked == 2 && sent.allSatisfy(\.holds))
    await world.close()
  }

  @Test func `who stops one sort gets no more of it, also none that waits, and the address is kept as a hash alone`()
    async throws
  {
    let world = try await NotifyWorld.open()
    let eve = world.user()
    try await write(world, key: "1", from: eve)
    try await world.timers.runDue()
    try await write(world, key: "2", from: eve)
    let letter = try world.letters().values.first
    for _ in 0..<2 { #expect(try await stop(world, letter) == "invitation") }
    try await world.timers.runDue()
    #expect(try await count(world, "state = \(DeliveryState.skipped.rawValue) AND LENGTH(sealed) = 0") == 1)
    try await write(world, key: "3", from: world.user())
    try await write(world, NotifyWorld.danger, key: "4", from: eve)
    try await world.timers.runDue()
    #expect(try world.letters().values.map(\.kind).sorted() == ["test.danger", "test.invited"])
    // What is known of the address outlives all that was written to it.
    try await world.advance(by: .seconds(91 * 86_400))
    for sweep in world.notify.sweeps { while try await sweep.step(world.database) {} }
    #expect(try await count(world, "1 = 1") == 0)
    try await write(world, key: "5", from: eve)
    #expect(try await count(world, "1 = 1") == 0)
    let rows: [[UInt8]] = try await world.database.read { try $0.rows("SELECT lookup FROM notify_addresses") { $0[0] } }
    #expect(rows.count == 1 && rows.allSatisfy { !String(decoding: $0, as: UTF8.self).contains("outside") })
    await world.close()
  }

  @Test func `a user's own address gets the notice as the user wants it, and the sender learns nothing`() async throws {
    let world = try await NotifyWorld.open()
    let eve = world.user()
    let ada = world.user([.email: Self.address.text])
    try await world.choose(ada, NotifyWorld.invited, [])
    for _ in 0..<2 { try await write(world, key: "1", from: eve) }
    try await world.timers.runDue()
    #expect(try await world.inbox(ada).notices.map(\.title) == ["Eve Miller invites you"])
    #expect(try await count(world, "1 = 1") == 0)
    await world.close()
  }

  @Test func `somebody invites so many a day, and an address gets so many, but safety goes on`() async throws {
    var limits = NotifyLimits()
    #expect(limits.invitationsPerDay == 50 && limits.outsideLettersPerDay == 50)
    limits.invitationsPerDay = 2
    limits.outsideLettersPerDay = 3
    let world = try await NotifyWorld.open(limits: limits)
    let eve = world.user()
    for number in 1...2 { try await write(world, key: "\(number)", from: eve) }
    await #expect(throws: KitError.dayLimitExceeded(at: world.clock.now())) {
      try await write(world, key: "3", from: eve)
    }
    try await write(world, NotifyWorld.danger, key: "3", from: eve)
    // Another's third is the address's last of the day; who writes the fourth is not told.
    let bob = world.user()
    for number in 3...4 { try await write(world, key: "\(number)", from: bob) }
    #expect(try await count(world, "kind = 'test.invited'") == 3)
    try await world.advance(by: .seconds(86_400))
    try await write(world, key: "5", from: eve)
    #expect(try await count(world, "kind = 'test.invited'") == 4)
    await world.close()
  }

  @Test func `a letter that is not taken is tried eight times, and one whose sender is erased not at all`() async throws
  {
    let outbound = ScriptedOutbound(Array(repeating: .retry("BUSY"), count: 20))
    let world = try await NotifyWorld.open(outbound: outbound)
    let eve = world.user()
    try await write(world, key: "1", from: eve)
    for _ in 0..<12 { try await world.advance(by: .seconds(7200)) }
    #expect(outbound.sent.count == 8 && Set(outbound.sent.map(\.key)).count == 1)
    #expect(try await count(world, "state = \(DeliveryState.failed.rawValue) AND LENGTH(sealed) = 0") == 1)
    try await write(world, key: "2", from: eve)
    let records = try #require(world.notify.personalRecords)
    let letters = try await world.database.read { reader in
      var letters: [String] = []
      try records.export(eve, in: reader) { if $0 == "ExportedLetter" { letters.append($1) } }
      return letters
    }
    #expect(letters.count == 2 && letters.allSatisfy { $0.contains(NotifyWorld.invited.name) })
    #expect(letters[0].contains("FAILED") && letters[1].contains("QUEUED"))
    #expect(!letters.contains { $0.contains(Self.address.text) })
    while try await world.database.write({ try records.erase(eve, in: $0) }) {}
    try await world.timers.runDue()
    #expect(outbound.sent.count == 8)
    #expect(try await count(world, "1 = 1") == 0)
    await world.close()
  }
}
