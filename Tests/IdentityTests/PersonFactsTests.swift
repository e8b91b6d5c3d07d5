import Base
import Cryptography
import DomainKit
import FilesInMemory
import Foundation
import IdentityAPI
import OctetTypes
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

@Suite struct PersonFactsTests {
  private func date(_ year: Int32, _ month: Int32, _ day: Int32) -> OctetTypes.Date {
    var date = OctetTypes.Date()
    (date.year, date.month, date.day) = (year, month, day)
    return date
  }

  private func update(_ client: Client, _ birthDate: OctetTypes.Date) async throws -> Profile {
    var request = UpdateProfileRequest()
    request.requestID = newRequestID()
    request.etag = try await client.profile().etag
    request.birthDate = birthDate
    return try await client.profiles.updateProfile(request)
  }

  @Test func `a date of birth is kept sealed, told to domains and shown to nobody else`() async throws {
    let house = try await House.open()
    let (ada, login) = try await house.signIn("ada")
    let (eve, _) = try await house.signIn("eve")
    let user = try Identifier.parse(login.user?.id ?? "", kind: "user")
    #expect(try await ada.profile().birthDate == nil)
    let people = house.identity.people
    func facts() async throws -> PersonFacts? { try await house.database.read { try people.facts(of: user, in: $0) } }
    #expect(try await facts() == PersonFacts(level: .none, since: house.clock.now(), birthDate: nil))

    let born = date(1990, 2, 28)
    #expect(try await update(ada, born).birthDate == born)
    #expect(try await ada.profile().birthDate == born)
    #expect(try await eve.profile(of: user.text(kind: "user")).birthDate == nil)
    #expect(try await facts()?.birthDate == CivilDate(year: 1990, month: 2, day: 28))
    #expect(
      try await house.count("SELECT COUNT(*) FROM identity_users WHERE LENGTH(birth_date) = \(8 + SealingKey.overhead)")
        == 1)
    await house.close()
  }

  @Test func `a date of birth is told when somebody registers, too`() async throws {
    let house = try await House.open()
    var request = RegisterRequest()
    (request.requestID, request.handle, request.password) = (newRequestID(), "ada", House.password)
    request.birthDate = date(2001, 12, 31)
    _ = try await house.client().accounts.register(request)
    let ada = house.client(try await house.client().login("ada").accessToken)
    #expect(try await ada.profile().birthDate == request.birthDate)
    await house.close()
  }

  @Test func `nobody is born tomorrow week, too long ago, or on a day that there is not`() async throws {
    let house = try await House.open()
    let (ada, _) = try await house.signIn("ada")
    let today = CivilDate(daysSinceEpoch: house.clock.now().milliseconds / 86_400_000)
    let old = Int32(today.year) - 151
    for wrong in [date(Int32(today.year) + 1, 1, 1), date(old, 1, 1), date(1999, 2, 29)] {
      let fields = await badFields { try await update(ada, wrong) }
      #expect(fields == ["birth_date"], "\(wrong.year)-\(wrong.month)-\(wrong.day)")
    }
    #expect(try await ada.profile().birthDate == nil)
    await house.close()
  }

  @Test func `once documents are approved another date of birth is refused`() async throws {
    let house = try await House.open()
    let (ada, _) = try await house.signIn("ada")
    let born = date(1990, 2, 28)
    _ = try await update(ada, born)
    _ = try await update(ada, date(1990, 3, 1))
    _ = try await update(ada, born)
    try await house.execute("UPDATE identity_users SET level = $1", [UserLevel.verified.rawValue.sqlValue])
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await update(ada, date(1990, 3, 1)) }
    #expect(try await update(ada, born).birthDate == born)
    await house.close()
  }

  @Test func `a first date of birth makes a verified user hand in documents again`() async throws {
    let house = try await House.open()
    try await house.client().register("ops_")
    try await house.identity.grantRole(handle: "ops_", role: "ops")
    let ops = house.client(try await house.client().login("ops_").accessToken)
    let (ada, login) = try await house.signIn("ada")
    let user = login.user?.id ?? ""
    try await house.prove(.email("ada@example.org"), by: ada)
    func prove() async throws {
      let verification = try await ada.submit([house.files.upload(of: user)])
      _ = try await ops.review(verification.id, .approved)
    }
    func level() async throws -> AccountLevel? {
      let (people, id) = (house.identity.people, try Identifier.parse(user, kind: "user"))
      return try await house.database.read { try people.facts(of: id, in: $0)?.level }
    }
    try await prove()
    #expect(try await level() == .verified)
    #expect(try await ada.grants().map(\.role) == ["user.verified"])
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await prove() }
    // Nobody has compared this day with the documents.
    let born = date(1990, 2, 28)
    #expect(try await update(ada, born).birthDate == born)
    #expect(try await level() == .contact)
    #expect(try await ada.grants().isEmpty)
    try await prove()
    #expect(try await level() == .verified)
    #expect(try await ada.grants().map(\.role) == ["user.verified"])
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await update(ada, date(1990, 3, 1)) }
    #expect(try await house.identity.checkInvariants().allSatisfy(\.violations.isEmpty))
    await house.close()
  }

  @Test func `years are counted to the day, and a leap day's to the first of March`() throws {
    func age(_ born: (Int64, Int64, Int64), on day: (Int64, Int64, Int64)) throws -> Int? {
      PersonFacts(
        level: .none, since: Instant(seconds: 0),
        birthDate: CivilDate(year: born.0, month: born.1, day: born.2)
      ).age(on: try #require(CivilDate(year: day.0, month: day.1, day: day.2)))
    }
    #expect(try age((2000, 6, 15), on: (2018, 6, 14)) == 17)
    #expect(try age((2000, 6, 15), on: (2018, 6, 15)) == 18)
    #expect(try age((2000, 2, 29), on: (2018, 2, 28)) == 17)
    #expect(try age((2000, 2, 29), on: (2018, 3, 1)) == 18)
    #expect(try age((2000, 2, 29), on: (2020, 2, 29)) == 20)
    let unknown = PersonFacts(level: .none, since: Instant(seconds: 0), birthDate: nil)
    #expect(unknown.age(on: CivilDate(daysSinceEpoch: 20_000)) == nil)
  }

  @Test func `domains learn of a caller how old account, device, sign-in and proof are`() async throws {
    let house = try await House.open()
    let key = try DeviceKey("phone")
    try await house.client().register("ada", contact: .email("ada@example.org"))
    let since = house.clock.now()
    house.clock.advance(by: .seconds(60))
    _ = try await house.client().login("ada", device: key)
    let seen = house.clock.now()
    house.clock.advance(by: .seconds(60))
    let login = try await house.client().login("ada", device: key)
    let signedIn = house.clock.now()
    let ada = house.client(login.accessToken)
    try await house.prove(.email("ada@example.org"), by: ada)
    house.clock.advance(by: .seconds(60))
    try await ada.stepUp()
    let caller = Caller(
      user: try Identifier.parse(login.user?.id ?? "", kind: "user"),
      session: try Identifier.parse(login.session?.id ?? "", kind: "sess"))
    let people = house.identity.people
    func facts(_ caller: Caller) async throws -> CallerFacts? {
      try await house.database.read { try people.facts(of: caller, in: $0) }
    }
    let found = try #require(try await facts(caller))
    #expect(found.person == PersonFacts(level: .contact, since: since, birthDate: nil))
    #expect(found.device?.since == seen)
    #expect(try await house.database.read { try people.device(of: caller, in: $0) } == found.device?.hash)
    #expect(found.signedInAt == signedIn && found.provedAt == house.clock.now())
    #expect(found.preferences == PersonalPreferences())
    // A machine is nobody, and a session is nobody else's.
    #expect(try await facts(Caller(user: caller.user, session: caller.session, isMachine: true)) == nil)
    let (_, eve) = try await house.signIn("eve")
    let other = try Identifier.parse(eve.user?.id ?? "", kind: "user")
    #expect(try await facts(Caller(user: other, session: caller.session)) == nil)
    await house.close()
  }

  @Test func `a user's postal address is that user's, and in clear for who needs it`() async throws {
    let house = try await House.open()
    let (ada, login) = try await house.signIn("ada")
    let (_, eve) = try await house.signIn("eve")
    var request = PutAddressRequest()
    request.requestID = newRequestID()
    var postal = PostalAddress()
    (postal.recipient, postal.lines, postal.locality) = ("Ada", ["Katu 1", "B 2"], "Turku")
    (postal.regionCode, postal.postalCode, postal.phone) = ("FI", "20100", "+358 40 1234567")
    request.address = postal
    let put = try await ada.profiles.putAddress(request)
    let id = try Identifier.parse(put.id, kind: "addr")
    let users = try [login, eve].map { try Identifier.parse($0.user?.id ?? "", kind: "user") }
    let people = house.identity.people
    let (own, others) = try await house.database.read { reader in
      (try people.address(id, of: users[0], in: reader), try people.address(id, of: users[1], in: reader))
    }
    #expect(own?.recipient == "Ada" && own?.lines == ["Katu 1", "B 2"] && own?.locality == "Turku")
    #expect(own?.region == "FI" && own?.postalCode == "20100" && own?.phone == "+358401234567")
    #expect(others == nil)
    await house.close()
  }

  @Test func `an account leaves when its erasure begins, not while a login takes it back`() async throws {
    let house = try await House.open()
    let (ada, login) = try await house.signIn("ada")
    let user = try Identifier.parse(login.user?.id ?? "", kind: "user")
    let people = house.identity.people
    func isLeaving(_ user: Identifier) async throws -> Bool {
      try await house.database.read { try people.isLeaving(user, in: $0) }
    }
    #expect(try await !isLeaving(user))
    #expect(try await isLeaving(Identifier(rawValue: 7)))
    try await ada.closeAccount()
    #expect(try await !isLeaving(user))
    try await house.execute("UPDATE identity_users SET closed_from = NULL WHERE id = $1", [user.sqlValue])
    #expect(try await isLeaving(user))
    await house.close()
  }
}
