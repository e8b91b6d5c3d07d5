import Base
import DomainKit
import Refusals
import SocialAPI
import Storage
import Testing

@testable import Social

/// What a thing's own domain is told, in the transaction in which it happens.
@Suite struct DeedTests {
  @Test func `a thing's domain is told of each deed once, and when it is taken back`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let moe = try await world.user("moe_", roles: ["moderator"])
    let thing = try await world.thing(of: ada)
    let (a, b, m) = (ada.id.rawValue, bob.id.rawValue, moe.id.rawValue)

    for _ in 1...2 { try await bob.react(.like, to: thing) }
    try await bob.react(.save, to: thing)
    try await bob.react(.emoji, "🎉", to: thing)
    try await bob.react(.emoji, "🐦", to: thing)
    #expect(
      try await world.deeds(thing) == ["+like \(b)", "+save \(b)", "+emoji🎉 \(b)", "-emoji🎉 \(b)", "+emoji🐦 \(b)"])
    for _ in 1...2 { try await bob.clear(.like, from: thing) }
    #expect(try await world.deeds(thing) == ["-like \(b)"])

    for _ in 1...2 { try await bob.follow(thing) }
    try await bob.unfollow(thing)
    #expect(try await world.deeds(thing) == ["+follow \(b)", "-follow \(b)"])

    let comment = try await bob.comment("well", on: thing)
    try await bob.comment("you asshole", on: thing)
    try await bob.edit(comment, "very well")
    try await ada.comment("thanks", on: thing, replyTo: comment.id)
    try await bob.delete(comment)
    #expect(try await world.deeds(thing) == ["+comment \(b)", "+comment \(a)", "-comment \(b)"])

    let link = try await bob.share(thing)
    for _ in 1...2 { _ = try await moe.resolve(link.token) }
    try await bob.revoke(link)
    #expect(try await world.deeds(thing) == ["+share \(b)", "+arrival by \(b) \(m)", "-share \(b)"])

    try await bob.report(thing)
    #expect(try await world.deeds(thing) == ["+report \(b)"])

    let stay = try await world.stay(of: bob, at: thing)
    let review = try await bob.review(thing, over: stay, 7, "good")
    #expect(try await world.deeds(thing).isEmpty)
    try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5, "tidy")
    try await bob.update(review, 9, "better")
    #expect(try await world.deeds(thing) == ["+review 7 \(b)", "-review 7 \(b)", "+review 9 \(b)"])

    try await world.erase(bob)
    #expect(try await Set(world.deeds(thing)) == ["-save \(b)", "-emoji🐦 \(b)", "-review 9 \(b)"])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `moderators read what they judge, as its domain puts it, and no more than they can read`() async throws {
    var limits = SocialLimits()
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let moe = try await world.user("moe_", roles: ["moderator"])
    let thing = try await world.thing(of: ada)
    let id = try world.kit.subjects.parse(thing, field: "").id
    try await bob.report(thing)
    #expect(try await moe.queue().map(\.content) == [Things.said(by: id)])
    // Those who reported are told nothing of it.
    #expect(try await bob.cases(aboutMe: false).map(\.targetID) == [thing])
    try await world.remove(thing)
    #expect(try await moe.queue().map(\.content) == [""])
    await world.close()

    limits.judgedWords = 5
    let narrow = try await World.open(limits: limits)
    let (carl, eve) = (try await narrow.user("carl"), try await narrow.user("eve"))
    let max = try await narrow.user("max_", roles: ["moderator"])
    try await eve.report(try await narrow.thing(of: carl))
    #expect(try await max.queue().map(\.content) == ["thing"])
    await narrow.close()
  }
}
