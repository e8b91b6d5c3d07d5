import Base
import Chat
import DomainKit
import Foundation
import IdentityAPI
import PostgreSQLServer
import Refusals
import Storage
import Testing

@testable import Audit
@testable import Identity
@testable import Notify

/// Acceptance 6: a closed account is searched for in the engine's files, byte by byte.
@Suite struct ErasureTests {
  private static let told = NoticeKind(
    "shop.order_sent", ways: [], values: ["what": .text], words: ["en": NoticeWords("On its way", "We sent {what}.")])

  /// What nobody may find afterwards.
  private static let traces = [
    "Adaline.Harper", "adaline.harper", "Countess of Nowhere", "mathematik@example.org", "plays the harp",
    "Adas Taschentelefon", "Harfenstrasse", "window seat only", "meet me at the mill", "a crystal organ",
    "https://push.example/ada", "Adas Armbanduhr",
  ]

  /// Where an operator has the server write anew what is left.
  private static let tables = [
    "identity_users", "identity_sessions", "identity_preferences", "identity_addresses", "identity_contacts",
    "chat_messages", "notify_inbox", "notify_devices", "octet_topic_events", "octet_requests", "octet_requests_b",
  ]

  private func bytes(of database: any Database) async throws -> Data {
    // PostgreSQL's log is left out: it is made of old writes, and is recycled by the server in its own time.
    try await EngineUnderTest.files(of: database).reduce(into: Data()) {
      $0 += (try? Data(contentsOf: URL(filePath: $1))) ?? Data()
    }
  }

  private func found(in database: any Database) async throws -> [String] {
    let bytes = try await bytes(of: database)
    return Self.traces.filter { bytes.range(of: Data($0.utf8)) != nil }
  }

  @Test func `invariant 6: after 14 days no byte tells of the person, and the audit's chain is whole`() async throws {
    let house = try await House.open(
      migrations: ChatDomain.migrations + AuditDomain.migrations, kinds: ChatDomain.noticeKinds + [Self.told],
      audit: { AuditTrail(clock: $0) })
    let notify = house.notify
    let chat = ChatDomain(
      kit: house.kit, people: house.identity.people, notices: notify.notices, scorer: WordScorer())
    for records in [chat.personalRecords, notify.personalRecords] {
      if let records { house.kit.personalRecords.register(records) }
    }
    let audit = try AuditDomain(kit: house.kit, checked: [])

    let (bob, _) = try await house.signIn("bob_")
    let user = try await live(house, chat, notify)
    _ = bob
    try await audit.sealer.sealAll()
    try await EngineUnderTest.flush()
    // They are there, or the search below would prove nothing: what is sealed is not.
    let sealed = ["mathematik@example.org", "Harfenstrasse", "window seat only", "https://push.example/ada"]
    #expect(Set(try await found(in: house.database)) == Set(Self.traces).subtracting(sealed))

    try await house.advance(by: Closing.delay)
    try await audit.sealer.sealAll()
    var left = Self.traces
    // The server keeps what a transaction that happens to be open beside could still look at.
    for _ in 0..<(EngineUnderTest.isPostgreSQL ? 1000 : 1) where !left.isEmpty {
      try await EngineUnderTest.rewrite(Self.tables, of: house.database)
      left = try await found(in: house.database)
    }
    #expect(left == [])

    let records = try await house.count("SELECT COUNT(*) FROM audit_records WHERE action = 'account.erased'")
    #expect(records == 1)
    for check in try await audit.checkInvariants() + house.identity.checkInvariants() + notify.checkInvariants() {
      #expect(check.holds, "\(check)")
    }
    // The room's other posts are as they were, and its numbers dense.
    let posts: [(String, String)] = try await house.database.read { reader in
      try reader.rows("SELECT text, author_name FROM chat_messages ORDER BY number") { ($0[0], $0[1]) }
    }
    #expect(posts.map(\.0) == ["", "never"] && posts.map(\.1) == ["", "bob_"])
    let person = try await house.database.read { try house.identity.people.person(user, in: $0) }
    #expect(person == nil)
    await house.close()
  }

  /// Somebody does what people do, and closes the account.
  private func live(_ house: House, _ chat: ChatDomain, _ notify: NotifyDomain) async throws -> Identifier {
    var registration = RegisterRequest()
    registration.requestID = newRequestID()
    registration.handle = "Adaline.Harper"
    registration.displayName = "Countess of Nowhere"
    registration.password = House.password
    registration.contact = .email("mathematik@example.org")
    _ = try await house.client().accounts.register(registration)
    let login = try await house.client().login("Adaline.Harper", device: try DeviceKey("Adas Taschentelefon"))
    let ada = house.client(login.accessToken)
    let user = try Identifier(login.user?.id ?? "", kind: "user", field: "id")

    var update = UpdateProfileRequest()
    update.requestID = newRequestID()
    update.etag = try await ada.profile().etag
    update.about = "plays the harp"
    _ = try await ada.profiles.updateProfile(update)
    var preferences = SetPreferencesRequest()
    preferences.requestID = newRequestID()
    preferences.preferences = Preferences()
    preferences.preferences?.travelWishes = "window seat only"
    _ = try await ada.profiles.setPreferences(preferences)
    var address = PutAddressRequest()
    address.requestID = newRequestID()
    address.address = PostalAddress()
    address.address?.regionCode = "DE"
    address.address?.lines = ["Harfenstrasse 1"]
    address.address?.recipient = "A. L."
    address.address?.locality = "Leipzig"
    _ = try await ada.profiles.putAddress(address)

    let rooms = chat.rooms
    let notices = notify.notices
    let other: Identifier? = try await house.database.read { reader in
      try reader.first("SELECT id FROM identity_users WHERE handle = 'bob_'") { $0[0] }
    }
    let bob = try #require(other)
    try await house.database.write { writer in
      let room = try rooms.open(RoomPlan(.thread, about: "topic_1", members: [user, bob]), in: writer)
      for (author, text) in [(user, "meet me at the mill"), (bob, "never")] {
        _ = try rooms.post(RoomMessage(.system, by: author, text: text), in: room, writer)
      }
      let notice = DomainKit.Notice(Self.told, key: "1", about: nil, ["what": .text("a crystal organ")])
      try notices.notify(user, notice, in: writer)
      _ = try notify.core.register("https://push.example/ada", named: "Adas Armbanduhr", for: user, in: user, writer)
    }
    try await ada.closeAccount()
    return user
  }
}
