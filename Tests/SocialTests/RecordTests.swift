import Base
import DomainKit
import PostgreSQLServer
import SocialAPI
import Storage
import Testing

@testable import Social

/// What is known of people, and forgotten.
@Suite struct RecordTests {
  @Test func `what a user has said of others is exported, and erased on both sides`() async throws {
    var limits = SocialLimits()
    limits.erasedAtOnce = 2
    let world = try await World.open(limits: limits)
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    var others: [Somebody] = []
    for number in 0..<4 { others.append(try await world.user("user\(number)")) }
    for other in others {
      try await ada.follow(other.text)
      try await other.follow(ada.text)
    }
    try await bob.follow(others[0].text)
    try await ada.block(others[1].text)
    try await ada.mute(others[2])
    try await others[3].block(ada.text)
    let exported = try await world.exported(ada)
    #expect(exported.map { $0.prefix { $0 != " " } } == ["Follow", "Follow", "Block", "Mute"])
    #expect(exported[0].contains(others[0].text) && exported[2].contains(others[1].text))

    try await world.erase(ada)
    #expect(try await world.exported(ada).isEmpty)
    #expect(try await world.counters(ada.text) == [:])
    #expect(try await world.counters(others[0].text) == ["followers": 1])
    for table in ["social_follows", "social_barriers", "social_quotas", "social_restrictions", "social_restraints"] {
      let columns = table == "social_follows" ? "follower_id = $1 OR target_id" : "user_id"
      let isThere = try await world.database.read { reader in
        try reader.exists("SELECT 1 FROM \(table) WHERE \(columns) = $1", ada.id)
      }
      #expect(!isThere, "\(table)")
    }
    #expect(try await bob.followers(of: others[0].text) == ["bob"])
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `comments become tombstones, and reactions and links go with their counts`() async throws {
    var limits = SocialLimits()
    limits.erasedAtOnce = 2
    let world = try await World.open(limits: limits)
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: bob)
    let first = try await ada.comment("my secret", on: thing)
    try await bob.comment("@ada said so", on: thing, replyTo: first.id)
    for number in 0..<4 { try await ada.comment("more \(number)", on: thing) }
    try await ada.react(.like, to: thing)
    try await ada.react(.emoji, "👍", to: thing)
    try await ada.react(.save, to: thing)
    let link = try await ada.share(thing)
    _ = try await bob.resolve(link.token)
    let bobs = try await bob.share(thing)
    _ = try await ada.resolve(bobs.token)
    let kinds = try await world.exported(ada).map { String($0.prefix { $0 != " " }) }
    #expect(kinds == Array(repeating: "Reaction", count: 3) + Array(repeating: "Comment", count: 5) + ["ShareLink"])
    #expect(try await world.exported(ada)[3].contains("my secret"))

    try await world.erase(ada)
    #expect(try await world.exported(ada).isEmpty)
    #expect(try await bob.texts(on: thing) == ["†"])
    #expect(try await bob.texts(on: thing, below: first) == ["@ said so"])
    #expect(try await world.counters(thing) == ["comments": 1, "shares": 1])
    #expect(try await bob.links().map(\.useCount) == [0])
    let isLeft = try await world.database.read { reader in
      try reader.exists(
        "SELECT 1 FROM social_comments WHERE author_id = $1 OR text LIKE '%secret%' OR text LIKE '%ada%'", ada.id)
    }
    #expect(!isLeft)
    #expect(try await world.broken().isEmpty)
    await world.close()
  }

  @Test func `the audit names what breaks an invariant`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: bob)
    let comment = try await ada.comment("here", on: thing)
    try await ada.block(bob.text)
    _ = try await world.database.write { writer in
      try writer.execute("UPDATE social_comments SET parent_id = 7")
      try writer.execute(
        """
        INSERT INTO social_follows (follower_id, target_id, target_kind, id, state, created_at)
        VALUES ($1, $2, 'user', 1, 1, 1)
        """, bob.id, ada.id)
      try writer.execute("UPDATE social_counters SET value = 2 WHERE counter = 'comments'")
    }
    let broken = try await world.broken()
    #expect(broken.map(\.number) == [3, 7, 7])
    #expect(broken.flatMap(\.violations).contains(thing))
    #expect(broken[1].violations == [ada.text] && broken[2].violations == [comment.id])
    await world.close()
  }

  @Test func `what was decided about a user's things is exported, with the own appeal and nobody else's words`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let moe = try await world.user("moe_", roles: ["moderator"])
    let comment = try await bob.comment("buy!", on: world.thing(of: ada))
    let report = try await ada.report(comment.id, .spam, "a nuisance")
    func cases() async throws -> [String] { try await world.exported(bob).filter { $0.hasPrefix("Case ") } }
    // Nothing was done about it yet.
    #expect(try await cases().isEmpty)
    try await moe.decide(report.id, .act, .remove)
    #expect(try await bob.appeal(report.id).appealText == "it was not so")
    let found = try #require(try await cases().first)
    #expect(found.contains(report.id) && found.contains("it was not so"))
    #expect(!found.contains("nuisance") && !found.contains("seen") && !found.contains(ada.text))
    #expect(try await ada.cases(aboutMe: false).map(\.appealText) == [""])
    await world.close()
  }

  @Test func `the audit names what breaks the rules of moderators and reviews`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let moe = try await world.user("moe_", roles: ["moderator"])
    let may = try await world.user("may_", roles: ["moderator"])
    let comment = try await bob.comment("buy!", on: world.thing(of: ada))
    let report = try await ada.report(comment.id)
    try await moe.decide(report.id, .take)
    try await moe.decide(report.id, .act, .remove)
    _ = try await bob.appeal(report.id)
    try await may.decideAppeal(report.id, .uphold)
    #expect(try await world.broken().isEmpty)
    for damage in [
      "UPDATE social_decisions SET author_id = 7 WHERE appealed_id IS NULL OR appealed_id IS NOT NULL",
      "UPDATE social_decisions SET verdict = 5 WHERE verdict = 4",
      "DELETE FROM social_decisions WHERE appealed_id IS NULL",
    ] {
      #expect(try await world.broken(by: damage) == [11], "\(damage)")
    }
    #expect(try await world.broken(by: "UPDATE social_comments SET state = 4") == [7])
    #expect(
      try await world.named(by: "UPDATE social_comments SET state = 1", "UPDATE social_counters SET value = 1") == [
        "11 \(comment.id)"
      ])
    await world.close()
  }

  @Test func `invariants 7 and 11: the audit names what stays blind for ever, and a reporter's second open report`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    let review = try await bob.review(thing, over: world.stay(of: bob, at: thing), 8)
    try await ada.report(bob.text)
    #expect(try await world.broken().isEmpty)
    #expect(try await world.named(by: "DELETE FROM octet_timers WHERE kind = 'social.unblind'") == ["7 \(review.id)"])
    let now = world.clock.now().nanoseconds
    #expect(try await world.named(by: "UPDATE social_reviews SET blind_until = \(now)").isEmpty)
    let late = now - Duration.seconds(3601).inNanoseconds
    #expect(try await world.named(by: "UPDATE social_reviews SET blind_until = \(late)") == ["7 \(review.id)"])
    let another = """
      INSERT INTO social_reports
        (target_id, id, target_kind, reporter_id, policy, text, rank, state, appeal_text, created_at)
      SELECT target_id, id + 1, target_kind, reporter_id, policy, '', rank, state, '', created_at FROM social_reports
      """
    #expect(try await world.named(by: "DROP INDEX social_reports_open", another) == ["11 \(bob.text)"])
    await world.close()
  }

  @Test func `invariant 10: the audit names what waits for the other side though that has written`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    let stay = try await world.stay(of: bob, at: thing)
    let review = try await bob.review(thing, over: stay, 8)
    let other = try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5)
    #expect(try await world.broken().isEmpty)
    func blind(_ id: String, beside state: Int) async throws -> Set<String> {
      let number = try Identifier.parse(id, kind: "rev").rawValue
      return try await world.named(
        by: "UPDATE social_reviews SET state = CASE id WHEN \(number) THEN 2 ELSE \(state) END"
      ).filter { $0.hasPrefix("10 ") }
    }
    for id in [review.id, other.id] {
      for state in [1, 3, 4] { #expect(try await blind(id, beside: state) == ["10 \(id)"]) }
      // What was taken back was not written.
      #expect(try await blind(id, beside: 5).isEmpty)
    }
    await world.close()
  }

  @Test func `invariants 7 and 11: the audit names reviews removed by nobody, and what is found of hidden things`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let moe = try await world.user("moe_", roles: ["moderator"])
    let (thing, other) = (try await world.thing(of: ada), try await world.thing(of: ada))
    try await bob.comment("here", on: other)
    let stay = try await world.stay(of: bob, at: thing)
    let review = try await bob.review(thing, over: stay, 8, "quiet")
    try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5, "tidy")
    try await ada.answer(review, "thank you")
    try await world.settle()
    for (damage, things) in [
      ("UPDATE social_comments SET is_open = 0 WHERE subject_kind = 'thing'", [other]),
      ("UPDATE social_reviews SET is_open = 0", [thing]),
      // Nobody was told.
      ("UPDATE things SET is_private = 1", [other, thing]),
    ] {
      let broken = try await world.reports(of: damage).filter { !$0.holds }
      #expect(broken.map(\.number) == [7] && Set(broken[0].violations).isSuperset(of: things), "\(damage)")
    }
    let report = try await ada.report(review.id)
    try await moe.decide(report.id, .act, .remove)
    #expect(try await world.broken().isEmpty)
    #expect(try await world.broken(by: "DELETE FROM social_decisions") == [11])
    await world.close()
  }
}

extension World {
  /// The numbers of the invariants that a statement breaks; what it does is taken back.
  func broken(by sql: String) async throws -> Set<Int> {
    Set(try await reports(of: sql).filter { !$0.holds }.map(\.number))
  }

  /// What statements break, each with the number of its invariant; what they do is taken back.
  func named(by statements: String...) async throws -> Set<String> {
    let broken = try await reports(of: statements).filter { !$0.holds }
    return Set(broken.flatMap { check in check.violations.map { "\(check.number) \($0)" } })
  }

  /// What the audit says after some statements; what these do is taken back.
  func reports(of statements: String...) async throws -> [InvariantCheck] { try await reports(of: statements) }

  private func reports(of statements: [String]) async throws -> [InvariantCheck] {
    let (subjects, now) = (kit.subjects, clock.now())
    return try await database.takenBack { writer in
      for sql in statements { try writer.execute(sql) }
      return try SocialAudit(reader: writer, subjects: subjects, now: now).reports()
    }
  }

  /// The records of a user: the name of each one's kind, and its JSON.
  func exported(_ user: Somebody) async throws -> [String] {
    let records = try #require(social.personalRecords)
    return try await database.read { reader in
      var lines: [String] = []
      try records.export(user.id, in: reader) { kind, json in lines.append("\(kind) \(json)") }
      return lines
    }
  }

  func erase(_ user: Somebody) async throws {
    let records = try #require(social.personalRecords)
    var hasMore = true
    while hasMore { hasMore = try await database.write { try records.erase(user.id, in: $0) } }
  }
}
