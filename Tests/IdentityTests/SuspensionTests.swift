import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

@Suite struct SuspensionTests {
  private func house() async throws -> (House, moderator: Client, ada: LoginResponse, admin: LoginResponse) {
    let house = try await House.open()
    for handle in ["root_", "moe_", "ada"] { try await house.client().register(handle) }
    try await house.identity.grantRole(handle: "root_", role: "admin")
    try await house.identity.grantRole(handle: "moe_", role: "moderator")
    return (
      house, house.client(try await house.client().login("moe_").accessToken), try await house.client().login("ada"),
      try await house.client().login("root_")
    )
  }

  @Test func `a suspended account is out at once, and back in when it is restored`() async throws {
    let (house, moderator, ada, _) = try await house()
    let id = ada.user?.id ?? ""
    let suspended = try await moderator.suspend(id)
    #expect(suspended.state == .suspended && suspended.handle == "ada")
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { _ = try await house.client(ada.accessToken).list() }
    await expectRefusal(.permissionDenied, "ACCOUNT_SUSPENDED") { _ = try await house.client().login("ada") }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { _ = try await house.client().refresh(ada.refreshToken) }
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await moderator.suspend(id) }
    #expect(try await moderator.restore(id).state == .new)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await moderator.restore(id) }
    _ = try await house.client().login("ada")
    #expect(try await house.identity.checkInvariants().allSatisfy(\.violations.isEmpty))
    await house.close()
  }

  @Test func `a repeat tells whoever is no moderator any more nothing of what has become of the account`() async throws
  {
    let (house, moderator, ada, _) = try await house()
    var request = SuspendAccountRequest()
    (request.requestID, request.userID) = (newRequestID(), ada.user?.id ?? "")
    let first = try await moderator.accounts.suspendAccount(request)
    try await house.execute("UPDATE identity_users SET display_name = 'Ada again' WHERE handle = 'ada'", [])
    #expect(try await moderator.accounts.suspendAccount(request).displayName == "Ada again")
    let own = try await moderator.profile().userID
    let (people, moe) = (house.identity.people, try Identifier.parse(own, kind: "user"))
    try await house.database.write { try people.revoke("moderator", from: moe, on: nil, in: $0) }
    let repeated = try await moderator.accounts.suspendAccount(request)
    #expect(repeated.id == first.id && repeated.state == .suspended)
    #expect(repeated.displayName == "" && repeated.handle == "")
    await house.close()
  }

  @Test func `an account that had proved a contact is active again`() async throws {
    let (house, moderator, ada, _) = try await house()
    let id = ada.user?.id ?? ""
    try await house.execute(
      "UPDATE identity_users SET state = $2, level = $3 WHERE id = $1",
      [
        Identifier(id, kind: "user", field: "").sqlValue, UserRow.State.active.rawValue.sqlValue,
        Int64(UserLevel.contact.rawValue).sqlValue,
      ])
    try await moderator.suspend(id)
    #expect(try await moderator.restore(id).state == .active)
    await house.close()
  }

  @Test func `nobody suspends himself, strangers do not suspend, and moderators no admins`() async throws {
    let (house, moderator, ada, admin) = try await house()
    let moe = try await moderator.list().sessions.count
    #expect(moe == 1)
    let own = try await moderator.profile().userID
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await moderator.suspend(own) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await house.client(ada.accessToken).suspend(own)
    }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await moderator.suspend(admin.user?.id ?? "") }
    await expectRefusal(.notFound, "NOT_FOUND") { try await moderator.suspend("user_0000000000007") }
    await house.close()
  }
}
