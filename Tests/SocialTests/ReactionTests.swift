import Base
import DomainKit
import IdentityAPI
import PostgreSQLServer
import RPC
import Refusals
import SocialAPI
import Storage
import Testing

@testable import Social

@Suite struct ReactionTests {
  @Test func `there is one reaction of each kind by each user, and another emoji takes the first one's place`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    let like = try await bob.react(.like, to: thing)
    #expect(try await bob.react(.like, to: thing) == like)
    try await bob.react(.save, to: thing)
    for emoji in ["👍", "🏴‍☠️", "👍", "🏴‍☠️"] { try await bob.react(.emoji, emoji, to: thing) }
    try await ada.react(.emoji, "❤️", to: thing)
    #expect(
      try await world.counters(thing) == ["likes": 1, "saves": 1, "emoji:🏴‍☠️": 1, "emoji:❤️": 1])
    // The owner is told of each emoji, once, and of nothing of one's own.
    #expect(try await ada.notices() == ["social.reacted", "social.reacted"])
    try await bob.clear(.like, from: thing)
    try await bob.clear(.like, from: thing)
    try await bob.clear(.emoji, from: thing)
    #expect(try await world.counters(thing) == ["saves": 1, "emoji:❤️": 1])

    let england = "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}"
    for emoji in [england, "👩🏽\u{200D}🚀", "1\u{FE0F}\u{20E3}", "🇫🇮"] {
      #expect(try await bob.react(.emoji, emoji, to: thing).emoji == emoji)
    }
    let marked = ["👍\u{301}", "👍\u{301}\u{302}", "❤\u{FE0F}\u{301}", "👍\u{FE0E}", "👍\u{200C}"]
    for emoji in ["", "a", "1", "👍👍", "👍a", "❤"] + marked {
      await expectRefusal(.invalidArgument, "BAD_EMOJI") { try await bob.react(.emoji, emoji, to: thing) }
    }
    await expectRefusal(.invalidArgument, "BAD_EMOJI") { try await bob.react(.like, "👍", to: thing) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await bob.react(.unspecified, to: thing) }
    await expectRefusal(.failedPrecondition, "REACTION_NOT_TAKEN") { try await bob.react(.like, to: ada.text) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.react(.like, to: "thing_0000000000007") }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `limits: emojisPerDay: new ones and those in place of others, so that no inbox is filled`() async throws {
    var limits = SocialLimits()
    limits.emojisPerDay = 2
    let world = try await World.open(limits: limits)
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let (one, two) = (try await world.thing(of: ada), try await world.thing(of: ada))
    for emoji in ["👍", "🎉", "🎉"] { try await bob.react(.emoji, emoji, to: one) }
    for (emoji, thing) in [("👍", one), ("👍", two)] {
      await expectRefusal(.resourceExhausted, "LIMIT_EXCEEDED") { try await bob.react(.emoji, emoji, to: thing) }
    }
    #expect(try await world.counters(one) == ["emoji:🎉": 1])
    #expect(try await world.counters(two) == [:])
    #expect(try await ada.notices() == ["social.reacted", "social.reacted"])
    // It is for emojis alone, for each user, and for a day.
    try await bob.react(.like, to: two)
    try await ada.react(.emoji, "👍", to: one)
    try await world.advance(by: .seconds(86_400))
    try await bob.react(.emoji, "👍", to: two)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `lists show what the caller may see, and what somebody keeps to nobody else`() async throws {
    let world = try await World.open()
    let (ada, bob, eve) = (try await world.user("ada"), try await world.user("bob"), try await world.user("eve"))
    let things = [try await world.thing(of: ada), try await world.thing(of: ada), try await world.thing(of: eve)]
    for thing in things { try await bob.react(.like, to: thing) }
    try await bob.react(.save, to: things[0])
    let comment = try await ada.comment("hello", on: things[0])
    try await bob.react(.like, to: comment.id)
    #expect(try await eve.reactions(of: bob, .like) == [comment.id, things[2], things[1], things[0]])
    #expect(try await eve.reactions(of: bob, .like, on: "cmt") == [comment.id])
    #expect(try await bob.reactions(of: bob, .save) == [things[0]])
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.reactions(of: bob, .save) }
    try await world.hide(things[0])
    #expect(try await world.stranger().reactions(of: bob, .like) == [things[2], things[1]])
    #expect(try await bob.reactions(of: bob, .save).isEmpty)
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.react(.emoji, "👍", to: things[0]) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.react(.emoji, "👍", to: comment.id) }
    // What is hidden by now can be taken back all the same.
    try await bob.clear(.like, from: things[0])
    #expect(try await world.counters(things[0]) == ["saves": 1, "comments": 1])
    try await bob.show(profileTo: .private)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await eve.reactions(of: bob, .like) }
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `invariant 3: 50 users who like and take it back at once leave counters that are their rows`() async throws
  {
    let world = try await World.open()
    let owner = try await world.user("owner")
    let thing = try await world.thing(of: owner)
    var fans: [Somebody] = []
    for number in 0..<50 { fans.append(try await world.user("fan\(number)")) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (number, fan) in fans.enumerated() {
        group.addTask {
          for round in 0..<3 {
            try await fan.react(.like, to: thing)
            try await fan.react(.emoji, round == 1 ? "👍" : "🎉", to: thing)
            if round < 2 || number.isMultiple(of: 2) { try await fan.clear(.like, from: thing) }
          }
        }
        // The same user on two devices.
        group.addTask { try await fan.react(.save, to: thing) }
        group.addTask { try await fan.react(.save, to: thing) }
      }
      try await group.waitForAll()
    }
    #expect(try await world.counters(thing) == ["likes": 25, "saves": 50, "emoji:🎉": 50])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `nodes count in rows of their own, and read the sum of all`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    let subject = try world.kit.subjects.parse(thing, field: "")
    let limits = SocialLimits()
    try await bob.react(.like, to: thing)
    let stream = bob.watchCounters(thing)
    #expect(try await stream.responses.next()?.counters?.likes == 1)
    // The same user takes it back on another node.
    for (node, like) in [(3, false), (3, true), (3 + Int(limits.counterParts), true), (0, false)] {
      let core = try world.other(node: node)
      let caller = Caller(user: bob.id, session: bob.id)
      try await world.database.write { writer in
        if like {
          _ = try core.react(.like, "", to: subject, by: caller, in: writer)
        } else {
          try core.clearReaction(.like, from: subject, by: bob.id, in: writer)
        }
      }
    }
    let parts: [Int64] = try await world.database.read { reader in
      try reader.rows("SELECT value FROM social_counters WHERE subject_id = $1 ORDER BY part", subject.id) { $0[0] }
    }
    #expect(parts == [0, 0])
    // Of what other nodes have done, those who watch here learn when they look.
    var watch = ChangeWatch(world.social.core.board, world.kit, read: SocialCore.counters(of:in:))
    #expect(try await watch.look() == [subject])
    #expect(try await stream.responses.next()?.counters?.likes == 0)
    stream.cancel()
    #expect(try await world.counters(thing) == [:])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `of all things whose counters are watched a node reads together, and wakes where another has counted`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let database = NotingDatabase(world.database)
    let core = try world.other(node: 2, database: database)
    var things: [SubjectID] = []
    for _ in 0..<100 { things.append(try world.kit.subjects.parse(try await world.thing(of: ada), field: "")) }
    let watched = things.map { core.board.subscribe($0) }
    var watch = ChangeWatch(core.board, core.kit, read: SocialCore.counters(of:in:))
    // Nothing is known of them yet.
    #expect(try await watch.look() == Set(things))
    let before = database.count
    for _ in 0..<5 { #expect(try await watch.look() == []) }
    // Two statements, of 64 things each.
    #expect(database.count == before + 10)

    try await bob.react(.like, to: things[7].text)
    try await bob.react(.emoji, "👍", to: things[70].text)
    #expect(try await watch.look() == [things[7], things[70]])
    // Also when nothing is left.
    try await bob.clear(.like, from: things[7].text)
    #expect(try await watch.look() == [things[7]])
    try await bob.react(.save, to: try await world.thing(of: ada))
    #expect(try await watch.look() == [])
    withExtendedLifetime(watched) {}
    await world.close()
  }

  @Test func `counters are streamed as they change, and to nobody who may not see the thing`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    try await bob.react(.like, to: thing)
    let stream = world.stranger().watchCounters(thing)
    #expect(try await stream.responses.next()?.counters?.likes == 1)
    try await ada.react(.like, to: thing)
    #expect(try await stream.responses.next()?.counters?.likes == 2)
    try await bob.react(.emoji, "👍", to: thing)
    let third = try #require(try await stream.responses.next()?.counters)
    #expect(third.likes == 2 && third.emojis.map(\.emoji) == ["👍"] && third.emojis.map(\.count) == [1])
    // A change that comes back to the same numbers may be told or not; the newest numbers are.
    try await bob.clear(.emoji, from: thing)
    try await bob.clear(.like, from: thing)
    while let counters = try await stream.responses.next()?.counters {
      if counters.likes == 1, counters.emojis.isEmpty { break }
    }
    try await world.hide(thing)
    try await ada.react(.save, to: thing)
    await expectRefusal(.notFound, "NOT_FOUND") { while try await stream.responses.next() != nil {} }
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.watchCounters(thing).responses.next() }
    #expect(try await ada.watchCounters(thing).responses.next()?.counters?.saves == 1)
    await world.close()
  }

  @Test func `counters end where another node has hidden the thing, though its word is lost and nothing is counted`()
    async throws
  {
    let world = try await World.open()
    let thing = try await world.thing(of: try await world.user("ada"))
    let stream = world.stranger().watchCounters(thing)
    #expect(try await stream.responses.next() != nil)
    var changes = SightCatchUp(world.kit)
    try await world.hide(thing, by: try world.other(node: 2).kit)
    try await changes.look()
    await expectRefusal(.notFound, "NOT_FOUND") { while try await stream.responses.next() != nil {} }
    await world.close()
  }
}
