import Base
import DomainKit
import RPC
import Refusals
import SocialAPI
import Storage
import Testing

@testable import Social

@Suite struct ShareTests {
  @Test func `a link leads to its thing, and credits its maker once for each who follows it`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let thing = try await world.thing(of: ada)
    let link = try await bob.share(thing)
    #expect(try await bob.share(thing) == link)
    #expect(try await world.counters(thing) == ["shares": 1])
    for user in [eve, eve, bob, ada, world.stranger()] {
      let found = try await user.resolve(link.token)
      #expect(found.subjectID == thing && found.maker?.handle == "bob")
    }
    #expect(try await bob.links().map(\.useCount) == [2])
    #expect(try await eve.links().isEmpty)

    var forged = Array(link.token)
    forged[6] = forged[6] == "A" ? "B" : "A"
    for token in ["x", String(forged), String(link.token.dropLast()), "ol1.AAAAAAAAAAc.AAAA"] {
      await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.resolve(token) }
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.revoke(link) }
    let revoked = try await bob.revoke(link)
    #expect(revoked.revokeTime != nil)
    #expect(try await bob.revoke(link) == revoked)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.resolve(link.token) }
    #expect(try await world.counters(thing) == [:])
    let next = try await bob.share(thing)
    #expect(next.id != link.id)
    #expect(try await bob.links().map(\.id) == [next.id, link.id])
    // Of whom a block hides, no link is followed.
    try await bob.block(eve.text)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.resolve(next.token) }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `limits: linksPerDay`() async throws {
    var limits = SocialLimits()
    limits.linksPerDay = 1
    let world = try await World.open(limits: limits)
    let ada = try await world.user("ada")
    let (one, two) = (try await world.thing(of: ada), try await world.thing(of: ada))
    try await ada.share(one)
    try await ada.share(one)
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { try await ada.share(two) }
    await world.close()
  }
}
