import Base
import DomainKit
import IdentityAPI
import NotifyAPI
import Refusals
import Testing
import WellKnownTypes

@testable import Identity

/// What staff announces to those who hold a role.
@Suite struct AnnouncementTests {
  private func announce(_ title: String, to role: String, by staff: Client) async throws {
    var request = AnnounceRequest()
    request.requestID = newRequestID()
    request.segment = Segment()
    request.segment?.who = .role(role)
    var text = NoticeText()
    (text.language, text.title) = ("en", title)
    request.texts = [text]
    _ = try await staff.notifications.announce(request)
  }

  private func titles(_ client: Client) async throws -> [String] {
    try await client.notifications.listInbox(ListInboxRequest()).notices.map(\.title)
  }

  @Test func `whoever holds the role when it comes to the telling is told, and nobody else`() async throws {
    let (house, root, ada, eve) = try await House.withAdmin()
    let (ops, _) = try await house.signIn("olga")
    try await house.identity.grantRole(handle: "olga", role: "ops")
    var people = ["ada": ada, "eve": eve]
    for handle in ["bob", "cleo", "dora", "finn"] {
      let (client, login) = try await house.signIn(handle)
      people[handle] = (client, login.user?.id ?? "")
    }
    func give(_ role: String, to handle: String, for seconds: Int64? = nil) async throws -> String {
      let end = seconds.map { Timestamp(house.clock.now() + .seconds($0)) }
      return try await root.grant(role, to: people[handle]?.id ?? "", until: end).id
    }
    _ = try await give("shop.courier", to: "ada")
    let taken = try await give("shop.courier", to: "eve")
    _ = try await give("shop.ops", to: "bob")
    _ = try await give("shop.courier", to: "dora", for: 60)
    _ = try await give("shop.courier", to: "finn", for: 61)
    try await announce("Snow", to: "shop.courier", by: ops)
    // Taken away, given and run out after the announcement, and before anybody was told.
    _ = try await root.revoke(taken)
    _ = try await give("shop.courier", to: "cleo")
    try await house.advance(by: .seconds(60))
    var told: [String] = []
    for (handle, person) in people where try await titles(person.client).contains("Snow") { told.append(handle) }
    #expect(told.sorted() == ["ada", "cleo", "finn"])
    // Whoever lost it is told nothing, and whoever has it again is told what is announced from then on.
    _ = try await give("shop.courier", to: "eve")
    try await announce("Ice", to: "shop.courier", by: ops)
    try await house.advance(by: .seconds(1))
    #expect(try await titles(eve.client).filter { ["Snow", "Ice"].contains($0) } == ["Ice"])
    #expect(try await titles(ada.client).filter { ["Snow", "Ice"].contains($0) } == ["Ice", "Snow"])
    for report in try await house.notify.checkInvariants() { #expect(report.holds, "\(report)") }
    await house.close()
  }
}
