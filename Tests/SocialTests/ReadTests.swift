import Base
import DomainKit
import IdentityAPI
import SocialAPI
import Storage
import Testing

@testable import Social

/// What other domains read of what people have said.
@Suite struct ReadTests {
  @Test func `what is counted of things, and nothing else`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let (one, two) = (try await world.thing(of: ada), try await world.thing(of: ada))
    for user in [ada, bob] {
      try await user.react(.like, to: one)
      try await user.follow(one)
    }
    try await bob.react(.save, to: one)
    try await bob.react(.emoji, "🎉", to: one)
    try await ada.react(.emoji, "🐦", to: one)
    try await bob.comment("well", on: one)
    try await bob.share(one)
    let stay = try await world.stay(of: bob, at: one)
    let review = try await bob.review(one, over: stay, 7, "good")
    try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5, "tidy")
    try await ada.react(.like, to: two)
    try await ada.clear(.like, from: two)

    let (first, second) = (try world.kit.subjects.parse(one, field: ""), try world.kit.subjects.parse(two, field: ""))
    let community = world.kit.community
    let counts = try await world.database.read { reader in
      // As many as one statement takes, and one more.
      let others = (1...64).map { SubjectID("thing", Identifier(rawValue: $0)) }
      return try community.counts(
        of: others + [first, second, SubjectID("user", bob.id), SubjectID("song", first.id)], in: reader)
    }
    var expected = SubjectCounts()
    (expected.likes, expected.saves, expected.emojis) = (2, 1, ["🎉": 1, "🐦": 1])
    (expected.comments, expected.shares, expected.followers) = (1, 1, 2)
    (expected.reviews, expected.scoreSum) = (1, 7)
    #expect(counts[first] == expected)
    #expect(counts[SubjectID("user", bob.id)]?.following == 1)
    #expect(counts.count == 2 && !review.id.isEmpty)
    await world.close()
  }

  @Test func `whom somebody follows, what somebody likes, and what those who are followed like`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let carl = try await world.user("carl")
    try await carl.show(profileTo: .followers)
    for user in [bob, eve, carl] { try await ada.follow(user.text) }
    var things: [String] = []
    for _ in 1...3 { things.append(try await world.thing(of: bob)) }
    try await ada.follow(things[0])
    try await bob.react(.like, to: things[0])
    try await world.advance(by: .seconds(60))
    let since = world.clock.now()
    try await eve.react(.like, to: things[1])
    try await eve.react(.save, to: things[2])
    try await bob.react(.emoji, "🎉", to: things[1])
    try await bob.react(.like, to: things[1])
    // Nobody whom Ada follows yet.
    try await carl.react(.like, to: things[2])
    let comment = try await bob.comment("so", on: things[0])
    try await bob.react(.like, to: comment.id)

    let community = world.kit.community
    let subjects = try things.map { try world.kit.subjects.parse($0, field: "") }
    try await world.database.read { (reader: any Reader) throws in
      let friends = [bob.id, eve.id].sorted()
      #expect(try community.followed(by: ada.id, kind: "user", after: nil, limit: 9, in: reader) == friends)
      #expect(try community.followed(by: ada.id, kind: "user", after: nil, limit: 1, in: reader) == [friends[0]])
      #expect(
        try community.followed(by: ada.id, kind: "user", after: friends[0], limit: 9, in: reader) == [friends[1]])
      #expect(try community.followed(by: ada.id, kind: "thing", after: nil, limit: 9, in: reader) == [subjects[0].id])

      let made = try community.reactions(of: bob.id, to: subjects[1], in: reader)
      #expect(made.map(\.sort) == [.like, .emoji] && made.map(\.emoji) == ["", "🎉"])
      #expect(try community.reactions(of: ada.id, to: subjects[1], in: reader).isEmpty)
      let likes = try community.reactions(of: bob.id, .like, on: "thing", before: nil, limit: 9, in: reader)
      #expect(likes.map(\.subject) == [subjects[1], subjects[0]])
      #expect(
        try community.reactions(of: bob.id, .like, on: "thing", before: likes[0].id, limit: 9, in: reader)
          == [likes[1]])

      func liked(_ since: Instant, _ limit: Int = 9) throws -> [ReactionMade] {
        try community.reactionsOfFollowed(by: ada.id, .like, on: "thing", since: since, limit: limit, in: reader)
      }
      #expect(try liked(Instant(seconds: 0)).map(\.user) == [bob.id, eve.id, bob.id])
      #expect(try liked(since).map(\.subject) == [subjects[1], subjects[1]])
      #expect(try liked(since, 1).map(\.user) == [bob.id])
      #expect(try liked(since + .seconds(1)).isEmpty)
    }
    await world.close()
  }

  @Test func `links of other domains credit their makers, and tell who has brought a user`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let (one, two) = (try await world.thing(of: ada), try await world.thing(of: ada))
    let subjects = try [one, two].map { try world.kit.subjects.parse($0, field: "") }
    let links = world.social.links
    @Sendable func caller(_ user: Somebody) -> Caller { Caller(user: user.id, session: user.id) }
    let made = try await world.database.write { writer in
      let link = try links.make(to: subjects[0], by: caller(bob), in: writer)
      #expect(try links.make(to: subjects[0], by: caller(bob), in: writer) == link)
      #expect(try links.find(link.token, for: nil, in: writer) == link)
      return link
    }
    #expect(made.maker == bob.id && made.subject == subjects[0])
    #expect(try await eve.resolve(made.token).subjectID == one)
    let other = try await ada.share(two)
    let found = try await world.database.write { writer in
      // A repeat, and the maker's own, are counted for nobody.
      [
        try links.follow(other.token, by: caller(eve), in: writer),
        try links.follow(made.token, by: caller(eve), in: writer),
        try links.follow(made.token, by: caller(bob), in: writer), try links.follow("x", by: caller(eve), in: writer),
      ]
    }
    #expect(found.map { $0?.subject } == [subjects[1], subjects[0], subjects[0], nil])
    #expect(try await bob.links().map(\.useCount) == [1])
    try await world.hide(one)
    try await world.database.read { (reader: any Reader) throws in
      let arrivals = try links.arrivals(of: eve.id, limit: 9, in: reader)
      #expect(Set(arrivals.map(\.maker)) == [ada.id, bob.id] && arrivals.count == 2)
      #expect(try links.arrivals(of: eve.id, limit: 1, in: reader).count == 1)
      #expect(try links.arrivals(of: bob.id, limit: 9, in: reader).isEmpty)
      #expect(try links.find(made.token, for: caller(eve), in: reader) == nil)
    }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }
}
