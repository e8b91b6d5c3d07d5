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

@Suite struct CredentialTests {
  private let trail = Trail()
  private let key: SigningKey

  init() throws { key = try SigningKey(seed: .random()) }

  /// A house with an admin, who is signed in.
  private func open() async throws -> (House, admin: Client) {
    let house = try await House.open(audit: { [trail] _ in trail })
    let (admin, _) = try await house.signIn("root_")
    try await house.identity.grantRole(handle: "root_", role: "admin")
    return (house, admin)
  }

  private func store(_ house: House) -> String { house.kit.identifiers.next().text(kind: "store") }

  @Test func `invariant 12: a machine signs in, does what its role allows, and the trail names it`() async throws {
    let (house, admin) = try await open()
    let eve = try await house.client().register("eve")
    let credential = try await admin.createCredential(key, [("support", "")])
    #expect(credential.kind == .terminal && credential.name == "till 3" && credential.publicKey == key.publicKey)
    #expect(credential.grants.map(\.role) == ["support"] && credential.grants.map(\.credentialID) == [credential.id])
    let login = try await house.client().loginMachine(credential.id, key)
    #expect(login.user == nil && login.session?.deviceName == "till 3")
    let machine = house.client(login.accessToken)
    #expect(try await machine.suspend(eve.id).state == .suspended)
    let id = try Identifier.parse(credential.id, kind: "cred")
    let call = trail.entries("/octet.identity.v1.AccountService/SuspendAccount")
    #expect(call.map(\.actor) == [.credential(id)] && call.first?.facts == [.role("support")])
    #expect(trail.entries("credential.created").map(\.object) == [SubjectID("cred", id)])
    #expect(trail.entries("role.granted").last?.object == SubjectID("cred", id))

    let refreshed = try await house.client().refresh(login.refreshToken)
    #expect(try await house.client(refreshed.accessToken).restore(eve.id).state == .new)
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    await house.close()
  }

  @Test func `nothing that is for users is open to a machine, whatever its owner may do`() async throws {
    let (house, admin) = try await open()
    let credential = try await admin.createCredential(key, [("support", "")])
    let machine = house.client(try await house.client().loginMachine(credential.id, key).accessToken)
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await machine.list() }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await machine.closeAccount() }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await machine.grant("ops", to: credential.ownerID)
    }
    let session = try #require(try await admin.list().sessions.first?.id)
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await machine.end(session) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await machine.credentials() }
    // A machine may look where its role lets it look.
    #expect(try await machine.grants(of: credential.ownerID).map(\.role) == ["admin"])
    // And where everybody may.
    #expect(try await machine.profile(of: credential.ownerID).handle == "root_")
    await house.close()
  }

  @Test func `a login needs the key's own signature of this very request`() async throws {
    let (house, admin) = try await open()
    let credential = try await admin.createCredential(key, [("support", "")])
    let other = try SigningKey(seed: .random())
    let unknown = house.kit.identifiers.next().text(kind: "cred")
    for (id, signer, text) in [
      (credential.id, other, nil), (credential.id, key, "octet login\n\(credential.id)\nanother request"),
      (unknown, key, nil),
    ] as [(String, SigningKey, String?)] {
      await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
        try await house.client().loginMachine(id, signer, signing: text)
      }
    }
    await expectRefusal(.invalidArgument, "WRONG_ID_KIND") {
      try await house.client().loginMachine(credential.ownerID, key)
    }
    #expect(await badFields { try await house.client().login("", password: "") } == ["login_name", "password"])
    let requestID = newRequestID()
    let first = try await house.client().loginMachine(credential.id, key, requestID: requestID)
    #expect(try await house.client().loginMachine(credential.id, key, requestID: requestID) == first)
    await house.close()
  }

  @Test func `a revoked credential is out at once, and its rights are taken back`() async throws {
    let (house, admin) = try await open()
    let eve = try await house.client().register("eve")
    let credential = try await admin.createCredential(key, [("support", "")])
    let login = try await house.client().loginMachine(credential.id, key)
    let revoked = try await admin.revokeCredential(credential.id)
    #expect(revoked.revokeTime != nil && revoked.grants.isEmpty)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client(login.accessToken).suspend(eve.id) }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().loginMachine(credential.id, key)
    }
    #expect(try await admin.revokeCredential(credential.id).revokeTime == revoked.revokeTime)
    // A decision that changes nothing is on record as well.
    #expect(trail.entries("credential.revoked").count == 2 && trail.entries("role.revoked").count == 1)
    await house.close()
  }

  @Test func `acceptance 4: owners make machines for their resource alone, and one second after its end it is refused`()
    async throws
  {
    let (house, admin) = try await open()
    let (owner, ownerLogin) = try await house.signIn("owner")
    let (clerk, clerkLogin) = try await house.signIn("clerk")
    let (mine, others) = (store(house), store(house))
    _ = try await admin.grant("shop.owner", to: ownerLogin.user?.id ?? "", on: mine)
    _ = try await owner.grant("shop.clerk", to: clerkLogin.user?.id ?? "", on: mine)
    await expectRefusal(.notFound, "NOT_FOUND") { try await owner.createCredential(key, [("shop.clerk", others)]) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await clerk.createCredential(key, [("shop.clerk", mine)]) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await owner.createCredential(key, [("ops", "")])
    }
    let odd = [("shop.clerk", ""), ("shop.clerk", mine), ("shop.king", mine)]
    await expectRefusal(.invalidArgument, "UNKNOWN_ROLE") { try await owner.createCredential(key, odd) }
    #expect(await badFields { try await owner.createCredential(key, odd) } == ["roles[0].role", "roles[2].role"])
    let end = house.clock.now() + .seconds(60)
    let credential = try await owner.createCredential(key, [("shop.clerk", mine)], expireTime: Timestamp(end))
    let id = try Identifier.parse(credential.id, kind: "cred")
    func roles() async throws -> RoleSet {
      try await house.database.read { try house.authority.roles(of: id, in: $0) }
    }
    let held = try await roles()
    #expect(held.grants.map(\.role) == ["shop.clerk"] && held.grants.map(\.resource) == [mine])

    #expect(try await owner.credentials(on: mine).credentials.map(\.id) == [credential.id])
    #expect(try await owner.credentials().credentials.map(\.id) == [credential.id])
    await expectRefusal(.notFound, "NOT_FOUND") { try await owner.credentials(on: others) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await clerk.credentials(on: mine) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await clerk.revokeCredential(credential.id) }

    let login = try await house.client().loginMachine(credential.id, key)
    house.clock.advance(by: .seconds(61))
    #expect(try await roles() == RoleSet())
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().loginMachine(credential.id, key)
    }
    let caller = Caller(
      user: id, session: try Identifier.parse(login.session?.id ?? "", kind: "sess"), isMachine: true)
    await #expect(throws: KitError.sessionEnded) {
      try await house.database.write { _ = try house.authority.confirm(caller, in: $0) }
    }
    await house.close()
  }

  @Test func `a machine goes with the one who answers for it`() async throws {
    let (house, admin) = try await open()
    let (boss, bossLogin) = try await house.signIn("boss_")
    try await house.identity.grantRole(handle: "boss_", role: "admin")
    try await house.identity.grantRole(handle: "root_", role: "moderator")
    let credential = try await boss.createCredential(key, [("support", "")])
    let first = try await house.client().loginMachine(credential.id, key)
    try await admin.suspend(bossLogin.user?.id ?? "")
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(first.refreshToken) }
    await expectRefusal(.permissionDenied, "ACCOUNT_SUSPENDED") {
      try await house.client().loginMachine(credential.id, key)
    }
    try await admin.restore(bossLogin.user?.id ?? "")
    try await house.client(try await house.client().login("boss_").accessToken).closeAccount()
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().loginMachine(credential.id, key)
    }
    _ = try await house.client().login("boss_")
    _ = try await house.client().loginMachine(credential.id, key)
    try await house.client(try await house.client().login("boss_").accessToken).closeAccount()
    try await house.advance(by: Closing.delay)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().loginMachine(credential.id, key)
    }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_credentials WHERE name = '' AND revoked_at > 0") == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_sessions WHERE device_name = 'till 3'") == 0)
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    await house.close()
  }

  @Test func `a fresh proof is wanted, and there is an end to how many one has`() async throws {
    let (house, admin) = try await open()
    for index in 0..<IdentityLimits().credentials {
      try await house.execute(
        """
        INSERT INTO identity_credentials (id, owner_id, kind, name, public_key, created_at)
        SELECT $1, id, 1, 'x', $2, 0 FROM identity_users
        """, [.integer(Int64(index)), .blob(key.publicKey)])
    }
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { try await admin.createCredential(key, [("ops", "")]) }
    try await house.execute("UPDATE identity_credentials SET revoked_at = 1 WHERE id = 7", [])
    let credential = try await admin.createCredential(key, [("ops", "")])
    let all = try await admin.credentials(pageSize: 500).credentials.map(\.id)
    #expect(all.first == credential.id && all.count == IdentityLimits().credentials + 1)
    var (turned, token) = ([String](), "")
    repeat {
      let page = try await admin.credentials(pageSize: 20, pageToken: token)
      #expect(page.credentials.count <= 20)
      turned += page.credentials.map(\.id)
      token = page.nextPageToken
    } while !token.isEmpty
    #expect(turned == all)
    try await house.execute("UPDATE identity_sessions SET proved_at = proved_at - 901000000000", [])
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") { try await admin.revokeCredential(credential.id) }
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") {
      try await admin.createCredential(key, [("ops", "")])
    }
    await house.close()
  }
}
