import Base
import DomainKit
import IdentityAPI
import Storage
import Testing

@testable import Identity

@Suite struct ContactTests {
  private func id(_ user: User) throws -> Identifier { try Identifier.parse(user.id, kind: "user") }

  @Test func `a contact is told to other domains once it is proved, and no more after the account is erased`()
    async throws
  {
    let house = try await House.open()
    let ada = try id(try await house.client().register("ada", contact: .email("Ada@example.org")))
    let bob = try id(try await house.client().register("bob", contact: .phone("+358401234567")))
    let contacts = house.identity.contacts
    func seen(_ user: Identifier) async throws -> (kinds: Set<DomainKit.ContactKind>, email: String?, phone: String?) {
      try await house.database.read { reader in
        (
          try contacts.provedContacts(of: user, in: reader), try contacts.contact(.email, of: user, in: reader),
          try contacts.contact(.phone, of: user, in: reader)
        )
      }
    }
    #expect(try await seen(ada) == ([], nil, nil))
    try await house.execute("UPDATE identity_contacts SET proved_at = claimed_at", [])
    #expect(try await seen(ada) == ([.email], "ada@example.org", nil))
    #expect(try await seen(bob) == ([.phone], nil, "+358401234567"))
    // Erasing forgets the key, and with it what was sealed.
    try await house.execute(
      "UPDATE identity_users SET state = 5, sealing_key = $1 WHERE id = $2",
      [
        .blob([]), ada.sqlValue,
      ])
    #expect(try await seen(ada).email == nil)
    await house.close()
  }

  @Test func `audiences: everybody, and the holders of a role, part by part`() async throws {
    let house = try await House.open()
    var users: [Identifier] = []
    for handle in ["ada", "bob", "eve"] { users.append(try id(try await house.client().register(handle))) }
    try await house.identity.grantRole(handle: "bob", role: "shop.ops")
    let sources = Dictionary(uniqueKeysWithValues: house.identity.audiences.map { ($0.name, $0) })
    func members(_ audience: Audience, after: Identifier? = nil, limit: Int = 9) async throws -> [Identifier] {
      let source = try #require(sources[audience.source])
      return try await house.database.read { reader in
        try source.members(of: audience.key, after: after, limit: limit, in: reader)
      }
    }
    #expect(try await members(.everybody) == users)
    #expect(try await members(.everybody, limit: 2) == Array(users.prefix(2)))
    #expect(try await members(.everybody, after: users[1]) == [users[2]])
    #expect(try await members(.holders(of: "shop.ops")) == [users[1]])
    #expect(try await members(.holders(of: "admin")).isEmpty)
    try await house.execute("UPDATE identity_users SET state = 5 WHERE handle = 'eve'", [])
    #expect(try await members(.everybody) == Array(users.prefix(2)))
    await house.close()
  }
}
