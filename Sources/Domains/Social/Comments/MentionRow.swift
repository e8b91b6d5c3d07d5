import Base
import DomainKit
import Storage

/// Somebody who is named in a comment: a row of `social_mentions`. The handle is not kept with the comment, which shows the
/// present one, and none once the user is erased.
struct MentionRow: Sendable, Equatable {
  /// The most in one comment; what is beyond them stays plain text.
  static let limit = 20
  /// How many handles of one text are looked up, known or not.
  static let askedLimit = 40

  let user: Identifier
  /// Of the `@` in the stored text, in code points.
  let position: Int

  /// What is stored of a text: an `@` for each `@handle` that `resolve` knows.
  static func parse(
    _ text: String, resolve: (_ handle: String) throws -> Identifier?
  ) rethrows -> (stored: String, mentions: [MentionRow]) {
    var stored = String.UnicodeScalarView()
    var mentions: [MentionRow] = []
    var rest = text.unicodeScalars[...]
    var last: Unicode.Scalar?
    var asked = 0
    while let scalar = rest.popFirst() {
      if scalar == "@", mentions.count < limit, asked < askedLimit, last.map({ !isWordPart($0) }) ?? true {
        let handle = rest.prefix(while: isHandlePart)
        if !handle.isEmpty {
          asked += 1
          if let (user, length) = try longestKnown(String(handle), resolve) {
            mentions.append(MentionRow(user: user, position: stored.count))
            rest = rest.dropFirst(length)
          }
        }
      }
      stored.append(scalar)
      last = scalar
    }
    return (String(stored), mentions)
  }

  /// The user of a handle; of one that ends in dots, which end the sentence, also without them.
  private static func longestKnown(
    _ text: String, _ resolve: (String) throws -> Identifier?
  ) rethrows -> (Identifier, Int)? {
    if let user = try resolve(text) { return (user, text.unicodeScalars.count) }
    let plain = String(text.reversed().drop { $0 == "." }.reversed())
    guard plain != text, !plain.isEmpty, let user = try resolve(plain) else { return nil }
    return (user, plain.unicodeScalars.count)
  }

  private static func isHandlePart(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", ".": true
    default: false
    }
  }

  private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" || scalar == "@"
  }

  static func all(of comment: CommentRow, in reader: any Reader) throws -> [MentionRow] {
    try reader.rows(
      "SELECT user_id, position FROM social_mentions WHERE comment_id = $1 ORDER BY position", comment.id
    ) { MentionRow(user: $0[0], position: $0[1]) }
  }

  /// Puts these in the place of a comment's mentions.
  static func replace(_ mentions: [MentionRow], of comment: Identifier, in writer: any Writer) throws {
    try writer.execute("DELETE FROM social_mentions WHERE comment_id = $1", comment)
    for mention in mentions {
      try writer.execute(
        "INSERT INTO social_mentions (comment_id, position, user_id) VALUES ($1, $2, $3)", comment, mention.position,
        mention.user)
    }
  }
}
