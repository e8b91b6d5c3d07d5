import Base
import DomainKit
import PinboardAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Pinboard

@Suite struct PinboardTests {
  @Test func `an advert is listed and found until its owner takes it down`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let sofa = try await ada.pin("Blue sofa")
    for title in ["Red chair", "Lamp"] { _ = try await bob.pin(title) }
    #expect(sofa.ownerID == ada.id.text(kind: "user"))
    #expect(try await bob.titles(pageSize: 2) == ["Lamp", "Red chair", "Blue sofa"])
    #expect(try await bob.find("sofa") == ["Blue sofa"])

    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.remove(sofa) }
    try await ada.remove(sofa)
    #expect(try await bob.titles() == ["Lamp", "Red chair"])
    #expect(try await bob.find("sofa") == [])
    await expectRefusal(.failedPrecondition, "ALREADY_DOWN") { try await ada.remove(sofa) }
    #expect(try await ada.notices() == [])
    await square.close()
  }

  @Test func `an editor clears adverts of the own section, until the time is over, and of no other`() async throws {
    let square = try await Square()
    let (ada, bob, eve) = (try await square.user("ada"), try await square.user("bob_"), try await square.user("eve"))
    let (furniture, cars) = (try await ada.open("Furniture"), try await bob.open("Cars"))
    let adverts = [
      try await bob.pin("Blue sofa", in: furniture), try await bob.pin("Red chair", in: furniture),
      try await bob.pin("Old Ford", in: cars), try await bob.pin("Lamp"),
    ]
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await eve.clear(adverts[0]) }
    try await ada.appoint(eve, to: furniture, until: square.clock.now() + .seconds(60))
    try await eve.clear(adverts[0])
    for advert in adverts where advert.sectionID != furniture.id {
      await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await eve.clear(advert) }
    }
    square.clock.advance(by: .seconds(60))
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await eve.clear(adverts[1]) }
    #expect(try await eve.titles() == ["Lamp", "Old Ford", "Red chair"])
    // An editor appoints nobody, an owner only in the own section.
    await expectRefusal(.notFound, "NOT_FOUND") {
      try await ada.appoint(eve, to: cars, until: square.clock.now() + .seconds(60))
    }
    try await ada.clear(adverts[1])
    await square.close()
  }

  @Test func `a repeated request pins one advert`() async throws {
    let square = try await Square()
    let (ada, request) = (try await square.user("ada"), newRequestID())
    let sofa = try await ada.pin("Blue sofa", requestID: request)
    #expect(try await ada.pin("Blue sofa", requestID: request) == sofa)
    #expect(try await ada.titles() == ["Blue sofa"])
    await square.close()
  }

  @Test func `after its time an advert comes down, and its owner is told`() async throws {
    let square = try await Square()
    _ = try await square.user("ada").pin("Blue sofa")
    // Each time with a new login: access tokens do not last for days.
    try await square.advance(by: .seconds(7 * 86_400 - 1))
    #expect(try await square.user("ada").titles() == ["Blue sofa"])
    #expect(try await square.user("ada").notices() == [])
    try await square.advance(by: .seconds(1))
    #expect(try await square.user("ada").titles() == [])
    #expect(try await square.user("ada").notices() == ["Blue sofa has hung for its time."])
    await square.close()
  }

  @Test func `how long an advert hangs is what staff has put for the instant at which it is pinned`() async throws {
    let square = try await Square()
    let (ada, now) = (try await square.user("ada"), square.clock.now())
    var row = RowDraft(Terms.key, from: now, to: now + .seconds(60))
    row[Terms.days] = 2
    try await square.put(row)
    let sofa = try await ada.pin("Blue sofa")
    try await square.advance(by: .seconds(60))
    let lamp = try await ada.pin("Lamp")
    let times = [sofa, lamp].map { $0.expireTime.flatMap { Instant($0) } }
    #expect(times == [now + .seconds(2 * 86_400), now + .seconds(60 + 7 * 86_400)])
    await square.close()
  }

  @Test func `a hidden advert is its owner's alone, until it is shown again`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let sofa = try await ada.pin("Blue sofa")
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.hide(sofa) }
    try await ada.hide(sofa)
    #expect(try await ada.titles() == ["Blue sofa"])
    #expect(try await ada.look(at: sofa).isPrivate)
    #expect(try await bob.titles() == [])
    #expect(try await bob.find("sofa") == [])
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.look(at: sofa) }
    try await ada.hide(sofa, false)
    #expect(try await bob.look(at: sofa) == sofa)
    #expect(try await bob.find("sofa") == ["Blue sofa"])
    await square.close()
  }

  @Test func `invariant 1: an advert hangs if and only if its timer waits`() async throws {
    let square = try await Square()
    let ada = try await square.user("ada")
    let (sofa, lamp) = (try await ada.pin("Blue sofa"), try await ada.pin("Lamp"))
    try await ada.remove(lamp)
    #expect(try await square.pinboard.checkInvariants().allSatisfy(\.holds))
    #expect(try await square.search.checkInvariants().allSatisfy(\.holds))

    let id = try Identifier.parse(sofa.id, kind: AdvertRow.idKind)
    try await square.database.write { [jobs = square.jobs] writer in
      _ = try jobs.cancel(Board.expiry, JobKey(id), in: writer)
    }
    #expect(try await square.pinboard.checkInvariants().map(\.violations) == [[sofa.id], []])
    await square.close()
  }

  @Test func `what somebody pinned is exported, and erased with the account`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    for title in ["Blue sofa", "Lamp"] { _ = try await ada.pin(title) }
    _ = try await bob.pin("Red chair")
    let records = try #require(square.pinboard.personalRecords)
    let exported = try await square.database.read { reader in
      var lines: [String] = []
      try records.export(ada.id, in: reader) { lines.append("\($0) \($1)") }
      return lines
    }
    #expect(exported.count == 2 && exported[0].hasPrefix("Advert ") && exported[0].contains(#""title":"Blue sofa""#))

    while try await square.database.write({ try records.erase(ada.id, in: $0) }) {}
    #expect(try await bob.titles() == ["Red chair"])
    #expect(try await bob.find("sofa") == [])
    for domain in [square.pinboard, square.search] as [any Domain] {
      #expect(try await domain.checkInvariants().allSatisfy(\.holds))
    }
    await square.close()
  }

  @Test func `the error table is as documented`() {
    #expect(
      PinboardError.allCases.map { "\($0.mapping.reason) \($0.mapping.code)" } == [
        "ALREADY_DOWN FAILED_PRECONDITION", "ALREADY_OFFERED FAILED_PRECONDITION", "ALL_GIVEN FAILED_PRECONDITION",
        "ALREADY_CLAIMED FAILED_PRECONDITION", "TEXT_REFUSED FAILED_PRECONDITION", "BAD_PHOTO FAILED_PRECONDITION",
      ])
  }
}
