import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import SocialAPI
import Storage
import Testing

@testable import Social

@Suite struct FollowTests {
  @Test func `follows and unfollows: lists, counters and one notice, however often`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let thing = try await world.thing(of: ada)
    let id = newRequestID()
    let first = try await bob.follow(ada.text, requestID: id)
    #expect(first.targetID == ada.text && first.state == .following)
    #expect(try await bob.follow(ada.text, requestID: id) == first)
    #expect(try await bob.follow(ada.text) == first)
    try await eve.follow(ada.text)
    try await eve.follow(thing)
    #expect(try await world.stranger().followers(of: ada.text) == ["eve", "bob"])
    #expect(try await world.stranger().following(of: eve) == [thing, ada.text])
    #expect(try await world.counters(ada.text) == ["followers": 2])
    #expect(try await world.counters(eve.text) == ["following": 2])
    try await bob.unfollow(ada.text)
    try await bob.unfollow(ada.text)
    try await eve.unfollow(thing)
    #expect(try await world.counters(ada.text) == ["followers": 1])
    #expect(try await world.counters(thing) == [:])
    try await bob.follow(ada.text)
    #expect(try await ada.notices() == ["social.followed", "social.followed"])
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await ada.follow(ada.text) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await world.stranger().follows.listFollowing(ListFollowingRequest())
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.follow("user_0000000000007") }
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.follow("thing_0000000000007") }
    await expectRefusal(.invalidArgument, "WRONG_ID_KIND") { try await ada.follow("song_0000000000007") }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `whoever wants to be asked is asked, and shows nothing before`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    try await ada.show(profileTo: .followers)
    #expect(try await bob.follow(ada.text).state == .requested)
    try await eve.follow(ada.text)
    #expect(try await world.counters(ada.text) == [:])
    #expect(try await ada.relations(.requestReceived).map(\.handle) == ["eve", "bob"])
    #expect(try await bob.relations(.requestSent).map(\.userID) == [ada.text])
    #expect(try await bob.relations(.requestSent).map(\.handle) == [""])
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.profile(of: ada) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.followers(of: ada.text) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.following(of: ada) }

    try await ada.respond(to: bob, accept: true)
    try await ada.respond(to: eve, accept: false)
    #expect(try await bob.profile(of: ada).handle == "ada")
    #expect(try await bob.followers(of: ada.text) == ["bob"])
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.profile(of: ada) }
    for answer in [true, false] {
      await expectRefusal(.notFound, "NOT_FOUND") { try await ada.respond(to: eve, accept: answer) }
      await expectRefusal(.notFound, "NOT_FOUND") { try await ada.respond(to: bob, accept: answer) }
    }
    #expect(try await ada.notices() == ["social.follow_requested", "social.follow_requested"])
    #expect(try await bob.notices() == ["social.follow_accepted"])
    #expect(try await eve.notices().isEmpty)

    // A request that waits is granted when nobody wants to be asked any more.
    try await eve.follow(ada.text)
    try await ada.show(profileTo: .users)
    #expect(try await eve.follow(ada.text).state == .following)
    #expect(try await world.counters(ada.text) == ["followers": 2])
    try await ada.show(profileTo: .private)
    let late = try await world.user("late")
    await expectRefusal(.notFound, "NOT_FOUND") { try await late.follow(ada.text) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.profile(of: ada) }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `invariant 7: a block removes both edges and hides both ways, at one commit`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let thing = try await world.thing(of: ada)
    try await ada.follow(bob.text)
    try await bob.follow(ada.text)
    try await ada.follow(eve.text)
    try await bob.follow(eve.text)
    try await eve.follow(thing)
    try await ada.block(bob.text)
    try await ada.block(bob.text)
    for (one, other) in [(ada, bob), (bob, ada)] {
      await expectRefusal(.notFound, "NOT_FOUND") { _ = try await one.profile(of: other) }
      await expectRefusal(.notFound, "NOT_FOUND") { try await one.follow(other.text) }
      await expectRefusal(.notFound, "NOT_FOUND") { _ = try await one.following(of: other) }
      #expect(try await one.followers(of: eve.text) == [one.handle])
    }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.followers(of: thing) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.follow(thing) }
    #expect(try await world.counters(bob.text) == ["following": 1])
    #expect(try await eve.followers(of: eve.text) == ["bob", "ada"])
    #expect(try await ada.relations(.blocked).map(\.handle) == ["bob"])
    #expect(try await bob.relations(.blocked).isEmpty)
    // The other's own block hides the name as well.
    try await bob.block(ada.text)
    #expect(try await ada.relations(.blocked) == [Member(id: bob.id)])
    try await ada.unblock(bob)
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.follow(bob.text) }
    try await bob.unblock(ada)
    try await ada.follow(bob.text)
    #expect(try await world.counters(bob.text) == ["following": 1, "followers": 1])
    // Staff sees what users hide.
    let staff = try await world.user("staff", roles: ["moderator"])
    try await ada.block(staff.text)
    #expect(try await staff.profile(of: ada).handle == "ada")
    // A block does not tell who is there.
    try await ada.block("user_0000000000007")
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await ada.block(ada.text) }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `a mute is silent: no notices, and nothing that the other could see`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    try await ada.mute(bob)
    try await bob.follow(ada.text)
    #expect(try await ada.notices().isEmpty)
    #expect(try await bob.profile(of: ada).handle == "ada")
    #expect(try await ada.relations(.muted).map(\.handle) == ["bob"])
    try await ada.unmute(bob)
    #expect(try await ada.relations(.muted).isEmpty)
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await ada.mute(ada) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { _ = try await ada.relations(.unspecified) }
    await world.close()
  }

  @Test func `blocks and follows of the same two at once leave no edge behind`() async throws {
    let world = try await World.open()
    var users: [Somebody] = []
    for number in 0..<8 { users.append(try await world.user("user\(number)")) }
    let everybody = users
    await withTaskGroup(of: Void.self) { group in
      for one in everybody {
        for other in everybody where other.id != one.id {
          group.addTask { _ = try? await one.follow(other.text) }
          // Of each two, the one with the smaller id blocks the other.
          if one.id < other.id { group.addTask { try? await one.block(other.text) } }
        }
      }
    }
    #expect(try await world.broken().isEmpty)
    for user in users { #expect(try await world.counters(user.text) == [:]) }
    await world.close()
  }

  @Test func `many who follow and unfollow one user at once are counted exactly`() async throws {
    let world = try await World.open()
    let star = try await world.user("star")
    var fans: [Somebody] = []
    for number in 0..<30 { fans.append(try await world.user("fan\(number)")) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (number, fan) in fans.enumerated() {
        group.addTask {
          try await fan.follow(star.text)
          try await fan.unfollow(star.text)
          if number.isMultiple(of: 3) { try await fan.follow(star.text) }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await world.counters(star.text) == ["followers": 10])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `limits: followsPerDay and barriers`() async throws {
    var limits = SocialLimits()
    limits.followsPerDay = 2
    limits.barriers = 2
    let world = try await World.open(limits: limits)
    var users: [Somebody] = []
    for number in 0..<4 { users.append(try await world.user("user\(number)")) }
    let ada = users[0]
    try await ada.follow(users[1].text)
    try await ada.unfollow(users[1].text)
    try await ada.follow(users[2].text)
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { try await ada.follow(users[3].text) }
    // Tomorrow it goes on.
    let error = await #expect(throws: RPCError.self) { try await ada.follow(users[3].text) }
    let rest = try #require(error?.retryDelay)
    #expect(rest > .zero && rest <= .seconds(86_400))
    #expect(world.clock.now().dayNumber + 1 == (world.clock.now() + rest).dayNumber)
    #expect(world.clock.now().dayNumber == (world.clock.now() + rest - .nanoseconds(1)).dayNumber)
    // What is followed already takes nothing.
    try await ada.follow(users[2].text)
    try await world.advance(by: .seconds(86_400))
    try await ada.follow(users[3].text)
    try await ada.block(users[1].text)
    try await ada.mute(users[2])
    await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { try await ada.mute(users[3]) }
    // Nor does what is so already, of these.
    try await ada.block(users[1].text)
    try await ada.mute(users[2])
    await world.close()
  }

  @Test func `followers come page by page, and a token serves one list`() async throws {
    let world = try await World.open()
    let (star, other) = (try await world.user("star"), try await world.user("other"))
    for number in 0..<5 { try await world.user("fan\(number)").follow(star.text) }
    var handles: [String] = []
    var page = try await star.followerPage(of: star.text, size: 2)
    let token = page.nextPageToken
    while true {
      handles += page.followers.map { $0.member?.handle ?? "" }
      if page.nextPageToken.isEmpty { break }
      page = try await star.followerPage(of: star.text, size: 2, token: page.nextPageToken)
    }
    #expect(handles == ["fan4", "fan3", "fan2", "fan1", "fan0"])
    await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
      try await star.followerPage(of: other.text, size: 2, token: token)
    }
    await world.close()
  }

  @Test func `an audience of followers leaves out those who want to hear nothing`() async throws {
    let world = try await World.open()
    let star = try await world.user("star")
    var fans: [Somebody] = []
    for number in 0..<4 {
      let fan = try await world.user("fan\(number)")
      try await fan.follow(star.text)
      fans.append(fan)
    }
    try await fans[1].mute(star)
    try await fans[2].unfollow(star.text)
    let source = try #require(world.social.audiences.first)
    let ids = fans.map(\.id)
    #expect(source.name == Audience.followers(of: SubjectID("user", star.id)).source)
    let (first, rest) = try await world.database.read { reader in
      (
        try source.members(of: star.text, after: nil, limit: 1, in: reader),
        try source.members(of: star.text, after: ids[0], limit: 5, in: reader)
      )
    }
    #expect(first == [ids[0]] && rest == [ids[3]])
    await world.close()
  }

  @Test func `invariant 7: an audience of a thing's followers leaves out those between whom and its owner a block is`()
    async throws
  {
    let world = try await World.open()
    let ada = try await world.user("ada")
    let thing = try await world.thing(of: ada)
    var fans: [Somebody] = []
    for number in 0..<4 {
      let fan = try await world.user("fan\(number)")
      try await fan.follow(thing)
      fans.append(fan)
    }
    try await ada.block(fans[0].text)
    try await fans[1].block(ada.text)
    // What the owner alone does not want to hear of is no reason.
    try await ada.mute(fans[2])
    let source = try #require(world.social.audiences.first)
    let members = try await world.database.read { try source.members(of: thing, after: nil, limit: 5, in: $0) }
    #expect(members == [fans[2].id, fans[3].id])
    await world.close()
  }
}

@Test func `the error table of the social domain is as documented`() {
  let table = SocialError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" }
  #expect(
    table == [
      "INVALID_REQUEST INVALID_ARGUMENT", "INVALID_REQUEST INVALID_ARGUMENT", "BAD_EMOJI INVALID_ARGUMENT",
      "REACTION_NOT_TAKEN FAILED_PRECONDITION", "COMMENTS_OFF FAILED_PRECONDITION",
      "REPORT_EXISTS ALREADY_EXISTS", "SAME_REVIEWER FAILED_PRECONDITION", "NOT_REMOVABLE FAILED_PRECONDITION",
      "WINDOW_CLOSED FAILED_PRECONDITION", "NOT_ELIGIBLE FAILED_PRECONDITION", "REVIEW_EXISTS ALREADY_EXISTS",
      "RATING_OUT_OF_RANGE INVALID_ARGUMENT", "INVALID_REQUEST INVALID_ARGUMENT", "INVALID_REQUEST INVALID_ARGUMENT",
      "BAD_WORD_LIST INVALID_ARGUMENT",
    ])
}
