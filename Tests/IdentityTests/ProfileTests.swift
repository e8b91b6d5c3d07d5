import Base
import DomainKit
import FilesInMemory
import Foundation
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Identity

@Suite struct ProfileTests {
  private func house() async throws -> (House, ada: Client, eve: Client, adaID: String) {
    let house = try await House.open()
    for handle in ["ada", "eve"] { try await house.client().register(handle) }
    let ada = try await house.client().login("ada")
    return (
      house, house.client(ada.accessToken), house.client(try await house.client().login("eve").accessToken),
      ada.user?.id ?? ""
    )
  }

  private func update(
    _ client: Client, etag: String, _ change: (inout UpdateProfileRequest) -> Void
  ) async throws -> Profile {
    var request = UpdateProfileRequest()
    request.requestID = newRequestID()
    request.etag = etag
    change(&request)
    return try await client.profiles.updateProfile(request)
  }

  private func set(_ client: Client, _ change: (inout Preferences) -> Void) async throws -> Preferences {
    var request = SetPreferencesRequest()
    request.requestID = newRequestID()
    var preferences = try await client.profiles.getPreferences(GetPreferencesRequest())
    change(&preferences)
    request.preferences = preferences
    return try await client.profiles.setPreferences(request)
  }

  // MARK: Profiles

  @Test func `whoever has proved contacts sees which, and nobody else does`() async throws {
    let (house, ada, eve, id) = try await house()
    _ = try await ada.sendCode(.email("Pending@example.org"))
    #expect(try await ada.profile().contacts.isEmpty)
    house.clock.advance(by: CodeLimit.pause)
    let first = Timestamp(house.clock.now())
    try await house.prove(.email("ada@example.org"), by: ada)
    house.clock.advance(by: .seconds(1))
    let second = Timestamp(house.clock.now())
    try await house.prove(.phone("+358401234567"), by: ada)
    func contact(_ kind: IdentityAPI.ContactKind, _ address: String, _ time: Timestamp) -> ProvedContact {
      var contact = ProvedContact()
      (contact.kind, contact.address, contact.proofTime) = (kind, address, time)
      return contact
    }
    let mail = contact(.email, "ada@example.org", first)
    let contacts = [mail, contact(.phone, "+358401234567", second)]
    let profile = try await ada.profile()
    #expect(profile.contacts == contacts)
    #expect(try await ada.profile(of: id).contacts == contacts)
    #expect(try await update(ada, etag: profile.etag) { $0.about = "Analyst" }.contacts == contacts)
    for client in [eve, house.client()] { #expect(try await client.profile(of: id).contacts.isEmpty) }
    // Somebody else proves the number, which is theirs from then on.
    house.clock.advance(by: CodeLimit.pause)
    try await house.prove(.phone("+358401234567"), by: eve)
    #expect(try await ada.profile().contacts == [mail])
    await house.close()
  }

  @Test func `a photo is shown to whoever may see the profile, until another or none is wanted`() async throws {
    let (house, ada, eve, id) = try await house()
    let uploads = try (0..<3).map { _ in try house.files.upload(of: id) }
    func shown(_ upload: String) throws -> (id: String, path: String) {
      let blob = try Identifier.parse(upload, kind: "upl")
      return (blob.text(kind: "blob"), "/media/\(blob)/w640")
    }
    var profile = try await ada.profile()
    #expect(profile.photoID.isEmpty && profile.photoPath.isEmpty && profile.photoPathExpireTime == nil)
    for upload in uploads.prefix(2) {
      let etag = profile.etag
      profile = try await update(ada, etag: etag) { $0.photoUploadID = upload }
      #expect(try profile.photoID == shown(upload).id && profile.etag != etag)
      for client in [ada, eve, house.client()] {
        let seen = try await client.profile(of: id)
        #expect(try (seen.photoID, seen.photoPath) == shown(upload))
        #expect(seen.photoPathExpireTime != nil)
      }
      #expect(house.files.parts.map(\.slot) == ["photo"])
    }
    // What is absent stays, and so does the same picture once more; what is another's is nobody's.
    profile = try await update(ada, etag: profile.etag) { $0.about = "Analyst" }
    profile = try await update(ada, etag: profile.etag) { $0.photoUploadID = uploads[1] }
    await expectRefusal(.notFound, "NOT_FOUND") {
      try await update(eve, etag: eve.profile().etag) { $0.photoUploadID = uploads[2] }
    }
    #expect(try await eve.profile(of: id).photoID == shown(uploads[1]).id)
    _ = try await set(ada) { $0.profileVisibility = .private }
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.profile(of: id) }
    profile = try await update(ada, etag: profile.etag) { $0.photoUploadID = "" }
    #expect(profile.photoID.isEmpty && profile.photoPath.isEmpty && house.files.parts.isEmpty)
    await house.close()
  }

  @Test func `a photo goes with the account, and no path to it is stored`() async throws {
    let (house, ada, _, id) = try await house()
    let upload = try house.files.upload(of: id)
    var request = UpdateProfileRequest()
    (request.requestID, request.etag) = (newRequestID(), try await ada.profile().etag)
    request.photoUploadID = upload
    let first = try await ada.profiles.updateProfile(request)
    // The picture became a part with the first call; the reply that was stored knows no path, a repeat is told one.
    #expect(first.photoPath.isEmpty)
    #expect(try await !ada.profiles.updateProfile(request).photoPath.isEmpty)
    #expect(house.files.parts.count == 1)
    try await ada.closeAccount()
    try await house.advance(by: Closing.delay)
    #expect(house.files.parts.isEmpty)
    await house.close()
  }

  @Test func `what is absent stays, and a name that was the handle follows it`() async throws {
    let (house, ada, eve, id) = try await house()
    let first = try await ada.profile()
    #expect(first.userID == id && first.handle == "ada" && first.displayName == "ada" && first.about.isEmpty)
    let second = try await update(ada, etag: first.etag) { $0.about = "Analyst" }
    #expect(second.handle == "ada" && second.about == "Analyst" && second.etag != first.etag)
    let third = try await update(ada, etag: second.etag) { $0.handle = "Countess" }
    #expect(third.handle == "Countess" && third.displayName == "Countess" && third.about == "Analyst")
    let fourth = try await update(ada, etag: third.etag) { $0.displayName = "Ada L." }
    let fifth = try await update(ada, etag: fourth.etag) { $0.handle = "ada2" }
    #expect(fifth.displayName == "Ada L.")
    let seen = try await eve.profile(of: id)
    #expect(seen.handle == "ada2" && seen.displayName == "Ada L." && seen.etag.isEmpty)
    #expect(try await update(ada, etag: fifth.etag) { $0.displayName = " \t" }.displayName == "ada2")
    await house.close()
  }

  @Test func `invariant 1: a handle belongs to one live user, however many want it at once`() async throws {
    let (house, ada, eve, _) = try await house()
    let etags = (ada: try await ada.profile().etag, eve: try await eve.profile().etag)
    await expectRefusal(.alreadyExists, "HANDLE_TAKEN") {
      _ = try await update(ada, etag: etags.ada) { $0.handle = "EVE" }
    }
    async let one = try? update(ada, etag: etags.ada) { $0.handle = "both" }
    async let other = try? update(eve, etag: etags.eve) { $0.handle = "Both" }
    let winners = [await one, await other].compactMap(\.self)
    #expect(winners.count == 1)
    #expect(try await house.identity.checkInvariants().allSatisfy(\.violations.isEmpty))
    // The old handle of the winner is free.
    try await house.client().register(winners[0].userID == (try await ada.profile().userID) ? "ada" : "eve")
    await house.close()
  }

  @Test func `a change of what somebody else has changed meanwhile is refused`() async throws {
    let (house, ada, _, _) = try await house()
    let etag = try await ada.profile().etag
    _ = try await update(ada, etag: etag) { $0.about = "one" }
    await expectRefusal(.aborted, "ETAG_MISMATCH") { _ = try await update(ada, etag: etag) { $0.about = "two" } }
    #expect(try await ada.profile().about == "one")
    await house.close()
  }

  @Test func `a profile is shown to whom its user wants, and to others it is as if it were not there`() async throws {
    let (house, ada, eve, id) = try await house()
    try await house.client().register("moe_")
    try await house.identity.grantRole(handle: "moe_", role: "moderator")
    let staff = house.client(try await house.client().login("moe_").accessToken)
    let stranger = house.client()
    func visible(_ expected: [Bool]) async {
      var found: [Bool] = []
      for client in [ada, staff, eve, stranger] { found.append((try? await client.profile(of: id)) != nil) }
      #expect(found == expected)
    }
    await visible([true, true, true, true])
    _ = try await set(ada) { $0.profileVisibility = .users }
    await visible([true, true, true, false])
    _ = try await set(ada) { $0.profileVisibility = .private }
    await visible([true, true, false, false])
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.profile(of: id) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.profile(of: "user_0000000000007") }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { _ = try await stranger.profile() }
    await house.close()
  }

  // MARK: Preferences

  @Test func `preferences are kept in normal form, and other domains read them`() async throws {
    let (house, ada, _, id) = try await house()
    #expect(try await ada.profiles.getPreferences(GetPreferencesRequest()).etag.isEmpty)
    let kept = try await set(ada) {
      $0.language = "pt-br"
      $0.regionCode = "BR"
      $0.currencyCode = "BRL"
      $0.timeZone = "America/Sao_Paulo"
      $0.travelWishes = "no stairs"
    }
    #expect(kept.language == "pt-BR" && kept.travelWishes == "no stairs" && kept.profileVisibility == .public)
    #expect(try await ada.profiles.getPreferences(GetPreferencesRequest()) == kept)
    let user = try Identifier.parse(id, kind: "user")
    let people = house.identity.people
    let (known, unknown) = try await house.database.read { reader in
      (
        try people.preferences(of: user, in: reader),
        try people.preferences(of: Identifier(rawValue: 7), in: reader)
      )
    }
    #expect(known.language == "pt-BR" && known.region == "BR" && known.currency == "BRL")
    #expect(known.timeZone == "America/Sao_Paulo")
    #expect(unknown == PersonalPreferences())
    await house.close()
  }

  @Test func `what is no language, country, currency or zone is refused, and nothing changes`() async throws {
    let (house, ada, _, _) = try await house()
    let kept = try await set(ada) { $0.language = "fi" }
    await expectRefusal(.invalidArgument, "BAD_LANGUAGE") { _ = try await set(ada) { $0.language = "finnish!" } }
    await expectRefusal(.invalidArgument, "UNKNOWN_CURRENCY") { _ = try await set(ada) { $0.currencyCode = "FIM" } }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { _ = try await set(ada) { $0.regionCode = "fi" } }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { _ = try await set(ada) { $0.timeZone = "Mars/Base" } }
    let fields = await badFields {
      try await set(ada) { preferences in
        (preferences.language, preferences.regionCode) = ("finnish!", "fi")
        (preferences.currencyCode, preferences.timeZone) = ("FIM", "Mars/Base")
      }
    }
    #expect(
      fields == [
        "preferences.language", "preferences.region_code", "preferences.currency_code", "preferences.time_zone",
      ])
    await expectRefusal(.aborted, "ETAG_MISMATCH") { _ = try await set(ada) { $0.etag = "" } }
    await expectRefusal(.aborted, "ETAG_MISMATCH") { _ = try await set(ada) { $0.etag = "7" } }
    #expect(try await ada.profiles.getPreferences(GetPreferencesRequest()) == kept)
    await house.close()
  }

  // MARK: Addresses

  private static func home() -> PostalAddress {
    var address = PostalAddress()
    address.label = "Home"
    address.recipient = "Ada Lovelace"
    address.lines = ["12 St James's Square"]
    address.locality = "London"
    address.postalCode = "SW1Y 4JH"
    address.regionCode = "GB"
    return address
  }

  private func put(
    _ client: Client, _ address: PostalAddress = home(), id: String = "", requestID: String = newRequestID()
  ) async throws -> Address {
    var request = PutAddressRequest()
    request.requestID = requestID
    request.addressID = id
    request.address = address
    return try await client.profiles.putAddress(request)
  }

  private func delete(_ client: Client, _ id: String) async throws {
    var request = DeleteAddressRequest()
    request.requestID = newRequestID()
    request.addressID = id
    _ = try await client.profiles.deleteAddress(request)
  }

  private func addresses(_ client: Client) async throws -> [Address] {
    try await client.profiles.listAddresses(ListAddressesRequest()).addresses
  }

  @Test func `addresses are added, changed, listed and deleted, each by its owner alone`() async throws {
    let (house, ada, eve, _) = try await house()
    var postal = Self.home()
    postal.phone = "+44 20 7946 0000"
    let home = try await put(ada, postal)
    #expect(home.address?.phone == "+442079460000")
    let id = newRequestID()
    let work = try await put(ada, requestID: id)
    #expect(try await put(ada, requestID: id) == work)
    house.clock.advance(by: .seconds(1))
    postal.label = "Mother's"
    let changed = try await put(ada, postal, id: home.id)
    #expect(changed.id == home.id && changed.createTime == home.createTime && changed.updateTime != home.updateTime)
    #expect(try await addresses(ada) == [work, changed])
    #expect(try await addresses(eve).isEmpty)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await put(eve, postal, id: home.id) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await delete(eve, home.id) }
    try await delete(ada, home.id)
    await expectRefusal(.notFound, "NOT_FOUND") { try await delete(ada, home.id) }
    #expect(try await addresses(ada) == [work])
    await house.close()
  }

  @Test func `invariant 4: addresses and wishes are nowhere stored in clear`() async throws {
    let (house, ada, _, _) = try await house()
    _ = try await put(ada)
    _ = try await set(ada) { $0.travelWishes = "a quiet compartment" }
    try await house.database.write { _ = try $0.execute("UPDATE identity_users SET about = about", []) }
    let bytes = try await house.bytesOnDisk()
    for text in ["St James", "SW1Y 4JH", "Lovelace", "quiet compartment"] {
      #expect(bytes.range(of: Data(text.utf8)) == nil, "\(text)")
    }
    await house.close()
  }

  @Test func `a user has at most so many addresses, however many are added at once`() async throws {
    let (house, ada, _, _) = try await house()
    let added = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<(IdentityLimits().addresses + 5) {
        group.addTask { (try? await put(ada)) != nil }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(added == IdentityLimits().addresses)
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { _ = try await put(ada) }
    let all = try await addresses(ada)
    #expect(all.count == IdentityLimits().addresses)
    var (turned, request) = ([Address](), ListAddressesRequest())
    request.pageSize = 7
    repeat {
      let page = try await ada.profiles.listAddresses(request)
      #expect(page.addresses.count <= 7)
      turned += page.addresses
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    #expect(turned == all)
    await house.close()
  }

  @Test func `what is no address is refused`() async throws {
    let (house, ada, _, _) = try await house()
    for (reason, change) in [
      ("INVALID_REQUEST", { $0.regionCode = "gb" }), ("BAD_PHONE_NUMBER", { $0.phone = "12" }),
      ("INVALID_REQUEST", { $0.lines = [] }), ("INVALID_REQUEST", { $0.recipient = "" }),
    ] as [(String, (inout PostalAddress) -> Void)] {
      var postal = Self.home()
      change(&postal)
      let wrong = postal
      await expectRefusal(.invalidArgument, reason) { _ = try await put(ada, wrong) }
    }
    var nowhere = Self.home()
    (nowhere.regionCode, nowhere.phone) = ("gb", "12")
    let fields = await badFields { [nowhere] in try await put(ada, nowhere) }
    #expect(fields == ["address.region_code", "address.phone"])
    #expect(try await addresses(ada).isEmpty)
    await house.close()
  }
}
