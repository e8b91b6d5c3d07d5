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

extension World {
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
  func hide(_ thing: String, _ isPrivate: Bool = true) async throws {
    let subject = try kit.subjects.parse(thing, field: "")
    let subjects = kit.subjects
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
