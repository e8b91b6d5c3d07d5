import Base
import DomainKit
import PostgreSQLServer
import RPC
import Refusals
import SocialAPI
import Storage
import Testing

@testable import Social

@Suite struct ReviewTests {
  @Test func `who changes an answer waits for its turn before taking the review, like who decides about the answer`()
    async throws
  {
    let world = try await World.open()
    let (host, guest) = (try await world.user("host"), try await world.user("guest"))
    let thing = try await world.thing(of: host)
    let review = try await guest.review(thing, over: try await world.stay(of: guest, at: thing), 9, "lovely")
    try await world.advance(by: .seconds(14 * 86_400))
    let answer = try #require(try await host.answer(review, "thanks").reply?.id)
    let (core, isIn, runs) = (world.social.core, ParkingSpot(), Locked(0))
    let (id, answerID) = (
      try Identifier.parse(review.id, kind: "rev"), try Identifier.parse(answer, kind: "cmt")
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await world.database.write { writer in
          try core.takeTurn(Turn(about: SubjectID("cmt", answerID)), in: writer)
          // Each body runs twice here, and the first run's turn is over with it.
          let isToStay = runs.withLock { runs in
            runs += 1
            return runs > 1
          }
          guard writer.dialect == .postgreSQL else { return isIn.unpark() }
          guard isToStay else { return }
          isIn.unpark()
          try writer.waitUntilWaitedFor()
          #expect(try writer.exists("SELECT 1 FROM social_reviews WHERE id = $1 FOR UPDATE NOWAIT", id))
        }
      }
      group.addTask {
        try await isIn.park(atMost: .seconds(600))
        #expect(try await host.answer(review, "many thanks").reply?.text == "many thanks")
      }
      try await group.waitForAll()
    }
    await world.close()
  }

  /// Invariant 10 of stays, as others of these: one review of each side, only after what it is about, and sums of visible
  /// ones.
  @Test func `invariant 10: one side's review is hidden till the other has written, or its time is over`() async throws
  {
    let world = try await World.open()
    let (host, guest, eve) = (try await world.user("host"), try await world.user("guest"), try await world.user("eve"))
    let thing = try await world.thing(of: host)
    let stay = try await world.stay(of: guest, at: thing)
    let first = try await guest.review(thing, over: stay, 9, "lovely", ["cleanliness": 10])
    #expect(first.state == .blind && first.lowest == 1 && first.highest == 10 && first.keyID == stay)
    #expect(try await guest.read(first).aspects.map(\.score) == [10])
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await host.read(first) }
    #expect(try await host.reviews(of: thing).reviews.isEmpty)
    #expect(try await world.counters(thing) == [:])
    #expect(try await host.notices().isEmpty)

    let other = try await host.review("guest" + guest.text.dropFirst(4), over: stay, 5, "tidy")
    #expect(other.state == .visible && other.highest == 5)
    let list = try await world.stranger().reviews(of: thing)
    #expect(list.reviews.map(\.text) == ["lovely"] && list.reviews[0].keyID.isEmpty && list.meanHundredths == 900)
    #expect(try await world.counters(thing) == ["reviews": 1, "scores": 9])
    #expect(try await host.notices() == ["social.reviewed"])

    // Nobody answers this one.
    let second = try await world.stay(of: eve, at: thing)
    let lonely = try await eve.review(thing, over: second, 4, "so so")
    try await world.advance(by: .seconds(14 * 86_400 - 1))
    #expect(try await host.reviews(of: thing).reviewCount == 1)
    try await world.advance(by: .seconds(1))
    #expect(try await host.read(lonely).text == "so so")
    #expect(try await host.reviews(of: thing).meanHundredths == 650)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `reviews are refused to who is not eligible, comes too late or twice, and beyond the scale`() async throws
  {
    let world = try await World.open()
    let (host, guest, eve) = (try await world.user("host"), try await world.user("guest"), try await world.user("eve"))
    let thing = try await world.thing(of: host)
    let stay = try await world.stay(of: guest, at: thing)
    let going = try await world.stay(of: eve, at: thing, hasEnded: false)
    for (who, over) in [(eve, stay), (eve, going), (guest, going), (guest, "stay_0000000000007")] {
      await expectRefusal(.failedPrecondition, "NOT_ELIGIBLE") { try await who.review(thing, over: over, 5) }
    }
    for score in [0, 11, -1] as [Int32] {
      await expectRefusal(.invalidArgument, "RATING_OUT_OF_RANGE") { try await guest.review(thing, over: stay, score) }
    }
    await expectRefusal(.invalidArgument, "RATING_OUT_OF_RANGE") {
      try await guest.review(thing, over: stay, 5, "", ["value": 11])
    }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await guest.review(thing, over: stay, 5, "", ["view": 5])
    }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await guest.review(thing, over: "x", 5) }
    let review = try await guest.review(thing, over: stay, 5)
    await expectRefusal(.alreadyExists, "REVIEW_EXISTS") { try await guest.review(thing, over: stay, 6) }
    // What was taken back can be given again, as long as there is time.
    try await guest.delete(review)
    await expectRefusal(.notFound, "NOT_FOUND") { try await guest.delete(review) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await guest.read(review) }
    try await guest.review(thing, over: stay, 6)
    let late = try await world.stay(of: eve, at: thing)
    try await world.advance(by: ReviewRule.standardWindow + .seconds(1))
    await expectRefusal(.failedPrecondition, "WINDOW_CLOSED") { try await eve.review(thing, over: late, 5) }
    try await world.hide(thing)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.reviews(of: thing) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.review(thing, over: late, 5) }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `invariant 10: what is taken back is not a way to see the other side first, nor to write after 48 hours`()
    async throws
  {
    let world = try await World.open()
    let (host, guest) = (try await world.user("host"), try await world.user("guest"))
    let thing = try await world.thing(of: host)
    let other = "guest" + guest.text.dropFirst(4)
    // Both have written: each has read the other, also after the host has taken it back.
    let both = try await world.stay(of: guest, at: thing)
    let filler = try await guest.review(thing, over: both, 5, "fine")
    let hosts = try await host.review(other, over: both, 1, "never again")
    try await guest.delete(filler)
    await expectRefusal(.failedPrecondition, "WINDOW_CLOSED") {
      try await guest.review(thing, over: both, 1, "you too")
    }
    try await host.delete(hosts)
    await expectRefusal(.failedPrecondition, "WINDOW_CLOSED") {
      try await guest.review(thing, over: both, 1, "you too")
    }
    await expectRefusal(.failedPrecondition, "WINDOW_CLOSED") { try await host.review(other, over: both, 1) }
    // The host's waits for the guest's, which may be another one still.
    let blind = try await world.stay(of: guest, at: thing)
    let first = try await guest.review(thing, over: blind, 7)
    try await guest.delete(first)
    #expect(try await host.review(other, over: blind, 4).state == .blind)
    try await world.advance(by: .seconds(48 * 3600 - 1))
    let second = try await guest.review(thing, over: blind, 8)
    #expect(second.state == .visible && second.editableUntil == first.editableUntil)
    await expectRefusal(.alreadyExists, "REVIEW_EXISTS") { try await guest.review(thing, over: blind, 9) }
    // No longer than the first could be changed.
    let late = try await world.stay(of: guest, at: thing)
    try await guest.delete(guest.review(thing, over: late, 3))
    try await world.advance(by: .seconds(48 * 3600))
    await expectRefusal(.failedPrecondition, "WINDOW_CLOSED") { try await guest.review(thing, over: late, 4) }
    #expect(try await world.counters(thing) == ["reviews": 1, "scores": 8])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `what moderators have removed is not written anew after it was taken back, unless that is overturned`()
    async throws
  {
    let scene = try await Scene()
    let (world, bob, moe) = (scene.world, scene.bob, scene.moe)
    try await moe.put([("florp", 900)])
    let stay = try await world.stay(of: bob, at: scene.thing)
    try await bob.delete(bob.review(scene.thing, over: stay, 2, "fine"))
    let review = try await bob.review(scene.thing, over: stay, 1, "a florp")
    let report = try #require(try await moe.queue().first).id
    try await moe.decide(report, .act, .remove)
    await expectRefusal(.alreadyExists, "REVIEW_EXISTS") { try await bob.review(scene.thing, over: stay, 1, "fine") }
    try await bob.delete(review)
    for text in ["a florp", "fine"] {
      await expectRefusal(.failedPrecondition, "WRONG_STATE") {
        try await bob.review(scene.thing, over: stay, 1, text)
      }
    }
    // Over another stay nothing was removed.
    let other = try await world.stay(of: bob, at: scene.thing)
    #expect(try await bob.review(scene.thing, over: other, 3, "well").state == .blind)
    try await bob.appeal(report)
    try await scene.may.decideAppeal(report, .overturn)
    #expect(try await bob.review(scene.thing, over: stay, 1, "fine").state == .blind)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `invariant 10: a review is changed for 48 hours, answered by the owner, and its sums follow`() async throws
  {
    let world = try await World.open()
    let (host, guest, eve) = (try await world.user("host"), try await world.user("guest"), try await world.user("eve"))
    let thing = try await world.thing(of: host)
    let stay = try await world.stay(of: guest, at: thing)
    var review = try await guest.review(thing, over: stay, 9, "good")
    try await host.review("guest" + guest.text.dropFirst(4), over: stay, 5)
    review = try await guest.update(review, 3, "not so good")
    #expect(try await world.counters(thing) == ["reviews": 1, "scores": 3])
    await expectRefusal(.invalidArgument, "RATING_OUT_OF_RANGE") { try await guest.update(review, 11, "") }
    var stale = review
    stale.etag = "1"
    await expectRefusal(.aborted, "ETAG_MISMATCH") { try await guest.update(stale, 4, "") }
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.update(review, 1, "") }

    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.answer(review, "I own it") }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await eve.comment("me too", on: review.id) }
    #expect(try await host.answer(review, "sorry").reply?.text == "sorry")
    #expect(try await host.answer(review, "very sorry").reply?.text == "very sorry")
    #expect(try await eve.read(review).reply?.author?.handle == "host")
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await host.comment("again", on: review.id) }
    try await eve.react(.like, to: review.id)
    // An answer that moderators have removed is neither changed nor given anew.
    let (moe, may) = (
      try await world.user("moe_", roles: ["moderator"]), try await world.user("may_", roles: ["moderator"])
    )
    let answer = try #require(try await eve.read(review).reply?.id)
    let report = try await eve.report(answer)
    try await moe.decide(report.id, .act, .remove)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await host.answer(review, "sorry again") }
    #expect(try await eve.read(review).reply == nil)
    try await host.appeal(report.id)
    try await may.decideAppeal(report.id, .overturn)
    #expect(try await host.answer(review, "sorry again").reply?.text == "sorry again")
    try await world.advance(by: .seconds(48 * 3600))
    await expectRefusal(.failedPrecondition, "WINDOW_CLOSED") { try await guest.update(review, 4, "") }
    try await guest.block(eve.text)
    #expect(try await eve.reviews(of: thing).reviews.isEmpty)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.read(review) }
    try await guest.delete(review)
    #expect(try await world.counters(thing) == [:])
    #expect(try await host.reviews(of: thing).meanHundredths == 0)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `an insult is held; approved, it is shown as the other side's word allows; removed, its score goes`()
    async throws
  {
    let world = try await World.open()
    let (host, guest, eve) = (try await world.user("host"), try await world.user("guest"), try await world.user("eve"))
    let (moe, may) = (
      try await world.user("moe_", roles: ["moderator"]), try await world.user("may_", roles: ["moderator"])
    )
    try await moe.put([("florp", 900)])
    let thing = try await world.thing(of: host)
    let stays = [try await world.stay(of: guest, at: thing), try await world.stay(of: eve, at: thing)]
    let held = try await guest.review(thing, over: stays[0], 2, "a florp")
    #expect(held.state == .held)
    // It was written: the other side does not wait for it, and it does not wait once it is approved.
    #expect(try await host.review("guest" + guest.text.dropFirst(4), over: stays[0], 1).state == .visible)
    let report = try #require(try await moe.queue().first)
    #expect(report.content == "a florp")
    try await moe.decide(report.id, .reject)
    #expect(try await host.read(held).state == .visible)
    // Nobody has written to this one: approved, it is blind.
    let alone = try await eve.review(thing, over: stays[1], 10, "the florp")
    try await moe.decide(try #require(try await moe.queue().first).id, .reject)
    #expect(try await eve.read(alone).state == .blind)
    #expect(try await world.counters(thing) == ["reviews": 1, "scores": 2])

    let complaint = try await host.report(held.id)
    try await moe.decide(complaint.id, .act, .remove)
    #expect(try await world.counters(thing) == [:])
    #expect(try await guest.read(held).state == .removed)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await guest.update(held, 9, "nice") }
    try await guest.appeal(complaint.id)
    try await may.decideAppeal(complaint.id, .overturn)
    #expect(try await world.counters(thing) == ["reviews": 1, "scores": 2])
    // A restricted account reviews nothing.
    try await moe.restrict(eve, until: world.clock.now() + .seconds(60))
    await expectRefusal(.failedPrecondition, "RESTRICTED") { try await eve.update(alone, 1, "") }

    #expect(try await world.exported(guest).contains { $0.hasPrefix("Review ") && $0.contains("a florp") })
    try await world.erase(guest)
    #expect(try await world.counters(thing) == [:])
    let isLeft = try await world.database.read { reader in
      try reader.exists("SELECT 1 FROM social_reviews WHERE author_id = $1 OR text LIKE 'a florp%'", guest.id)
    }
    #expect(!isLeft)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `invariant 10: both sides at once: neither stays blind, and of two of one side one counts`() async throws {
    let world = try await World.open()
    let (host, guest) = (try await world.user("host"), try await world.user("guest"))
    let thing = try await world.thing(of: host)
    for _ in 0..<5 {
      let stay = try await world.stay(of: guest, at: thing)
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<2 {
          group.addTask { _ = try? await guest.review(thing, over: stay, 5) }
          group.addTask { _ = try? await host.review("guest" + guest.text.dropFirst(4), over: stay, 5) }
        }
      }
    }
    #expect(try await world.counters(thing) == ["reviews": 5, "scores": 25])
    #expect(try await world.counters("guest" + guest.text.dropFirst(4)) == ["reviews": 5, "scores": 25])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }
}

extension Somebody {
  private var service: ReviewServiceClient { ReviewServiceClient(channel) }

  @discardableResult
  func review(
    _ subject: String, over key: String, _ score: Int32, _ text: String = "", _ aspects: [String: Int32] = [:]
  ) async throws -> Review {
    var request = SubmitReviewRequest()
    request.requestID = newRequestID()
    request.subjectID = subject
    request.keyID = key
    request.score = score
    request.text = text
    request.aspects = aspects.map { name, score in
      var aspect = AspectScore()
      aspect.aspect = name
      aspect.score = score
      return aspect
    }
    return try await service.submitReview(request)
  }

  @discardableResult
  func update(_ review: Review, _ score: Int32, _ text: String) async throws -> Review {
    var request = UpdateReviewRequest()
    request.requestID = newRequestID()
    request.reviewID = review.id
    request.score = score
    request.text = text
    request.etag = review.etag.isEmpty ? "1" : review.etag
    return try await service.updateReview(request)
  }

  func delete(_ review: Review) async throws {
    var request = DeleteReviewRequest()
    request.requestID = newRequestID()
    request.reviewID = review.id
    _ = try await service.deleteReview(request)
  }

  @discardableResult
  func answer(_ review: Review, _ text: String) async throws -> Review {
    var request = ReplyReviewRequest()
    request.requestID = newRequestID()
    request.reviewID = review.id
    request.text = text
    return try await service.replyReview(request)
  }

  fileprivate func read(_ review: Review) async throws -> Review {
    var request = GetReviewRequest()
    request.reviewID = review.id
    return try await service.getReview(request)
  }

  fileprivate func reviews(of subject: String) async throws -> ListReviewsResponse {
    var request = ListReviewsRequest()
    request.subjectID = subject
    return try await service.listReviews(request)
  }
}
