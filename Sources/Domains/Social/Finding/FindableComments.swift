import Base
import DomainKit
import Storage

/// Comments on things that everybody may see are found by their words.
struct FindableComments: FindableKind {
  var prefix: String { IDKind.comment }

  func entry(of id: Identifier, in reader: any Reader) throws -> FindableEntry? {
    try reader.first(
      "SELECT text, subject_kind FROM social_comments WHERE id = $1 AND state = $2 AND is_open = 1", id,
      CommentRow.State.visible.rawValue
    ) { .said($0[0], on: $0[1]) }
  }

  func things(after id: Identifier, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows("SELECT id FROM social_comments WHERE id > $1 ORDER BY id LIMIT $2", id, limit) { $0[0] }
  }
}

/// Reviews of things that everybody may see are found by their words.
struct FindableReviews: FindableKind {
  var prefix: String { IDKind.review }

  func entry(of id: Identifier, in reader: any Reader) throws -> FindableEntry? {
    try reader.first(
      "SELECT text, subject_kind FROM social_reviews WHERE id = $1 AND state = $2 AND is_open = 1 AND text <> ''", id,
      ReviewRow.State.visible.rawValue
    ) { .said($0[0], on: $0[1]) }
  }

  func things(after id: Identifier, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows("SELECT id FROM social_reviews WHERE id > $1 ORDER BY id LIMIT $2", id, limit) { $0[0] }
  }
}

extension FindableEntry {
  /// Things themselves come before what was said about them.
  private static let boost = 0.25

  /// Something that a user has said. Its words go with it, and are suggested to nobody.
  fileprivate static func said(_ text: String, on kind: String) -> FindableEntry {
    FindableEntry(title: "", summary: text, tags: ["about/" + kind], boost: boost, isPersonal: true)
  }
}
