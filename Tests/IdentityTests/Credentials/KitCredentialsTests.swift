import Base
import Cryptography
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// Credentials as other domains make them, in a transaction of their own.
@Suite struct KitCredentialsTests {
  private struct Till: Error {}

  private let trail = Trail()
  private let key: SigningKey

  init() throws { key = try SigningKey(seed: .random()) }

  /// A house with a merchant.
  private func open() async throws -> (House, merchant: Identifier) {
    let house = try await House.open(audit: { [trail] _ in trail })
    let merchant = try await house.client().register("merchant")
    return (house, try Identifier.parse(merchant.id, kind: "user"))
  }

  private func till(_ role: String = "support", expiresAt: Instant? = nil) -> NewMachine {
    NewMachine(
      .terminal, name: "till 3", publicKey: key.publicKey, roles: [RoleGrant(role: role)], expiresAt: expiresAt)
  }

  private func write<Result: Sendable>(
    _ house: House, _ body: @escaping @Sendable (any Credentials, any Writer) throws -> Result
  ) async throws -> Result {
    let credentials = house.identity.credentials
    return try await house.kit.database.write { try body(credentials, $0) }
  }

  @Test func `a machine that a domain made signs in, is known by its number, and is out when the domain ends it`()
    async throws
  {
    let (house, merchant) = try await open()
    let end = house.clock.now() + .seconds(3600)
    let new = till(expiresAt: end)
    let made = try await write(house) { try $0.create(new, of: merchant, by: .user(merchant), in: $1) }
    #expect(made.owner == merchant && made.kind == .terminal && made.name == "till 3" && made.expiresAt == end)
    let printed = made.id.text(kind: "cred")
    let machine = house.client(try await house.client().loginMachine(printed, key).accessToken)
    let eve = try await house.client().register("eve")
    #expect(try await machine.suspend(eve.id).state == .suspended, "its role lets it")
    #expect(trail.entries("credential.created").map(\.actor) == [.user(merchant)])

    let seen = try await write(house) { try $0.machine(made.id, in: $1) }
    #expect(seen == made && made.isLive)
    #expect(try await write(house) { try $0.machine(merchant, in: $1) } == nil)
    for _ in 0..<2 { try await write(house) { try $0.revoke(made.id, by: .user(merchant), in: $1) } }
    #expect(try await write(house) { try $0.machine(made.id, in: $1)?.isLive } == false)
    #expect(trail.entries("credential.revoked").count == 2)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await machine.restore(eve.id) }
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    await house.close()
  }

  @Test func `nothing is left of one whose transaction fails, and a machine or an unknown role makes none`()
    async throws
  {
    let (house, merchant) = try await open()
    let (new, odd) = (till(), till("pay.nothing"))
    await #expect(throws: Till.self) {
      try await write(house) { credentials, writer in
        _ = try credentials.create(new, of: merchant, by: .server, in: writer)
        throw Till()
      }
    }
    await #expect(throws: KitError.unknownRole(field: "role")) {
      try await write(house) { _ = try $0.create(odd, of: merchant, by: .server, in: $1) }
    }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_credentials") == 0)
    let made = try await write(house) { try $0.create(new, of: merchant, by: .server, in: $1) }
    await #expect(throws: KitError.permissionDenied) {
      try await write(house) { _ = try $0.create(new, of: made.id, by: .server, in: $1) }
    }
    await house.close()
  }
}
