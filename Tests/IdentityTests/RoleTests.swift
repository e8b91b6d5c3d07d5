import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Identity

@Suite struct RoleTests {
  /// An admin, made by the command line, and two others.
  private func house() async throws -> (House, admin: LoginResponse, ada: LoginResponse, eve: LoginResponse) {
    let house = try await House.open()
    for handle in ["root_", "ada", "eve"] { try await house.client().register(handle) }
    try await house.identity.grantRole(handle: "Root_", role: "admin")
    return (
      house, try await house.client().login("root_"), try await house.client().login("ada"),
      try await house.client().login("eve")
    )
  }

  @Test func `the command line makes the first admin, and knows what it cannot do`() async throws {
    let (house, admin, _, _) = try await house()
    #expect(try await house.client(admin.accessToken).grants().map(\.role) == ["admin"])
    await #expect(throws: CommandError.unknownHandle) {
      try await house.identity.grantRole(handle: "nobody", role: "admin")
    }
    for role in ["king", "shop.clerk"] {
      await #expect(throws: CommandError.unknownRole) {
        try await house.identity.grantRole(handle: "ada", role: role)
      }
    }
    await house.close()
  }

  @Test func `a grant is in force from the next call on, and a revoked one no more`() async throws {
    let (house, admin, ada, eve) = try await house()
    let root = house.client(admin.accessToken)
    let client = house.client(ada.accessToken)
    let adaID = ada.user?.id ?? ""
    let eveID = eve.user?.id ?? ""
    await expectRefusal(.notFound, "NOT_FOUND") { try await client.grants(of: eveID) }
    let grant = try await root.grant("ops", to: adaID)
    #expect(try await client.grants(of: eveID).isEmpty)
    #expect(try await root.grant("ops", to: adaID) == grant)
    let revoked = try await root.revoke(grant.id)
    #expect(revoked.revokeTime != nil)
    #expect(try await root.revoke(grant.id) == revoked)
    await expectRefusal(.notFound, "NOT_FOUND") { try await client.grants(of: eveID) }
    #expect(try await client.grants().isEmpty)
    await house.close()
  }

  @Test func `refuses unknown roles, and roles on what they are not granted on`() async throws {
    let (house, admin, ada, _) = try await house()
    let root = house.client(admin.accessToken)
    let id = ada.user?.id ?? ""
    let store = Identifier(rawValue: 7).text(kind: "store")
    for (role, resource) in [("king", ""), ("shop.clerk", ""), ("shop.clerk", "user_0000000000007"), ("ops", store)] {
      await expectRefusal(.invalidArgument, "UNKNOWN_ROLE") { try await root.grant(role, to: id, on: resource) }
    }
    let nobody = Identifier(rawValue: 7).text(kind: "user")
    await expectRefusal(.notFound, "NOT_FOUND") { try await root.grant("ops", to: nobody) }
    await expectRefusal(.invalidArgument, "WRONG_ID_KIND") { try await root.grant("ops", to: store) }
    await house.close()
  }

  @Test func `who is no admin grants nothing but roles on their own resource`() async throws {
    let (house, admin, ada, eve) = try await house()
    let mine = Identifier(rawValue: 7).text(kind: "store")
    let others = Identifier(rawValue: 8).text(kind: "store")
    let owner = house.client(ada.accessToken)
    let eveID = eve.user?.id ?? ""
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await owner.grant("ops", to: eveID) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await owner.grant("shop.clerk", to: eveID, on: mine) }
    _ = try await house.client(admin.accessToken).grant("shop.owner", to: ada.user?.id ?? "", on: mine)
    let clerk = try await owner.grant("shop.clerk", to: eveID, on: mine)
    await expectRefusal(.notFound, "NOT_FOUND") { try await owner.grant("shop.clerk", to: eveID, on: others) }
    // A clerk is no owner.
    await expectRefusal(.notFound, "NOT_FOUND") { try await house.client(eve.accessToken).revoke(clerk.id) }
    _ = try await owner.revoke(clerk.id)
    await house.close()
  }

  @Test func `the last admin and the last owner of a resource stay`() async throws {
    let (house, admin, ada, _) = try await house()
    let root = house.client(admin.accessToken)
    let first = try await root.grants()[0].id
    await expectRefusal(.failedPrecondition, "LAST_OWNER") { try await root.revoke(first) }
    _ = try await root.grant("admin", to: ada.user?.id ?? "")
    _ = try await root.revoke(first)
    let store = Identifier(rawValue: 7).text(kind: "store")
    let second = house.client(ada.accessToken)
    let owner = try await second.grant("shop.owner", to: ada.user?.id ?? "", on: store)
    await expectRefusal(.failedPrecondition, "LAST_OWNER") { try await second.revoke(owner.id) }
    await house.close()
  }

  @Test func `changes of rights need a password that was given lately`() async throws {
    let (house, admin, ada, _) = try await house()
    house.clock.advance(by: .seconds(15 * 60 + 1))
    let token = try await house.client().refresh(admin.refreshToken).accessToken
    let grant = try await house.client(token).grants()[0].id
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") {
      try await house.client(token).grant("ops", to: ada.user?.id ?? "")
    }
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") { try await house.client(token).revoke(grant) }
    let fresh = try await house.client().login("root_").accessToken
    _ = try await house.client(fresh).grant("ops", to: ada.user?.id ?? "")
    await house.close()
  }

  @Test func `invariant 2: nothing is changed under an expired grant`() async throws {
    let (house, admin, ada, eve) = try await house()
    var request = GrantRoleRequest()
    request.requestID = newRequestID()
    request.userID = ada.user?.id ?? ""
    request.role = "admin"
    request.expireTime = Timestamp(house.clock.now() + .seconds(60))
    _ = try await house.client(admin.accessToken).roles.grantRole(request)
    let client = house.client(ada.accessToken)
    _ = try await client.grant("ops", to: eve.user?.id ?? "")
    house.clock.advance(by: .seconds(60))
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await client.grant("support", to: eve.user?.id ?? "")
    }
    request.requestID = newRequestID()
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await house.client(admin.accessToken).roles.grantRole(request)
    }
    await house.close()
  }

  @Test func `other domains grant and revoke in their own transaction`() async throws {
    let (house, _, ada, _) = try await house()
    let people = house.identity.people
    let user = try Identifier.parse(ada.user?.id ?? "", kind: "user")
    try await house.database.write { try people.grant("shop.ops", to: user, on: nil, in: $0) }
    let (person, roles) = try await house.database.read {
      (try people.person(user, in: $0), try people.roles(of: user, in: $0))
    }
    #expect(person == Person(user: user, handle: "ada", displayName: "ada"))
    #expect(roles.holds("shop.ops") && !roles.holds("rides.ops"))
    try await house.database.write { try people.revoke("shop.ops", from: user, on: nil, in: $0) }
    #expect(try await house.client(ada.accessToken).grants().isEmpty)
    await house.close()
  }
}
