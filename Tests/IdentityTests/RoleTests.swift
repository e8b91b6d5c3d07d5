import Base
import Cryptography
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
    let end = house.clock.now() + .seconds(60)
    try await house.database.write { try people.grant("shop.courier", to: user, on: nil, until: end, in: $0) }
    let (person, roles) = try await house.database.read {
      (try people.person(user, in: $0), try people.roles(of: user, in: $0))
    }
    #expect(person == Person(user: user, handle: "ada", displayName: "ada"))
    #expect(roles.holds("shop.courier") && !roles.holds("rides.ops"))
    #expect(roles.grants.map(\.expiresAt) == [end])
    try await house.database.write { try people.revoke("shop.courier", from: user, on: nil, in: $0) }
    #expect(try await house.client(ada.accessToken).grants().isEmpty)
    await house.close()
  }

  @Test func `other domains learn who holds a role on a resource`() async throws {
    let (house, _, ada, eve) = try await house()
    let people = house.identity.people
    let users = try [ada, eve].map { try Identifier.parse($0.user?.id ?? "", kind: "user") }
    let (store, other) = (SubjectID("store", Identifier(rawValue: 7)), SubjectID("store", Identifier(rawValue: 8)))
    let end = house.clock.now() + .seconds(60)
    try await house.database.write { writer in
      for user in users { try people.grant("shop.clerk", to: user, on: store, until: end, in: writer) }
      try people.grant("shop.clerk", to: users[0], on: other, in: writer)
    }
    let audiences = house.identity.audiences
    func holders(on resource: SubjectID, after: Identifier? = nil, limit: Int = 10) async throws -> [Identifier] {
      try await house.database.read { reader in
        let found = try people.holders(of: "shop.clerk", on: resource, after: after, limit: limit, in: reader)
        let audience = Audience.holders(of: "shop.clerk", on: resource)
        let source = audiences.first { $0.name == audience.source }
        #expect(try source?.members(of: audience.key, after: after, limit: limit, in: reader) == found)
        return found
      }
    }
    #expect(try await holders(on: store) == users.sorted())
    #expect(try await holders(on: store, limit: 1) == [users.sorted()[0]])
    #expect(try await holders(on: store, after: users.sorted()[0]) == [users.sorted()[1]])
    #expect(try await holders(on: other) == [users[0]])
    house.clock.advance(by: .seconds(60))
    #expect(try await holders(on: store) == [])
    #expect(try await holders(on: other) == [users[0]])
    await house.close()
  }

  @Test func `an owner gives roles on what lies under the resource, and a clerk those of tills`() async throws {
    let (house, admin, ada, eve) = try await house()
    let (store, till) = (Identifier(rawValue: 7).text(kind: "store"), Identifier(rawValue: 7).text(kind: "till"))
    let otherTill = Identifier(rawValue: 8).text(kind: "till")
    let (adaID, eveID) = (ada.user?.id ?? "", eve.user?.id ?? "")
    _ = try await house.client(admin.accessToken).grant("shop.owner", to: adaID, on: store)
    let owner = house.client(ada.accessToken)
    let cashier = try await owner.grant("shop.cashier", to: eveID, on: till)
    await expectRefusal(.notFound, "NOT_FOUND") { try await owner.grant("shop.cashier", to: eveID, on: otherTill) }
    let clerk = house.client(eve.accessToken)
    await expectRefusal(.notFound, "NOT_FOUND") { try await clerk.grant("shop.cashier", to: adaID, on: till) }
    _ = try await owner.grant("shop.clerk", to: eveID, on: store)
    _ = try await clerk.grant("shop.cashier", to: adaID, on: till)
    await expectRefusal(.notFound, "NOT_FOUND") { try await clerk.grant("shop.clerk", to: adaID, on: store) }
    _ = try await clerk.revoke(cashier.id)
    await house.close()
  }

  @Test func `owners list the roles on their resource, and take back what another owner gave`() async throws {
    let (house, admin, ada, eve) = try await house()
    let (root, owner) = (house.client(admin.accessToken), house.client(ada.accessToken))
    let (adaID, eveID) = (ada.user?.id ?? "", eve.user?.id ?? "")
    let (store, other) = (Identifier(rawValue: 7).text(kind: "store"), Identifier(rawValue: 8).text(kind: "store"))
    let till = Identifier(rawValue: 7).text(kind: "till")
    _ = try await root.grant("shop.owner", to: adaID, on: store)
    _ = try await root.grant("shop.owner", to: eveID, on: other)
    let clerk = try await root.grant("shop.clerk", to: eveID, on: store)
    _ = try await owner.grant("shop.cashier", to: eveID, on: till)
    let machine = try await owner.createCredential(try SigningKey(seed: .random()), [("shop.clerk", store)])
    func listed(_ pageSize: Int32) async throws -> [Grant] {
      var (grants, token) = ([Grant](), "")
      repeat {
        let page = try await owner.grantPage(on: store, pageSize: pageSize, pageToken: token)
        #expect(page.grants.count <= pageSize)
        grants += page.grants
        token = page.nextPageToken
      } while !token.isEmpty
      return grants
    }
    let all = try await listed(1)
    #expect(all.map(\.role) == ["shop.clerk", "shop.clerk", "shop.owner"])
    #expect(all.map(\.credentialID) == [machine.id, "", ""] && all.map(\.userID) == ["", eveID, adaID])
    #expect(try await listed(500) == all)
    #expect(try await owner.grants(on: till).map(\.role) == ["shop.cashier"])
    #expect(try await root.grants(on: store) == all)
    _ = try await owner.revoke(clerk.id)
    #expect(try await owner.grants(on: store).map(\.id) == [all[0].id, all[2].id])
    // Neither the owner of another one, nor who has a role there and owns nothing, nor what is no resource.
    let stranger = house.client(eve.accessToken)
    for resource in [store, till, "nothing"] {
      await expectRefusal(.notFound, "NOT_FOUND") { try await stranger.grants(on: resource) }
    }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await owner.grants(of: adaID, on: store) }
    let token = try await owner.grantPage(on: store, pageSize: 1).nextPageToken
    await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
      try await owner.grantPage(pageSize: 1, pageToken: token)
    }
    await house.close()
  }

  @Test func `users take a role themselves once a contact is proved, and give it up`() async throws {
    let (house, _, ada, eve) = try await house()
    let (adaID, eveID) = (ada.user?.id ?? "", eve.user?.id ?? "")
    let client = house.client(ada.accessToken)
    await expectRefusal(.failedPrecondition, "NOT_ELIGIBLE") { try await client.grant("shop.seller", to: adaID) }
    try await house.prove(.email("ada@example.org"), by: client)
    // No proof is asked for: it concerns nobody else.
    house.clock.advance(by: IdentityCore.freshProof + .seconds(1))
    let later = house.client(try await house.client().refresh(ada.refreshToken).accessToken)
    _ = house.statements.take()
    let grant = try await later.grant("shop.seller", to: adaID)
    // Whatever else one holds is no matter, and not read.
    #expect(!house.statements.take().contains { $0.hasPrefix("SELECT role, resource") })
    #expect(try await later.grants() == [grant])
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await later.grant("shop.seller", to: eveID) }
    let other = house.client(try await house.client().login("eve").accessToken)
    await expectRefusal(.notFound, "NOT_FOUND") { try await other.revoke(grant.id) }
    // Nobody takes what is given.
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await later.grant("shop.courier", to: adaID) }
    #expect(try await later.revoke(grant.id).revokeTime != nil)
    #expect(try await later.grants() == [])
    await house.close()
  }

  @Test func `acceptance 4: a clerk acts on no other store, and on none once the grant is over`() async throws {
    let sell = MethodDescriptor(
      service: "test.Tills", name: "Sell", kind: .unary,
      policy: MethodPolicy(access: .role, roles: ["shop.clerk"], resourceField: "resource_id", mutates: true))
    let house = try await House.open(adding: { registry, kit in
      registry.unary(sell, about: { (request: GrantRoleRequest) in request.resourceID }) {
        (request: GrantRoleRequest, context) in try await kit.mutate(request, context) { _ in Grant() }
      }
    })
    try await house.client().register("ada")
    let ada = try await house.client().login("ada")
    let user = try Identifier.parse(ada.user?.id ?? "", kind: "user")
    let (people, store) = (house.identity.people, SubjectID("store", Identifier(rawValue: 7)))
    let end = house.clock.now() + .seconds(60)
    try await house.database.write { try people.grant("shop.clerk", to: user, on: store, until: end, in: $0) }
    func sells(_ kind: String, _ number: Int64) async -> Refusal? {
      var request = GrantRoleRequest()
      (request.requestID, request.userID, request.role) = (newRequestID(), ada.user?.id ?? "", "x")
      request.resourceID = Identifier(rawValue: number).text(kind: kind)
      return await refusal {
        let _: Grant = try await house.channel(ada.accessToken).unary(sell, request)
      }
    }
    let refused = Refusal(.permissionDenied, "PERMISSION_DENIED")
    #expect(await sells("store", 7) == nil)
    #expect(await sells("till", 7) == nil)
    #expect(await sells("store", 8) == refused)
    #expect(await sells("till", 8) == refused)
    house.clock.advance(by: .seconds(59))
    #expect(await sells("till", 7) == nil)
    house.clock.advance(by: .seconds(1))
    #expect(await sells("store", 7) == refused)
    await house.close()
  }
}
