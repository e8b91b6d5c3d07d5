import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// What people are told about their accounts.
@Suite struct NoticeTests {
  private static let mail = RegisterRequest.Contact.email("ada@example.org")

  /// The kinds of notices in somebody's inbox, oldest first.
  private func told(_ house: House, _ user: String) async throws -> [String] {
    let id = try Identifier.parse(user, kind: "user")
    return try await house.database.read { reader in
      try reader.rows("SELECT kind FROM notify_inbox WHERE user_id = $1 ORDER BY number", id) { $0[0] }
    }
  }

  /// The kinds of the letters that went to an address.
  private func written(_ house: House, to address: String) async throws -> [String] {
    try await house.letters().filter { $0.address == address }.map(\.kind)
  }

  @Test func `a refresh token that is used twice alerts its owner, once`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    let login = try await house.client().login("ada")
    let user = login.user?.id ?? ""
    _ = try await house.client().refresh(login.refreshToken)
    #expect(try await told(house, user) == [])
    for _ in 0..<2 {
      await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    }
    #expect(try await told(house, user) == ["identity.token_reused"])
    #expect(try await written(house, to: Self.mail.address).contains("identity.token_reused"))
    _ = ada
    await house.close()
  }

  @Test func `a login on another device alerts, but the first and a known one do not`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let (phone, tablet) = (try DeviceKey("phone"), try DeviceKey("tablet"))
    // Where no device has proved who it is, none is known from another.
    let user = try await house.client().login("ada").user?.id ?? ""
    _ = try await house.client().login("ada")
    _ = try await house.client().login("ada", device: phone)
    _ = try await house.client().login("ada", device: phone)
    #expect(try await told(house, user) == [])
    _ = try await house.client().login("ada", device: tablet)
    #expect(try await told(house, user) == ["identity.new_device"])
    _ = try await house.client().login("ada", device: tablet)
    // Whoever leaves the device away is not known either.
    _ = try await house.client().login("ada")
    #expect(try await told(house, user) == ["identity.new_device", "identity.new_device"])
    await house.close()
  }

  @Test func `a new password is told, however it was set`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    let user = try await ada.profile().userID
    let id = newRequestID()
    for _ in 0..<2 { try await ada.changePassword(to: "another good phrase", requestID: id) }
    #expect(try await told(house, user) == ["identity.password_changed"])
    house.clock.advance(by: .seconds(3600))
    try await house.client().sendResetCode(email: Self.mail.address)
    try await house.client().reset(
      email: Self.mail.address, code: try await house.code(to: Self.mail.address), to: "a third good phrase")
    #expect(try await told(house, user) == ["identity.password_changed", "identity.password_changed"])
    #expect(
      try await written(house, to: Self.mail.address).count { $0 == "identity.password_changed" } == 2)
    await house.close()
  }

  @Test func `another contact is told to the user, and at the one that it replaces`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    let user = try await ada.profile().userID
    // The first of a kind replaces nothing, nor does the same one once more.
    house.clock.advance(by: CodeLimit.pause)
    try await house.prove(Self.mail, by: ada)
    #expect(try await told(house, user) == [])
    try await house.prove(.email("new@example.org"), by: ada)
    #expect(try await told(house, user) == ["identity.contact_replaced"])
    #expect(try await written(house, to: "new@example.org").contains("identity.contact_replaced"))
    #expect(try await written(house, to: Self.mail.address).contains("identity.contact_gone"))
    // Somebody else proves it: the one who had it learns that it is gone.
    house.clock.advance(by: CodeLimit.pause)
    _ = try await house.prove("eve", .email("new@example.org"))
    #expect(try await told(house, user) == ["identity.contact_replaced", "identity.contact_gone"])
    await house.close()
  }

  @Test func `a suspended account's owner is told by mail, and of its return`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    let user = try await ada.profile().userID
    _ = try await house.identity.ensureUser(
      handle: "mod", displayName: "Mod", password: House.password, roles: ["moderator", "support"])
    let moderator = house.client(try await house.client().login("mod").accessToken)
    try await moderator.suspend(user)
    #expect(try await written(house, to: Self.mail.address).last == "identity.suspended")
    try await moderator.restore(user)
    #expect(try await told(house, user) == ["identity.suspended", "identity.restored"])
    await house.close()
  }

  @Test func `whoever closes an account, its owner is told by mail, suspended or not`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    let user = try await ada.profile().userID
    let id = newRequestID()
    for _ in 0..<2 { try await ada.closeAccount(requestID: id) }
    func closings() async throws -> Int {
      try await written(house, to: Self.mail.address).count { $0 == "identity.closing" }
    }
    #expect(try await closings() == 1)
    _ = try await house.client().login("ada")
    _ = try await house.identity.ensureUser(
      handle: "mod", displayName: "Mod", password: House.password, roles: ["moderator"])
    try await house.client(try await house.client().login("mod").accessToken).suspend(user)
    var request = CloseSuspendedAccountRequest()
    (request.requestID, request.loginName, request.password) = (newRequestID(), "ada", House.password)
    _ = try await house.client().accounts.closeSuspendedAccount(request)
    #expect(try await closings() == 2)
    await house.close()
  }
}
