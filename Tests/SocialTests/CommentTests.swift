import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import SocialAPI
import Storage
import Testing

@testable import Social

@Suite struct CommentTests {
  @Test func `two levels: comments newest first, replies oldest first, a reply to a reply beside it`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let thing = try await world.thing(of: ada)
    let id = newRequestID()
    let first = try await bob.comment("first", on: thing, requestID: id)
    #expect(first.subjectID == thing && first.author?.handle == "bob" && first.state == .visible)
    #expect(try await bob.comment("first", on: thing, requestID: id) == first)
    try await eve.comment("second", on: thing)
    let reply = try await eve.comment("reply", on: thing, replyTo: first.id)
    let deeper = try await bob.comment("deeper", on: thing, replyTo: reply.id)
    #expect(reply.parentID == first.id && deeper.parentID == first.id)
    #expect(try await world.stranger().texts(on: thing) == ["second", "first"])
    #expect(try await world.stranger().texts(on: thing, below: first) == ["reply", "deeper"])
    #expect(try await eve.commentPage(on: thing).comments.map(\.replyCount) == [0, 2])
    #expect(try await world.counters(thing) == ["comments": 4])
    // Each is told once, of the nearest thing: the answered one before the owner.
    #expect(try await ada.notices() == Array(repeating: "social.commented", count: 4))
    #expect(try await bob.notices() == ["social.replied"])
    #expect(try await eve.notices() == ["social.replied"])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `comments are refused where they are off, too long, empty, on what is hidden or below what is not there`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let (thing, other) = (try await world.thing(of: ada), try await world.thing(of: ada))
    let comment = try await bob.comment("here", on: thing)
    for text in [" \n\u{2003}", String(repeating: "é", count: 501)] {
      await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await bob.comment(text, on: thing) }
    }
    try await bob.comment(String(repeating: "🙂", count: 500), on: thing)
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.comment("x", on: other, replyTo: comment.id) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.comment("x", on: thing, replyTo: "cmt_0000000000007") }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await bob.comment("x", on: ada.text) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await bob.comment("x", on: comment.id) }
    await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { try await world.stranger().comment("x", on: thing) }
    try await world.silence(thing)
    await expectRefusal(.failedPrecondition, "COMMENTS_OFF") { try await bob.comment("x", on: thing) }
    #expect(try await bob.texts(on: thing).count == 2)
    try await world.hide(other)
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.comment("x", on: other) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.texts(on: other) }
    await world.close()
  }

  @Test func `author, owner and moderator delete; a tombstone keeps the replies`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let staff = try await world.user("staff", roles: ["moderator"])
    let thing = try await world.thing(of: ada)
    let first = try await bob.comment("first", on: thing)
    let reply = try await eve.comment("reply", on: thing, replyTo: first.id)
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.delete(first) }
    try await bob.delete(first)
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.delete(first) }
    #expect(try await eve.texts(on: thing) == ["†"])
    let stone = try #require(try await eve.commentPage(on: thing).comments.first)
    #expect(stone.author == nil && stone.text.isEmpty && stone.replyCount == 1)
    #expect(try await eve.texts(on: thing, below: first) == ["reply"])
    #expect(try await world.counters(thing) == ["comments": 1])
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.comment("x", on: thing, replyTo: first.id) }
    // With the last reply the tombstone goes.
    try await ada.delete(reply)
    #expect(try await eve.texts(on: thing).isEmpty)
    #expect(try await world.counters(thing) == [:])
    let bad = try await eve.comment("bad", on: thing)
    try await staff.delete(bad)
    #expect(try await bob.texts(on: thing).isEmpty)
    #expect(try await eve.commentPage(on: thing).comments.map(\.state) == [.removed])
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await eve.edit(bad, "good") }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `edits change the text of the version that the author knows`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    let first = try await bob.comment("first", on: thing)
    let second = try await bob.edit(first, "second")
    #expect(second.text == "second" && second.editTime != nil && second.etag != first.etag)
    await expectRefusal(.aborted, "ETAG_MISMATCH") { try await bob.edit(first, "third") }
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.edit(second, "mine") }
    #expect(try await ada.texts(on: thing) == ["second"])
    await world.close()
  }

  @Test func `mentions: told once, shown by the present handle, and plain where they would tell who is there`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let shy = try await world.user("shy_one")
    try await shy.show(profileTo: .private)
    try await eve.block(bob.text)
    let thing = try await world.thing(of: ada)
    let text = "é @ada, see @ADA. and @shy_one, @eve and nobody@ada.org"
    let comment = try await bob.comment(text, on: thing)
    #expect(comment.text == "é @ada, see @ada. and @shy_one, @eve and nobody@ada.org")
    #expect(comment.mentions.map(\.userID) == [ada.text, ada.text])
    #expect(comment.mentions.map(\.position) == [2, 12] && comment.mentions.map(\.length) == [4, 4])
    #expect(try await ada.notices() == ["social.mentioned"])
    #expect(try await shy.notices().isEmpty)
    #expect(try await eve.notices().isEmpty)
    try await bob.edit(comment, "only @ada")
    #expect(try await ada.notices() == ["social.mentioned"])
    // Who cannot see the thing is not called to it.
    let diary = try await world.thing(of: ada)
    try await world.hide(diary)
    #expect(try await ada.comment("@bob", on: diary).mentions.isEmpty)
    #expect(try await bob.notices().isEmpty)
    try await world.erase(ada)
    #expect(try await bob.texts(on: thing) == ["only @"])
    let many = try await eve.comment(String(repeating: "@eve ", count: 25), on: thing)
    #expect(many.mentions.count == MentionRow.limit)
    await world.close()
  }

  @Test func `acceptance 10: whom a block hides, neither sees what the other says`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let (thing, other) = (try await world.thing(of: ada), try await world.thing(of: eve))
    let adas = try await ada.comment("ada", on: other)
    try await bob.comment("bob", on: other)
    try await bob.comment("bob below", on: other, replyTo: adas.id)
    try await ada.block(bob.text)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.texts(on: thing) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.react(.like, to: adas.id) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.comment("x", on: other, replyTo: adas.id) }
    #expect(try await ada.texts(on: other) == ["ada"])
    #expect(try await ada.texts(on: other, below: adas).isEmpty)
    // Bob's own reply stays, below a tombstone.
    #expect(try await bob.texts(on: other) == ["bob", "†"])
    #expect(try await eve.texts(on: other) == ["bob", "ada"])
    // A mute hides one way.
    try await eve.mute(bob)
    #expect(try await eve.texts(on: other) == ["ada"])
    #expect(try await bob.texts(on: other) == ["bob", "†"])
    await world.close()
  }

  @Test func `comments come page by page`() async throws {
    let world = try await World.open()
    let ada = try await world.user("ada")
    let thing = try await world.thing(of: ada)
    let first = try await ada.comment("0", on: thing)
    for number in 1..<5 { try await ada.comment("\(number)", on: thing) }
    for number in 0..<5 { try await ada.comment("r\(number)", on: thing, replyTo: first.id) }
    for (parent, expected) in [("", ["4", "3", "2", "1", "0"]), (first.id, ["r0", "r1", "r2", "r3", "r4"])] {
      var (texts, token) = ([String](), "")
      repeat {
        let page = try await ada.commentPage(on: thing, below: parent, size: 2, token: token)
        texts += page.comments.map(\.text)
        token = page.nextPageToken
      } while !token.isEmpty
      #expect(texts == expected)
    }
    await world.close()
  }

  @Test func `watches: a snapshot, then every change; resumed, none is missed, and nothing of whom a block hides`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let thing = try await world.thing(of: ada)
    try await ada.block(eve.text)
    let other = try await world.thing(of: bob)
    _ = try await bob.comment("zero", on: other)
    let stream = ada.watchComments(on: other)
    let opening = try #require(try await stream.responses.next())
    guard case .snapshot(let list) = opening.event else { throw Unexpected() }
    #expect(list.comments.map(\.text) == ["zero"])
    try await eve.comment("unheard", on: other)
    let one = try await bob.comment("one", on: other)
    let first = try #require(try await stream.responses.next())
    guard case .comment(let seen) = first.event else { throw Unexpected() }
    #expect(seen.text == "one")
    stream.cancel()
    let two = try await bob.edit(one, "two")
    try await bob.delete(two)
    let again = ada.watchComments(on: other, resumeToken: first.resumeToken)
    // Both events show how it is by now: gone.
    for _ in 0..<2 {
      guard case .goneID(let id) = try await again.responses.next()?.event else { throw Unexpected() }
      #expect(id == one.id)
    }
    again.cancel()
    _ = thing
    await world.close()
  }

  @Test func `streams about what hangs on a thing end with it, and a block ends those of either side`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let (thing, other) = (try await world.thing(of: ada), try await world.thing(of: ada))
    let comment = try await bob.comment("here", on: thing)
    let stay = try await world.stay(of: bob, at: thing)
    try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5)
    let review = try await bob.review(thing, over: stay, 8)
    let answers = [eve, world.stranger()].map { $0.watchComments(on: review.id) }
    let counters = [eve.watchCounters(comment.id), world.stranger().watchCounters(review.id)]
    for stream in answers { _ = try await stream.responses.next() }
    for stream in counters { _ = try await stream.responses.next() }
    try await world.hide(thing)
    for stream in answers { await expectRefusal(.notFound, "NOT_FOUND") { try await stream.responses.next() } }
    for stream in counters { await expectRefusal(.notFound, "NOT_FOUND") { try await stream.responses.next() } }

    // Of two who have nothing to do with each other, one blocks.
    let (hers, his) = (eve.watchComments(on: other), bob.watchComments(on: other))
    let herCounters = eve.watchCounters(other)
    for stream in [hers, his] { _ = try await stream.responses.next() }
    _ = try await herCounters.responses.next()
    let evesThing = try await world.thing(of: eve)
    let adas = ada.watchComments(on: evesThing)
    _ = try await adas.responses.next()
    try await ada.block(eve.text)
    for stream in [hers, adas] {
      await expectRefusal(.notFound, "NOT_FOUND") { try await stream.responses.next() }
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await herCounters.responses.next() }
    try await ada.comment("hello", on: other)
    guard case .comment = try await his.responses.next()?.event else { throw Unexpected() }
    his.cancel()
    await world.close()
  }

  @Test func `acceptance 7: when a thing is made private, its comments are not found and streams end`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    let comment = try await bob.comment("here", on: thing)
    let link = try await bob.share(thing)
    let streams = [bob.watchComments(on: thing), world.stranger().watchComments(on: thing)]
    for stream in streams { _ = try await stream.responses.next() }
    let counters = bob.watchCounters(thing)
    _ = try await counters.responses.next()
    let own = ada.watchComments(on: thing)
    _ = try await own.responses.next()
    try await world.hide(thing)
    for stream in streams {
      await expectRefusal(.notFound, "NOT_FOUND") { try await stream.responses.next() }
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await counters.responses.next() }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.texts(on: thing) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.react(.like, to: comment.id) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.resolve(link.token) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.watchComments(on: thing).responses.next() }
    // The owner's stream goes on.
    try await ada.comment("alone", on: thing)
    guard case .comment(let seen) = try await own.responses.next()?.event else { throw Unexpected() }
    #expect(seen.text == "alone")
    own.cancel()
    await world.close()
  }

  @Test func `many who post at once: every comment is counted, and streamed once`() async throws {
    let world = try await World.open()
    let ada = try await world.user("ada")
    let thing = try await world.thing(of: ada)
    var users: [Somebody] = []
    for number in 0..<10 { users.append(try await world.user("user\(number)")) }
    let stream = ada.watchComments(on: thing)
    _ = try await stream.responses.next()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for user in users {
        group.addTask {
          for number in 0..<3 { try await user.comment("\(number) of \(user.handle)", on: thing) }
        }
      }
      try await group.waitForAll()
    }
    var seen: [String] = []
    while seen.count < 30 {
      guard case .comment(let comment) = try await stream.responses.next()?.event else { throw Unexpected() }
      seen.append(comment.id)
    }
    stream.cancel()
    #expect(Set(seen).count == 30)
    #expect(try await world.counters(thing) == ["comments": 30])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }
}
