import Base
import DomainKit
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
    for table in ["social_follows", "social_barriers", "social_quotas", "social_restrictions"] {
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
}

extension World {
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
