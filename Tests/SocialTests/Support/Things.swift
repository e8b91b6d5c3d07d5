import Base
import DomainKit
import Storage

/// Things of another domain, as tests make them.
struct Things: SubjectKind {
  static let migrations = [
    Migration(
      "things", 1, "things",
      sql: """
        CREATE TABLE things (
          id INTEGER PRIMARY KEY,
          owner_id INTEGER NOT NULL,
          is_private INTEGER NOT NULL,
          is_silent INTEGER NOT NULL
        );
        -- What two users had to do with each other about a thing.
        CREATE TABLE stays (
          id INTEGER PRIMARY KEY,
          thing_id INTEGER NOT NULL,
          guest_id INTEGER NOT NULL,
          ended_at INTEGER
        );
        -- What the things' domain was told, in order; what is told at once has one number.
        CREATE TABLE deeds (
          number INTEGER NOT NULL,
          thing_id INTEGER NOT NULL,
          text TEXT NOT NULL
        );
        """)
  ]

  let prefix = "thing"

  var traits: SubjectTraits {
    var traits = SubjectTraits()
    traits.isFollowable = true
    traits.reactions = [.like, .emoji, .save]
    traits.commentLength = 500
    return traits
  }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try reader.first("SELECT owner_id FROM things WHERE id = $1", id) { SubjectFacts(owner: $0[0]) }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM things WHERE id = $1 AND (is_private = 0 OR owner_id = $2)", id,
      caller?.user ?? Identifier(rawValue: 0))
  }

  func posting(on id: Identifier, by caller: Caller, in reader: any Reader) throws -> Posting {
    try reader.exists("SELECT 1 FROM things WHERE id = $1 AND is_silent = 0", id) ? .allowed : .off
  }
}

extension Things {
  /// What the thing with this id says.
  static func said(by id: Identifier) -> String { "thing \(id.rawValue) is for sale" }

  func words(of id: Identifier, in reader: any Reader) throws -> String? {
    try facts(of: id, in: reader).map { _ in Self.said(by: id) }
  }

  func happened(_ deed: SubjectDeed, to id: Identifier, in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO deeds (number, thing_id, text) SELECT COALESCE(MAX(number), 0) + 1, $1, $2 FROM deeds", id,
      "\(deed.isTakenBack ? "-" : "+")\(deed.word) \(deed.user.rawValue)")
  }

  /// A guest reviews for 28 days after the end, on a scale from 1 to 10, and blind for 14 days.
  func reviewing(
    _ id: Identifier, by user: Identifier, over key: SubjectID, in reader: any Reader
  ) throws -> Reviewing {
    let end: Instant?? = try reader.first(
      "SELECT ended_at FROM stays WHERE id = $1 AND thing_id = $2 AND guest_id = $3", key.id, id, user
    ) { $0[0] }
    guard let end = end ?? nil, key.kind == "stay" else { return .notEligible }
    return .eligible(.ofStay(until: end + ReviewRule.standardWindow, end))
  }
}

extension ReviewRule {
  fileprivate static func ofStay(until: Instant, _ end: Instant) -> ReviewRule {
    var rule = ReviewRule(until: until)
    rule.scale = 1...10
    rule.aspects = ["cleanliness", "value"]
    rule.blindUntil = end + .seconds(14 * 86_400)
    return rule
  }
}

/// Guests, as their hosts review them; on the standard scale.
struct Guests: SubjectKind {
  let prefix = "guest"

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? { SubjectFacts(owner: id) }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool { true }

  func reviewing(
    _ id: Identifier, by user: Identifier, over key: SubjectID, in reader: any Reader
  ) throws -> Reviewing {
    let end: Instant?? = try reader.first(
      """
      SELECT s.ended_at FROM stays s JOIN things t ON t.id = s.thing_id
      WHERE s.id = $1 AND s.guest_id = $2 AND t.owner_id = $3
      """, key.id, id, user
    ) { $0[0] }
    guard let end = end ?? nil else { return .notEligible }
    var rule = ReviewRule(until: end + ReviewRule.standardWindow)
    rule.blindUntil = end + .seconds(14 * 86_400)
    return .eligible(rule)
  }
}

extension SubjectDeed {
  /// As tests write it.
  fileprivate var word: String {
    switch what {
    case .reaction(let sort, let emoji): "\(sort)\(emoji)"
    case .follow: "follow"
    case .comment: "comment"
    case .review(_, let score): "review \(score)"
    case .share: "share"
    case .arrival(_, let maker): "arrival by \(maker.rawValue)"
    case .report: "report"
    }
  }
}

extension World {
  /// What the domain of a thing was told of what a user did with it since the last call.
  func deeds(_ thing: String) async throws -> [String] {
    let id = try kit.subjects.parse(thing, field: "").id
    return try await database.write { writer in
      let deeds: [String] = try writer.rows("SELECT text FROM deeds WHERE thing_id = $1 ORDER BY number", id) { $0[0] }
      try writer.execute("DELETE FROM deeds WHERE thing_id = $1", id)
      return deeds
    }
  }

  /// Deletes a thing, as its domain does, and says so or forgets to.
  func remove(_ thing: String, isTold: Bool = true) async throws {
    let subject = try kit.subjects.parse(thing, field: "")
    let subjects = kit.subjects
    try await database.write { writer in
      try writer.execute("DELETE FROM things WHERE id = $1", subject.id)
      if isTold { try subjects.gone(subject, in: writer) }
    }
  }

  /// Does what is due, until nothing is.
  func settle() async throws { while try await timers.runDue() > 0 {} }

  /// A stay that has ended now.
  func stay(of guest: Somebody, at thing: String, hasEnded: Bool = true) async throws -> String {
    let (id, end) = (kit.identifiers.next(), hasEnded ? clock.now() : nil)
    let thingID = try kit.subjects.parse(thing, field: "").id
    _ = try await database.write { writer in
      try writer.execute(
        "INSERT INTO stays (id, thing_id, guest_id, ended_at) VALUES ($1, $2, $3, $4)", id, thingID, guest.id, end)
    }
    return id.text(kind: "stay")
  }

  /// A new thing of a user, which all may see.
  func thing(of owner: Somebody) async throws -> String {
    let id = kit.identifiers.next()
    _ = try await database.write { writer in
      try writer.execute(
        "INSERT INTO things (id, owner_id, is_private, is_silent) VALUES ($1, $2, 0, 0)", id, owner.id)
    }
    return id.text(kind: "thing")
  }

  /// Hides a thing from all but its owner, or shows it again.
  func hide(_ thing: String, _ isPrivate: Bool = true, by node: Kit? = nil) async throws {
    let subject = try kit.subjects.parse(thing, field: "")
    let subjects = (node ?? kit).subjects
    try await database.write { writer in
      try writer.execute("UPDATE things SET is_private = $2 WHERE id = $1", subject.id, isPrivate)
      try subjects.visibilityChanged(of: subject, in: writer)
    }
  }

  /// Says that nobody may comment on a thing any more.
  func silence(_ thing: String) async throws {
    let id = try kit.subjects.parse(thing, field: "").id
    _ = try await database.write { try $0.execute("UPDATE things SET is_silent = 1 WHERE id = $1", id) }
  }
}
