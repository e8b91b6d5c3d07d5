import Base
import DomainKit
import RPC
import Refusals
import SocialAPI
import Storage
import Testing

@testable import Social

/// What was said about a thing goes with it.
@Suite struct GoneTests {
  private static let tables = [
    "social_comments": "subject_id", "social_reviews": "subject_id", "social_reactions": "subject_id",
    "social_follows": "target_id", "social_links": "subject_id", "social_counters": "subject_id",
  ]

  @Test func `invariant 3: of a thing that is gone nothing is left, in pieces, and counters hold`()
    async throws
  {
    var limits = SocialLimits()
    (limits.openedAtOnce, limits.erasedAtOnce) = (2, 2)
    let world = try await World.open(limits: limits)
    let ada = try await world.user("ada")
    var guests: [Somebody] = []
    for number in 1...3 { guests.append(try await world.user("guest\(number)")) }
    let (thing, other) = (try await world.thing(of: ada), try await world.thing(of: ada))
    let link = try await ada.share(thing)
    for (number, guest) in guests.enumerated() {
      try await guest.follow(thing)
      try await guest.react(.like, to: thing)
      try await guest.react(.save, to: thing)
      try await guest.react(.like, to: other)
      let comment = try await guest.comment("a heron, \(number)", on: thing)
      try await ada.comment("yes, @\(guest.handle)", on: thing, replyTo: comment.id)
      try await ada.react(.like, to: comment.id)
      try await guest.share(thing)
      _ = try await guest.resolve(link.token)
      let stay = try await world.stay(of: guest, at: thing)
      let review = try await guest.review(thing, over: stay, 8, "quiet")
      try await ada.review("guest" + guest.text.dropFirst(4), over: stay, 5, "tidy")
      try await ada.answer(review, "thank you")
    }
    try await world.index()
    let watch = guests[0].watchComments(on: thing)
    _ = try await watch.responses.next()

    try await world.remove(thing)
    #expect(try await world.broken().isEmpty)
    await expectRefusal(.notFound, "NOT_FOUND") { while try await watch.responses.next() != nil {} }
    try await world.settle()
    #expect(try await world.broken().isEmpty)
    try await world.advance(by: .seconds(60))
    try await world.settle()
    #expect(try await world.broken().isEmpty)

    let id = try world.kit.subjects.parse(thing, field: "").id
    for (table, column) in Self.tables {
      let left = try await world.database.read { reader in
        try reader.rows("SELECT 1 FROM \(table) WHERE \(column) = $1", id) { _ in table }
      }
      #expect(left.isEmpty)
    }
    let rest: [String] = try await world.database.read { reader in
      // Of what was said about it, and of who came, nothing either.
      try reader.rows("SELECT subject_kind || ' ' || counter FROM social_counters WHERE value <> 0") { $0[0] }
    }
    #expect(Set(rest) == ["thing likes", "guest reviews", "guest scores"])
    for table in ["social_mentions", "social_link_uses", "octet_timers WHERE kind = 'social.gone'"] {
      let count: Int64? = try await world.database.read { reader in
        try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] }
      }
      #expect(count == 0, "\(table)")
    }
    #expect(try await world.counters(other) == ["likes": 3])
    await world.close()
  }

  @Test func `what a program wanted looked at waits no more once it is gone or deleted; what people report does`()
    async throws
  {
    let scene = try await Scene()
    let (world, ada, bob, moe) = (scene.world, scene.ada, scene.bob, scene.moe)
    let other = try await world.thing(of: ada)
    try await moe.put([("florp", 900), ("blarg", 600)])
    // On a thing that goes: one that is held, one that is shown and taken, and one that people report too.
    let held = try await bob.comment("you florp", on: scene.thing)
    let shown = try await bob.comment("you blarg", on: scene.thing)
    try await ada.report(shown.id)
    // On one that stays, two that their author takes back.
    let deleted = try await bob.comment("you blarg", on: other)
    let stay = try await world.stay(of: bob, at: other)
    let review = try await bob.review(other, over: stay, 3, "a florp")
    let kept = try await bob.comment("a blarg", on: other)
    let doubts = Dictionary(
      uniqueKeysWithValues: try await moe.queue().filter { $0.reporter == nil }.map { ($0.targetID, $0.id) })
    #expect(Set(doubts.keys) == [held.id, shown.id, deleted.id, review.id, kept.id])
    try await moe.decide(try #require(doubts[shown.id]), .take)
    let watch = scene.may.moderation.watchQueue(WatchQueueRequest())
    _ = try await watch.responses.next()

    try await bob.delete(deleted)
    try await bob.delete(review)
    try await world.remove(scene.thing)
    try await world.settle()
    var dismissed: Set<String> = []
    while dismissed.count < 4, case .report(let report) = try await watch.responses.next()?.event {
      #expect(report.state == .rejected && report.decisions.isEmpty && report.takenBy == nil)
      dismissed.insert(report.targetID)
    }
    watch.cancel()
    #expect(dismissed == [held.id, shown.id, deleted.id, review.id])
    let left = try await moe.queue()
    #expect(Set(left.map(\.targetID)) == [kept.id, shown.id])
    #expect(left.first { $0.targetID == shown.id }?.reporter?.handle == "ada")
    #expect(try await moe.queue(.triaged).isEmpty)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") {
      try await moe.decide(try #require(doubts[held.id]), .reject)
    }
    // Nor does it come back when the moderator's time is over.
    try await world.advance(by: SocialLimits().triageTime)
    #expect(try await moe.queue().count == 2)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `nobody need look at what an erased account said, nor at the answer to a review that was taken back`()
    async throws
  {
    let scene = try await Scene()
    let (world, ada, bob, moe) = (scene.world, scene.ada, scene.bob, scene.moe)
    let eve = try await world.user("eve")
    try await moe.put([("florp", 900), ("blarg", 600)])
    // Of Bob, whose account goes: a comment that is held, one that is shown and that people report too, and a review.
    let held = try await bob.comment("you florp", on: scene.thing)
    let shown = try await bob.comment("you blarg", on: scene.thing)
    try await ada.report(shown.id)
    let review = try await bob.review(scene.thing, over: world.stay(of: bob, at: scene.thing), 3, "a florp")
    // Of Ada, who stays: the answer to a review that goes.
    let stay = try await world.stay(of: eve, at: scene.thing)
    let answered = try await eve.review(scene.thing, over: stay, 3, "cold")
    try await ada.review("guest" + eve.text.dropFirst(4), over: stay, 5, "tidy")
    let answer = try #require(try await ada.answer(answered, "you blarg").reply?.id)
    let doubts = Dictionary(
      uniqueKeysWithValues: try await moe.queue().filter { $0.reporter == nil }.map { ($0.targetID, $0.id) })
    #expect(Set(doubts.keys) == [held.id, shown.id, review.id, answer])
    try await moe.decide(try #require(doubts[answer]), .take)

    try await eve.delete(answered)
    try await world.erase(bob)
    #expect(try await world.broken().isEmpty)
    try await world.settle()
    // What people have reported waits still, and nobody has decided anything.
    #expect(try await moe.queue().map(\.targetID) == [shown.id])
    #expect(try await moe.queue(.triaged).isEmpty)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") {
      try await moe.decide(try #require(doubts[held.id]), .act, .remove)
    }
    try await world.advance(by: .seconds(60))
    #expect(try await world.broken().isEmpty)
    let back = try await world.named(by: "UPDATE social_reports SET state = 1 WHERE reporter_id = 0")
    #expect(back == Set(doubts.keys.map { "11 \($0)" }))
    await world.close()
  }

  @Test func `what was said about a thing whose domain has forgotten to say that it is gone is found`() async throws {
    let world = try await World.open()
    let ada = try await world.user("ada")
    let (thing, other) = (try await world.thing(of: ada), try await world.thing(of: ada))
    for each in [thing, other] { try await ada.react(.like, to: each) }
    try await world.remove(other, isTold: false)
    #expect(try await world.broken().map(\.violations) == [[other]])
    await world.close()
  }
}
