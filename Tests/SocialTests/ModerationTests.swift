import Base
import DomainKit
import Identity
import RPC
import Refusals
import SocialAPI
import Storage
import Testing
import WellKnownTypes

@testable import Social

@Suite struct ModerationTests {
  @Test func `a report goes through the queue to a decision that settles all reports on the thing`() async throws {
    let scene = try await Scene()
    let (world, ada, bob, moe) = (scene.world, scene.ada, scene.bob, scene.moe)
    let eve = try await world.user("eve")
    let comment = try await bob.comment("buy!", on: scene.thing)
    let reply = try await eve.comment("no", on: scene.thing, replyTo: comment.id)
    let first = try await ada.report(comment.id)
    #expect(first.state == .open && first.targetID == comment.id && first.decisions.isEmpty)
    try await eve.report(comment.id, .illegal)
    await expectRefusal(.alreadyExists, "REPORT_EXISTS") { try await ada.report(comment.id, .hate) }
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await bob.report(comment.id) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await ada.report(reply.id, .toxicity) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.report("cmt_0000000000007") }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { _ = try await ada.queue() }
    #expect(try await bob.cases(aboutMe: true).isEmpty)

    let waiting = try await moe.queue()
    #expect(waiting.map(\.policy) == [.spam, .illegal] && waiting.allSatisfy { $0.content == "buy!" })
    #expect(waiting[0].reporter?.handle == "ada" && waiting[0].owner?.handle == "bob" && waiting[0].text == "look")
    try await moe.decide(first.id, .take)
    #expect(try await moe.queue(.triaged).map(\.takenBy?.handle) == ["moe_"])
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await scene.may.decide(first.id, .act, .remove) }
    let decided = try await moe.decide(first.id, .act, .remove)
    #expect(decided.state == .actioned && decided.decisions.map(\.measure) == [.remove])
    #expect(decided.decisions[0].author?.handle == "moe_" && decided.decisions[0].note == "seen")
    #expect(try await moe.queue().isEmpty)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await moe.decide(first.id, .reject) }

    // The comment is gone but for its author, its reply stays.
    #expect(try await eve.texts(on: scene.thing) == ["†"])
    #expect(try await world.counters(scene.thing) == ["comments": 1])
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.react(.like, to: comment.id) }
    #expect(try await bob.texts(on: scene.thing) == ["buy!"])
    let mine = try await bob.cases(aboutMe: true)
    #expect(mine.map(\.state) == [.actioned] && mine[0].appealUntil != nil)
    #expect(mine[0].decisions[0].author == nil && mine[0].decisions[0].note.isEmpty)
    #expect(try await eve.cases(aboutMe: false).map(\.state) == [.actioned])
    #expect(try await bob.notices() == ["social.replied", "social.removed"])
    #expect(try await eve.notices() == ["social.report_settled"])
    // Somebody can report what is not open any more.
    try await eve.report(scene.thing)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `acceptance 16: an appeal is decided by another, and overturning restores what was there`() async throws {
    let scene = try await Scene()
    let (world, ada, bob, moe, may) = (scene.world, scene.ada, scene.bob, scene.moe, scene.may)
    let comment = try await bob.comment("fine", on: scene.thing)
    let report = try await ada.report(comment.id)
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.appeal(report.id) }
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await ada.appeal(report.id) }
    try await moe.decide(report.id, .act, .remove)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await ada.appeal(report.id) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await scene.may.appeal(report.id) }
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await may.decideAppeal(report.id, .overturn) }
    #expect(try await bob.appeal(report.id).state == .appealed)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await bob.appeal(report.id) }
    #expect(try await may.queue(.appealed).map(\.appealText) == ["it was not so"])
    await expectRefusal(.failedPrecondition, "SAME_REVIEWER") { try await moe.decideAppeal(report.id, .uphold) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await may.decideAppeal(report.id, .overturn, .remove)
    }
    let overturned = try await may.decideAppeal(report.id, .overturn)
    #expect(overturned.state == .overturned && overturned.decisions.map(\.verdict) == [.act, .overturn])
    #expect(try await ada.texts(on: scene.thing) == ["fine"])
    #expect(try await world.counters(scene.thing) == ["comments": 1])
    #expect(try await bob.notices() == ["social.removed", "social.appeal_settled"])

    // A rejection, against which its reporter appeals.
    let second = try await ada.report(comment.id, .hate)
    try await moe.decide(second.id, .reject)
    #expect(try await ada.cases(aboutMe: false).map(\.state) == [.rejected, .overturned])
    try await ada.appeal(second.id)
    try await may.decideAppeal(second.id, .overturn, .remove)
    #expect(try await ada.texts(on: scene.thing).isEmpty)
    #expect(try await bob.cases(aboutMe: true).map(\.state) == [.overturned, .overturned])
    // One that stands, and is over.
    let third = try await bob.comment("third", on: scene.thing)
    let last = try await ada.report(third.id)
    try await moe.decide(last.id, .act, .warn)
    try await bob.appeal(last.id)
    #expect(try await may.decideAppeal(last.id, .uphold).state == .upheld)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await bob.appeal(last.id) }
    #expect(try await ada.texts(on: scene.thing) == ["third"])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `whoever has reported the thing as well decides no appeal against what was done about it`() async throws {
    let scene = try await Scene()
    let (world, bob, moe, may) = (scene.world, scene.bob, scene.moe, scene.may)
    let comment = try await bob.comment("buy!", on: scene.thing)
    let report = try await scene.ada.report(comment.id)
    try await may.report(comment.id)
    try await moe.decide(report.id, .act, .remove)
    try await bob.appeal(report.id)
    for verdict in [Verdict.uphold, .overturn] {
      await expectRefusal(.failedPrecondition, "SAME_REVIEWER") { try await may.decideAppeal(report.id, verdict) }
    }
    let third = try await world.user("mo3_", roles: ["moderator"])
    #expect(try await third.decideAppeal(report.id, .overturn).state == .overturned)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `what a moderator deletes can be appealed against, and nobody judges what is his or her own`() async throws
  {
    let scene = try await Scene()
    let (world, bob, moe, may) = (scene.world, scene.bob, scene.moe, scene.may)
    let comment = try await bob.comment("fine", on: scene.thing)
    try await moe.delete(comment)
    let found = try #require(try await bob.cases(aboutMe: true).first)
    #expect(found.state == .actioned && found.targetID == comment.id)
    try await bob.appeal(found.id)
    await expectRefusal(.failedPrecondition, "SAME_REVIEWER") { try await moe.decideAppeal(found.id, .uphold) }
    try await may.decideAppeal(found.id, .overturn)
    #expect(try await scene.ada.texts(on: scene.thing) == ["fine"])
    let own = try await moe.comment("mine", on: scene.thing)
    let report = try await bob.report(own.id)
    await expectRefusal(.failedPrecondition, "SAME_REVIEWER") { try await moe.decide(report.id, .reject) }
    // What cannot be taken away is not.
    let other = try await bob.report(scene.thing)
    await expectRefusal(.failedPrecondition, "NOT_REMOVABLE") { try await may.decide(other.id, .act, .remove) }
    for (verdict, measure) in [(Verdict.act, Measure.unspecified), (.reject, .warn), (.uphold, .unspecified)] {
      await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await may.decide(other.id, verdict, measure) }
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await may.decide("rep_0000000000007", .reject) }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `a restricted account cannot post till its date, by any method that posts`() async throws {
    let scene = try await Scene()
    let (world, bob, moe, may) = (scene.world, scene.bob, scene.moe, scene.may)
    let comment = try await bob.comment("before", on: scene.thing)
    let end = world.clock.now() + .seconds(3600)
    let restriction = try await moe.restrict(bob, until: end)
    await expectRefusal(.failedPrecondition, "RESTRICTED") { try await bob.comment("x", on: scene.thing) }
    await expectRefusal(.failedPrecondition, "RESTRICTED") { try await bob.edit(comment, "x") }
    try await bob.react(.like, to: scene.thing)
    #expect(try await bob.notices() == ["social.restricted"])
    try await moe.lift(bob)
    try await moe.lift(bob)
    try await bob.comment("after", on: scene.thing)
    // By a report, and undone by an appeal.
    let report = try await scene.ada.report(comment.id)
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await moe.decide(report.id, .act, .restrict, until: world.clock.now())
    }
    try await moe.decide(report.id, .act, .restrict, until: end)
    await expectRefusal(.failedPrecondition, "RESTRICTED") { try await bob.comment("x", on: scene.thing) }
    try await bob.appeal(report.id)
    try await may.decideAppeal(report.id, .overturn)
    try await bob.comment("again", on: scene.thing)
    // One that a later decision has put in its place stands.
    let again = try await scene.ada.report(comment.id)
    try await moe.decide(again.id, .act, .restrict, until: end)
    try await world.advance(by: .seconds(1))
    try await moe.restrict(bob, until: end)
    try await bob.appeal(again.id)
    try await may.decideAppeal(again.id, .overturn)
    await expectRefusal(.failedPrecondition, "RESTRICTED") { try await bob.comment("x", on: scene.thing) }
    try await world.advance(by: .seconds(3600))
    try await bob.comment("at last", on: scene.thing)
    #expect(restriction.userID == bob.text)
    #expect(try await bob.cases(aboutMe: true).count == 4)
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await moe.restrict(moe, until: end + .seconds(9999)) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await moe.restrict(bob, until: end) }
    await world.close()
  }

  @Test func `a moderator is told of all fields that do not fit`() async throws {
    let scene = try await Scene()
    let (world, bob, moe) = (scene.world, scene.bob, scene.moe)
    let report = try await bob.report(scene.thing)
    func faults(of verdict: Verdict) async -> [String] {
      var decision = DecideRequest()
      (decision.requestID, decision.reportID, decision.verdict) = (newRequestID(), report.id, verdict)
      decision.restrictUntil = Timestamp(world.clock.now())
      return await badFields { [decision] in try await moe.moderation.decide(decision) }
    }
    #expect(await faults(of: .act) == ["measure", "policy", "restrict_until"])
    #expect(await faults(of: .uphold) == ["verdict", "restrict_until"])
    let appeal = await badFields { try await moe.decideAppeal(report.id, .act, .restrict) }
    #expect(appeal == ["verdict", "measure"])
    var restriction = RestrictAccountRequest()
    (restriction.requestID, restriction.userID, restriction.policy) = (newRequestID(), bob.text, .toxicity)
    restriction.endTime = Timestamp(world.clock.now())
    let fields = await badFields { [restriction] in try await moe.moderation.restrictAccount(restriction) }
    #expect(fields == ["policy", "end_time"])
    await world.close()
  }

  @Test func `what is taken and not decided comes back; an appeal has its time`() async throws {
    let scene = try await Scene()
    let (world, bob, moe, may) = (scene.world, scene.bob, scene.moe, scene.may)
    let comment = try await bob.comment("fine", on: scene.thing)
    let report = try await scene.ada.report(comment.id)
    try await moe.decide(report.id, .take)
    #expect(try await may.queue().isEmpty)
    try await world.advance(by: SocialLimits().triageTime)
    #expect(try await may.queue().map(\.id) == [report.id])
    try await may.decide(report.id, .act, .remove)
    try await world.advance(by: SocialLimits().appealWindow)
    await expectRefusal(.failedPrecondition, "WINDOW_CLOSED") { try await bob.appeal(report.id) }
    await world.close()
  }

  @Test func `what reads like an insult is held, what may be one is shown and looked at; the worst comes first`()
    async throws
  {
    var limits = SocialLimits()
    limits.listedWords = 3
    let scene = try await Scene(limits: limits)
    let (world, ada, bob, moe) = (scene.world, scene.ada, scene.bob, scene.moe)
    let list = try await moe.put([("florp", 900), ("blarg", 600)])
    await expectRefusal(.aborted, "ETAG_MISMATCH") { try await moe.put([("florp", 1)]) }
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") {
      try await moe.put([("a1", 1), ("b1", 1)], language: "de")
    }
    let bad = await badFields { try await moe.put([("florp", 1), ("***", 1)], etag: list.etag) }
    #expect(bad == ["list.words[1]"])
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await ada.put([("x", 1)]) }

    let shown = try await bob.comment("you blarg", on: scene.thing)
    let held = try await bob.comment("you florp", on: scene.thing)
    #expect(shown.state == .visible && held.state == .held)
    #expect(try await ada.texts(on: scene.thing) == ["you blarg"])
    #expect(try await bob.texts(on: scene.thing) == ["you florp", "you blarg"])
    #expect(try await world.counters(scene.thing) == ["comments": 1])
    #expect(try await ada.notices() == ["social.commented"])
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.report(held.id) }
    var pages: [Int32] = []
    var token = ""
    repeat {
      let page = try await moe.queuePage(size: 1, token: token)
      pages += page.reports.map(\.score)
      token = page.nextPageToken
    } while !token.isEmpty
    #expect(pages == [900, 600])
    // Approved: it is shown, and told, from now on.
    let report = try #require(try await moe.queue().first)
    #expect(report.reporter == nil && report.policy == .toxicity)
    try await moe.decide(report.id, .reject)
    #expect(try await ada.texts(on: scene.thing) == ["you florp", "you blarg"])
    #expect(try await ada.notices() == ["social.commented", "social.commented"])
    // An edit that makes it bad hides it, and what is held stays so.
    let worse = try await bob.edit(shown, "florp")
    #expect(worse.state == .held && worse.etag == "2")
    let nice = try await bob.edit(worse, "nice")
    #expect(nice.state == .held)
    #expect(try await world.counters(scene.thing) == ["comments": 1])
    let again = try await moe.queue()
    #expect(again.map(\.targetID) == [shown.id] && again.map(\.score) == [900])
    try await moe.decide(again[0].id, .act, .remove)
    #expect(try await bob.cases(aboutMe: true).map(\.state) == [.actioned])
    #expect(try await world.broken().isEmpty)

    // Another server on the same database has the words from its start.
    let scorer = WordScorer()
    let words = WordKeeper(scorer, limit: 3)
    try await words.load(from: world.database)
    #expect(try scorer.score("florp", language: "en").value == 900)
    _ = try await moe.put([("blarg", 600)], etag: list.etag)
    try await words.load(from: world.database)
    #expect(try scorer.score("florp", language: "en").value == 0)
    await world.close()
  }

  @Test func `the queue is streamed: what waits, then every change`() async throws {
    let scene = try await Scene()
    let comment = try await scene.bob.comment("fine", on: scene.thing)
    let first = try await scene.ada.report(comment.id)
    var request = WatchQueueRequest()
    let stream = scene.moe.moderation.watchQueue(request)
    let opening = try #require(try await stream.responses.next())
    guard case .snapshot(let list) = opening.event else { throw Unexpected() }
    #expect(list.reports.map(\.id) == [first.id])
    let second = try await scene.ada.report(scene.bob.text)
    guard case .report(let new) = try await stream.responses.next()?.event else { throw Unexpected() }
    #expect(new.id == second.id)
    stream.cancel()
    try await scene.moe.decide(second.id, .reject)
    request.resumeToken = opening.resumeToken
    let again = scene.may.moderation.watchQueue(request)
    for _ in 0..<2 {
      guard case .report(let report) = try await again.responses.next()?.event else { throw Unexpected() }
      #expect(report.id == second.id && report.state == .rejected)
    }
    again.cancel()
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await scene.ada.moderation.watchQueue(WatchQueueRequest()).responses.next()
    }
    await scene.world.close()
  }

  @Test func `whoever blocks somebody can report what was said before; whoever was blocked cannot`() async throws {
    let scene = try await Scene()
    let (world, ada, bob, moe) = (scene.world, scene.ada, scene.bob, scene.moe)
    let eve = try await world.user("eve")
    let place = try await world.thing(of: eve)
    let (bobs, adas) = (try await bob.comment("bad words", on: place), try await ada.comment("hello", on: place))
    try await ada.block(bob.text)
    let report = try await ada.report(bobs.id, .harassment, "he said my street")
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.report(adas.id) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.report(ada.text) }
    try await bob.block(ada.text)
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.report(bob.text) }
    // What was written about it goes with either account; the decision stays.
    try await moe.decide(report.id, .act, .remove)
    try await world.erase(bob)
    let words: [String] = try await world.database.read { reader in
      try reader.rows("SELECT r.text || r.appeal_text || d.note FROM social_reports r, social_decisions d") { $0[0] }
    }
    #expect(words == [""])
    #expect(try await ada.cases(aboutMe: false).map(\.state) == [.actioned])
    await world.close()
  }

  @Test func `a moderator's stream ends with the role`() async throws {
    let scene = try await Scene()
    let stream = scene.may.moderation.watchQueue(WatchQueueRequest())
    _ = try await stream.responses.next()
    let people = scene.world.identity.people
    let may = scene.may.id
    try await scene.world.database.write { try people.revoke("social.moderator", from: may, on: nil, in: $0) }
    try await scene.ada.report(scene.bob.text)
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await stream.responses.next() }
    await scene.world.close()
  }

  @Test func `invariant 11: of many who decide and appeal at once, one does`() async throws {
    var limits = SocialLimits()
    limits.reportsPerDay = 1
    let scene = try await Scene(limits: limits)
    let (world, bob) = (scene.world, scene.bob)
    let comment = try await bob.comment("fine", on: scene.thing)
    var reporters: [Somebody] = []
    for number in 0..<4 { reporters.append(try await world.user("user\(number)")) }
    let moderators = [scene.moe, scene.may]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for reporter in reporters {
        group.addTask { try await reporter.report(comment.id) }
      }
      try await group.waitForAll()
    }
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { try await reporters[0].report(scene.thing) }
    let ids = try await scene.moe.queue().map(\.id)
    let decided = await withTaskGroup(of: Bool.self) { group in
      for moderator in moderators {
        for id in ids {
          group.addTask { (try? await moderator.decide(id, .act, .remove)) != nil }
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(decided == 1)
    let found = try #require(try await bob.cases(aboutMe: true).first)
    let appeals = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 { group.addTask { (try? await bob.appeal(found.id)) != nil } }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(appeals == 1)
    let judged = await withTaskGroup(of: Bool.self) { group in
      for moderator in moderators {
        group.addTask { (try? await moderator.decideAppeal(found.id, .overturn)) != nil }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(judged == 1)
    #expect(try await scene.ada.texts(on: scene.thing) == ["fine"])
    #expect(try await world.counters(scene.thing) == ["comments": 1])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }
}
