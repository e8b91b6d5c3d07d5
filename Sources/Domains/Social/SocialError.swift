import DomainKit
import ProtobufRuntime
import RPC

/// The errors of the social domain.
enum SocialError: DomainError {
  /// A list of relations of no kind in particular.
  case noRelationKind
  /// A reaction of no kind in particular.
  case noReactionKind
  /// Not one emoji, or one where none belongs.
  case badEmoji
  /// The thing does not take reactions of this kind.
  case reactionNotTaken
  /// The thing's owner wants no comments.
  case commentsOff
  /// An earlier report of the caller's on the thing is open.
  case reportExists
  /// The moderator has decided before, or is concerned.
  case sameReviewer
  /// Nothing of this kind can be taken away.
  case notRemovable
  /// It is too late.
  case windowClosed
  /// Nothing happened that the caller could review, or not yet.
  case notEligible
  /// The caller has reviewed the thing.
  case reviewExists
  /// The field holds a score beyond the scale.
  case ratingOutOfRange(_ field: String)
  /// The aspect of this index is none of the thing's, or comes twice.
  case badAspect(Int)
  /// A field of a moderator's decision that does not fit the others.
  case badRuling(_ field: String)
  /// A word list that the scorer cannot use.
  case badWordList(WordListError)

  var mapping: ErrorMapping {
    switch self {
    case .noRelationKind, .noReactionKind: Self.invalid("INVALID_REQUEST", "kind", "says nothing")
    case .badEmoji: Self.invalid("BAD_EMOJI", "emoji", "one emoji for EMOJI, nothing for other kinds")
    case .reactionNotTaken:
      ErrorMapping("REACTION_NOT_TAKEN", "things of this kind do not take such reactions")
    case .commentsOff:
      ErrorMapping("COMMENTS_OFF", "comments are switched off")
    case .reportExists: ErrorMapping("REPORT_EXISTS", .alreadyExists, "an earlier report on it is open")
    case .sameReviewer: ErrorMapping("SAME_REVIEWER", "somebody who is not concerned has to decide this")
    case .notRemovable: ErrorMapping("NOT_REMOVABLE", "things of this kind cannot be taken away")
    case .windowClosed: ErrorMapping("WINDOW_CLOSED", "it is too late for that")
    case .notEligible: ErrorMapping("NOT_ELIGIBLE", "there is nothing that the caller could review")
    case .reviewExists: ErrorMapping("REVIEW_EXISTS", .alreadyExists, "the caller has reviewed it")
    case .ratingOutOfRange(let field): Self.invalid("RATING_OUT_OF_RANGE", field, "beyond the scale")
    case .badAspect(let index): Self.invalid("INVALID_REQUEST", "aspects[\(index)].aspect", "no such aspect, or twice")
    case .badRuling(let field): Self.invalid("INVALID_REQUEST", field, "does not fit what is asked")
    case .badWordList(let error):
      Self.invalid(
        "BAD_WORD_LIST", error.word.map { "list.words[\($0)]" } ?? "list", "cannot be used: \(error.fault)")
    }
  }

  private static func invalid(_ reason: String, _ field: String, _ description: String) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, "the request is not valid",
      violations: [FieldViolation(field: field, description: description, reason: reason)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [SocialError] = [
    .noRelationKind, .noReactionKind, .badEmoji, .reactionNotTaken, .commentsOff, .reportExists,
    .sameReviewer, .notRemovable, .windowClosed, .notEligible, .reviewExists, .ratingOutOfRange("score"), .badAspect(0),
    .badRuling("verdict"), .badWordList(WordListError(.text, list: 0)),
  ]
}
