import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Identity

/// Roles that somebody must keep.
@Suite struct LastOwnerTests {
  private let store = Identifier(rawValue: 7).text(kind: "store")

  private func expectLast(_ grant: Grant, by client: Client) async {
    await expectRefusal(.failedPrecondition, "LAST_OWNER") { try await client.revoke(grant.id) }
  }

  @Test func `the last admin and the last owner of a resource stay`() async throws {
    let (house, root, ada, _) = try await House.withAdmin()
    let first = try await root.grants()[0]
    await expectLast(first, by: root)
    _ = try await root.grant("admin", to: ada.id)
    _ = try await root.revoke(first.id)
    await expectLast(try await ada.client.grant("shop.owner", to: ada.id, on: store), by: ada.client)
    await house.close()
  }

  @Test func `who owns for a while replaces nobody who owns for ever`() async throws {
    let (house, root, ada, eve) = try await House.withAdmin()
    let soon = Timestamp(house.clock.now() + .seconds(60))
    let own = try await root.grant("shop.owner", to: ada.id, on: store)
    let guest = try await ada.client.grant("shop.owner", to: eve.id, on: store, until: soon)
    // Neither the guest nor the owner herself; nor does the own grant get an end by being given once more.
    #expect(try await eve.client.grant("shop.owner", to: ada.id, on: store, until: soon) == own)
    for client in [root, ada.client, eve.client] { await expectLast(own, by: client) }
    await expectRefusal(.failedPrecondition, "CLOSE_BLOCKED") { try await ada.client.closeAccount() }
    // The guest is dispensable, until nothing ends the role any more.
    _ = try await ada.client.revoke(guest.id)
    _ = try await ada.client.grant("shop.owner", to: eve.id, on: store, until: soon)
    let second = try await ada.client.grant("shop.owner", to: eve.id, on: store)
    #expect(second.expireTime == nil)
    _ = try await eve.client.revoke(own.id)
    await expectLast(second, by: eve.client)
    await house.close()
  }

  @Test func `of those who own for a while the one who does so longest stays`() async throws {
    let (house, root, ada, eve) = try await House.withAdmin()
    func owner(_ id: String, seconds: Int64) async throws -> Grant {
      let end = Timestamp(house.clock.now() + .seconds(seconds))
      return try await root.grant("shop.owner", to: id, on: store, until: end)
    }
    let short = try await owner(ada.id, seconds: 60)
    let long = try await owner(eve.id, seconds: 61)
    await expectLast(long, by: root)
    _ = try await root.revoke(short.id)
    // Of two who own equally long one may go.
    let equal = try await owner(ada.id, seconds: 61)
    _ = try await root.revoke(long.id)
    await expectLast(equal, by: root)
    await house.close()
  }

  @Test func `an account that is closing keeps nothing, until it is taken back`() async throws {
    let (house, root, ada, eve) = try await House.withAdmin()
    let own = try await root.grant("shop.owner", to: ada.id, on: store)
    _ = try await root.grant("shop.owner", to: eve.id, on: store)
    try await eve.client.closeAccount()
    await expectLast(own, by: ada.client)
    await expectRefusal(.failedPrecondition, "CLOSE_BLOCKED") { try await ada.client.closeAccount() }
    _ = try await house.client().login("eve")
    _ = try await ada.client.revoke(own.id)
    await house.close()
  }

  @Test func `of two owners one of whom closes the account while the other gives up the role, one stays`() async throws
  {
    let (house, root, ada, eve) = try await House.withAdmin()
    let own = try await root.grant("shop.owner", to: ada.id, on: store)
    _ = try await root.grant("shop.owner", to: eve.id, on: store)
    house.statements.gather(2)
    async let givingUp = refusal { try await ada.client.revoke(own.id) }
    async let closing = refusal { try await eve.client.closeAccount() }
    let outcomes = await [givingUp, closing]
    #expect(
      outcomes == [nil, Refusal(.failedPrecondition, "CLOSE_BLOCKED")]
        || outcomes == [Refusal(.failedPrecondition, "LAST_OWNER"), nil])
    await house.close()
  }

  @Test func `acceptance 5: of two owners who take each other's role at once one is told LAST_OWNER`() async throws {
    let (house, root, ada, eve) = try await House.withAdmin()
    let takes = [
      (ada.client, try await root.grant("shop.owner", to: eve.id, on: store).id),
      (eve.client, try await root.grant("shop.owner", to: ada.id, on: store).id),
    ]
    house.statements.gather(2)
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for (owner, grant) in takes { group.addTask { await refusal { try await owner.revoke(grant) } } }
      return await group.reduce(into: [Refusal?]()) { $0.append($1) }
    }
    #expect(outcomes.count { $0 == nil } == 1)
    #expect(outcomes.count { $0 == Refusal(.failedPrecondition, "LAST_OWNER") } == 1)
    #expect(
      try await house.count("SELECT COUNT(*) FROM identity_grants WHERE role = 'shop.owner' AND revoked_at IS NULL")
        == 1)
    // Afterwards whoever lost is a stranger like any other.
    for (owner, grant) in takes where try await owner.grants().isEmpty {
      await expectRefusal(.notFound, "NOT_FOUND") { try await owner.revoke(grant) }
    }
    await house.close()
  }
}
