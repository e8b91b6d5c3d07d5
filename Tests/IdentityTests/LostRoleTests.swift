import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// Stores, which are there until they are closed.
private final class Shops: SubjectKind {
  let prefix = "store"
  private let closed = Locked(Set<Identifier>())

  func close(_ id: Identifier) { _ = closed.withLock { $0.insert(id) } }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    closed.withLock { $0.contains(id) } ? nil : SubjectFacts(owner: nil)
  }
}

/// Roles that are taken from somebody, and those on things that are gone.
@Suite struct LostRoleTests {
  @Test func `a role that somebody else took is not taken again, until it is given back`() async throws {
    let (house, root, (client, id), _) = try await House.withAdmin()
    try await house.prove(.email("ada@example.org"), by: client)
    let grant = try await client.grant("shop.seller", to: id)
    _ = try await root.revoke(grant.id)
    await expectRefusal(.failedPrecondition, "ROLE_WITHDRAWN") { try await client.grant("shop.seller", to: id) }
    // Given back, it can be given up and taken like before.
    let second = try await root.grant("shop.seller", to: id)
    _ = try await client.revoke(second.id)
    _ = try await client.revoke(try await client.grant("shop.seller", to: id).id)
    // A domain takes it as well; and an admin gives it to anybody.
    let (people, user) = (house.identity.people, try Identifier.parse(id, kind: "user"))
    _ = try await client.grant("shop.seller", to: id)
    try await house.database.write { try people.revoke("shop.seller", from: user, on: nil, in: $0) }
    await expectRefusal(.failedPrecondition, "ROLE_WITHDRAWN") { try await client.grant("shop.seller", to: id) }
    _ = try await root.grant("admin", to: id)
    _ = try await client.grant("shop.seller", to: id)
    await house.close()
  }

  @Test func `whoever gives a role up first does not get round its withdrawal`() async throws {
    let trail = Trail()
    let (house, root, (client, id), _) = try await House.withAdmin(trail)
    try await house.prove(.email("ada@example.org"), by: client)
    let (people, user) = (house.identity.people, try Identifier.parse(id, kind: "user"))
    func expectWithdrawn() async {
      await expectRefusal(.failedPrecondition, "ROLE_WITHDRAWN") { try await client.grant("shop.seller", to: id) }
    }
    let grant = try await client.grant("shop.seller", to: id)
    _ = try await client.revoke(grant.id)
    _ = try await root.revoke(grant.id)
    await expectWithdrawn()
    // Nor by an older grant that was given up, if the last one was too.
    _ = try await root.grant("shop.seller", to: id)
    _ = try await client.revoke(try await client.grants()[0].id)
    _ = try await root.revoke(grant.id)
    await expectWithdrawn()
    // What is held again is another grant, which stays.
    let held = try await root.grant("shop.seller", to: id)
    _ = try await root.revoke(grant.id)
    #expect(try await client.grants().map(\.id) == [held.id])
    _ = try await client.revoke(held.id)
    // Domains withdraw what is not held any more, once.
    let before = trail.entries("role.revoked").count
    for _ in 0..<2 {
      try await house.database.write { try people.revoke("shop.seller", from: user, on: nil, in: $0) }
      await expectWithdrawn()
    }
    #expect(trail.entries("role.revoked").count == before + 1)
    // Nobody loses what was never had.
    try await house.database.write { try people.revoke("shop.courier", from: user, on: nil, in: $0) }
    #expect(trail.entries("role.revoked").count == before + 1)
    await house.close()
  }

  @Test func `roles on a thing that is gone go with it, the last owner's too`() async throws {
    let (house, root, ada, eve) = try await House.withAdmin()
    let shops = Shops()
    house.kit.subjects.register([shops])
    let (gone, kept) = (SubjectID("store", Identifier(rawValue: 7)), SubjectID("store", Identifier(rawValue: 8)))
    for store in [gone, kept] {
      _ = try await root.grant("shop.owner", to: ada.id, on: store.text)
      _ = try await root.grant("shop.clerk", to: eve.id, on: store.text)
    }
    shops.close(gone.id)
    let subjects = house.kit.subjects
    try await house.database.write { try subjects.gone(gone, in: $0) }
    // Whoever does not wait gives it up: nobody is missed there.
    for grant in try await ada.client.grants() where grant.resourceID == gone.text {
      _ = try await ada.client.revoke(grant.id)
    }
    try await house.advance(by: .seconds(1))
    for (client, role) in [(ada.client, "shop.owner"), (eve.client, "shop.clerk")] {
      #expect(try await client.grants().map { "\($0.role) \($0.resourceID)" } == ["\(role) \(kept.text)"])
    }
    await expectRefusal(.failedPrecondition, "LAST_OWNER") { try await ada.client.revoke(ada.client.grants()[0].id) }
    // What was given meanwhile goes a minute later.
    let people = house.identity.people
    let user = try Identifier.parse(eve.id, kind: "user")
    try await house.database.write { try people.grant("shop.clerk", to: user, on: gone, in: $0) }
    try await house.advance(by: .seconds(60))
    #expect(try await eve.client.grants().count == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM octet_timers WHERE kind = 'identity.gone'") == 0)
    await house.close()
  }
}
