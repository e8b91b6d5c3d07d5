import Base
import DomainKit
import RPC
import Refusals
import SocialAPI
import Testing
import WellKnownTypes

@testable import Social

/// What becomes of things and accounts by what moderators decide.
@Suite struct DecisionTests {
  @Test func `each restriction stands for itself: overturning one gives back what it took and no more`() async throws {
    let scene = try await Scene()
    let (world, ada, bob, moe, may) = (scene.world, scene.ada, scene.bob, scene.moe, scene.may)
    let (comment, start) = (try await bob.comment("before", on: scene.thing), world.clock.now())
    func restrict(until end: Instant) async throws -> String {
      let report = try await ada.report(comment.id)
      try await moe.decide(report.id, .act, .restrict, until: end)
      return report.id
    }
    func overturn(_ report: String) async throws {
      try await bob.appeal(report)
      try await may.decideAppeal(report, .overturn)
    }
    func expectRestricted(_ comment: SocialAPI.Comment) async {
      await expectRefusal(.failedPrecondition, "RESTRICTED") { try await bob.edit(comment, "x") }
    }
    try await moe.restrict(bob, until: start + .seconds(7200))
    _ = try await restrict(until: start + .seconds(3600))
    #expect(try await moe.restrict(bob, until: start + .seconds(60)).endTime == Timestamp(start + .seconds(7200)))
    let longer = try await restrict(until: start + .seconds(90_000))
    try await world.advance(by: .seconds(3600))
    await expectRestricted(comment)
    try await overturn(longer)
    await expectRestricted(comment)
    #expect(try await world.broken().isEmpty)
    try await world.advance(by: .seconds(3600))
    let edited = try await bob.edit(comment, "after")
    // What is lifted is no more, whatever is overturned then.
    let lifted = try await restrict(until: start + .seconds(90_000))
    try await moe.restrict(bob, until: start + .seconds(80_000))
    await expectRestricted(edited)
    try await moe.lift(bob)
    try await overturn(lifted)
    try await bob.edit(edited, "at last")
    // The audit sees one that nobody asks about, and one that was overturned.
    try await moe.restrict(bob, until: start + .seconds(90_000))
    #expect(try await world.broken().isEmpty)
    for damage in [
      "UPDATE social_restrictions SET until = until - 1", "DELETE FROM social_restrictions",
      "UPDATE social_restrictions SET until = until + 1", "DELETE FROM social_restraints",
      """
      UPDATE social_decisions SET appealed_id = (SELECT MAX(decision_id) FROM social_restraints), target_id = (
        SELECT d.target_id FROM social_decisions d
        WHERE d.id = (SELECT MAX(decision_id) FROM social_restraints))
      WHERE verdict = 5
      """,
    ] {
      let broken = try await world.reports(of: damage).filter { !$0.holds }
      #expect(broken.allSatisfy { $0.number == 11 } && broken.flatMap(\.violations).contains(bob.text), "\(damage)")
    }
    // One that is over keeps nobody from anything.
    try await world.advance(by: .seconds(90_000))
    #expect(try await world.broken(by: "DELETE FROM social_restrictions").isEmpty)
    await world.close()
  }

  @Test func `nobody restricts an account that is not there, nor lifts what is one's own`() async throws {
    let scene = try await Scene()
    let (world, moe, may) = (scene.world, scene.moe, scene.may)
    let end = world.clock.now() + .seconds(3600)
    await expectRefusal(.notFound, "NOT_FOUND") { try await moe.restrict(world.stranger(), until: end) }
    try await may.restrict(moe, until: end)
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await moe.lift(moe) }
    await expectRefusal(.failedPrecondition, "RESTRICTED") { try await moe.comment("x", on: scene.thing) }
    try await may.lift(moe)
    try await moe.comment("x", on: scene.thing)
    await world.close()
  }

  @Test(arguments: [Measure.warn, .restrict])
  func `what a program held back is shown when moderators do not remove it`(_ measure: Measure) async throws {
    let scene = try await Scene()
    let (world, ada, bob, moe) = (scene.world, scene.ada, scene.bob, scene.moe)
    try await moe.put([("florp", 900)])
    let comment = try await bob.comment("a florp", on: scene.thing)
    let stay = try await world.stay(of: bob, at: scene.thing)
    let review = try await bob.review(scene.thing, over: stay, 4, "a florp")
    try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5)
    #expect(try await world.counters(scene.thing) == [:])
    let waiting = try await moe.queue()
    #expect(Set(waiting.map(\.targetID)) == [comment.id, review.id])
    #expect(try await world.broken(by: "UPDATE social_reports SET state = 4, taken_by = NULL") == [11])
    for report in waiting {
      let until = measure == .restrict ? world.clock.now() + .seconds(60) : nil
      try await moe.decide(report.id, .act, measure, until: until)
    }
    #expect(try await ada.texts(on: scene.thing) == ["a florp"])
    #expect(try await world.counters(scene.thing) == ["comments": 1, "reviews": 1, "scores": 4])
    try await bob.appeal(waiting[0].id)
    try await scene.may.decideAppeal(waiting[0].id, .overturn)
    #expect(try await world.counters(scene.thing) == ["comments": 1, "reviews": 1, "scores": 4])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `what could not be judged is shown, and looked at`() async throws {
    let world = try await World.open(scorer: BrokenScorer())
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let moe = try await world.user("moe_", roles: ["moderator"])
    let thing = try await world.thing(of: ada)
    let comment = try await bob.comment("hello", on: thing)
    let edited = try await bob.comment("well", on: thing)
    #expect(comment.state == .visible)
    for report in try await moe.queue() { try await moe.decide(report.id, .reject) }
    #expect(try await bob.edit(edited, "well said").state == .visible)
    let stay = try await world.stay(of: bob, at: thing)
    let review = try await bob.review(thing, over: stay, 4, "fine")
    try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5)
    let answer = try #require(try await ada.answer(review, "thanks").reply)
    #expect(answer.state == .visible)
    #expect(try await ada.texts(on: thing) == ["well said", "hello"])
    #expect(try await world.counters(thing) == ["comments": 2, "reviews": 1, "scores": 4])
    let waiting = try await moe.queue()
    #expect(waiting.allSatisfy { $0.score == ToxicityScore.reviewed && $0.policy == .toxicity && $0.reporter == nil })
    #expect(Set(waiting.map(\.targetID)).isSuperset(of: [edited.id, review.id, answer.id]))
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `what another moderator has removed is not shown by a look at what a program said of it`() async throws {
    let scene = try await Scene()
    let (world, ada, bob, moe) = (scene.world, scene.ada, scene.bob, scene.moe)
    try await moe.put([("blarg", 600)])
    let comment = try await bob.comment("you blarg", on: scene.thing)
    let report = try await ada.report(comment.id)
    try await moe.decide(report.id, .reject)
    try await ada.appeal(report.id)
    try await scene.may.decideAppeal(report.id, .overturn, .remove)
    let doubt = try #require(try await moe.queue().first { $0.reporter == nil })
    try await moe.decide(doubt.id, .reject)
    #expect(try await ada.texts(on: scene.thing).isEmpty)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }
}

/// Judges nothing.
private struct BrokenScorer: ToxicityScorer, WordLists {
  func score(_ text: String, language: String) async throws -> ToxicityScore { throw Unexpected() }
  func use(_ lists: [DomainKit.WordList]) throws(WordListError) {}
}
