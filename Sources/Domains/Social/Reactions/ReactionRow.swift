import Base
import DomainKit
import SocialAPI
import Storage
import WellKnownTypes

/// A row of `social_reactions`.
struct ReactionRow: Sendable {
  let user: Identifier
  let subject: SubjectID
  let kind: ReactionSort
  /// Empty but for an emoji.
  let emoji: String
  let id: Identifier
  let createdAt: Instant

  static let columns = "user_id, subject_kind, subject_id, kind, emoji, id, created_at"

  init(_ row: any Row) {
    user = row[0]
    subject = SubjectID(row[1], row[2])
    guard let kind = ReactionSort(rawValue: row[3]) else {
      preconditionFailure("social_reactions holds a strange kind")
    }
    self.kind = kind
    emoji = row[4]
    id = row[5]
    createdAt = row[6]
  }

  init(user: Identifier, subject: SubjectID, _ kind: ReactionSort, _ emoji: String, id: Identifier, at: Instant) {
    self.user = user
    self.subject = subject
    self.kind = kind
    self.emoji = emoji
    self.id = id
    createdAt = at
  }

  /// What it counts for.
  var counter: Counter {
    switch kind {
    case .like: .likes
    case .emoji: .emoji(emoji)
    case .save: .saves
    }
  }

  /// A user's reaction of a kind, held by this transaction.
  static func held(
    _ user: Identifier, _ kind: ReactionSort, on subject: SubjectID, in writer: any Writer
  ) throws -> ReactionRow? {
    try writer.firstForUpdate(
      """
      SELECT \(columns) FROM social_reactions
      WHERE user_id = $1 AND subject_id = $2 AND kind = $3 AND subject_kind = $4
      """, user, subject.id, kind.rawValue, subject.kind, make: ReactionRow.init)
  }
}

extension ReactionSort {
  /// Nil for what names none.
  init?(_ kind: ReactionKind) {
    self.init(rawValue: Int64(kind.rawValue))
  }
}

extension ReactionMade {
  init(_ row: ReactionRow) {
    self.init(
      id: row.id, user: row.user, subject: row.subject, sort: row.kind, emoji: row.emoji, madeAt: row.createdAt)
  }
}

extension Reaction {
  init(_ row: ReactionRow) {
    self.init()
    subjectID = row.subject.text
    kind = ReactionKind(rawValue: Int32(row.kind.rawValue))
    emoji = row.emoji
    createTime = Timestamp(row.createdAt)
  }
}

/// Emojis, as Unicode TS 51 draws them.
enum Emoji {
  /// Whether a text is one emoji and nothing else: one character whose first code point is drawn as a picture, by itself or
  /// because U+FE0F asks for it. Accents and other marks make no new emojis of one.
  static func isOne(_ text: String) -> Bool {
    guard text.count == 1, let first = text.unicodeScalars.first, text.unicodeScalars.allSatisfy(isPart) else {
      return false
    }
    return first.properties.isEmojiPresentation
      || (first.properties.isEmoji && text.unicodeScalars.contains("\u{FE0F}"))
  }

  /// Whether a code point occurs in emojis: as a picture, or to join pictures, choose how they are drawn, frame a key or
  /// tag a flag.
  private static func isPart(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\u{200D}", "\u{FE0F}", "\u{20E3}", "\u{E0020}"..."\u{E007F}": true
    default: scalar.properties.isEmoji
    }
  }
}
