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

  var mapping: ErrorMapping {
    switch self {
    case .noRelationKind, .noReactionKind: Self.invalid("INVALID_REQUEST", "kind", "says nothing")
    case .badEmoji: Self.invalid("BAD_EMOJI", "emoji", "one emoji for EMOJI, nothing for other kinds")
    case .reactionNotTaken:
      ErrorMapping("REACTION_NOT_TAKEN", "things of this kind do not take such reactions")
    case .commentsOff:
      ErrorMapping("COMMENTS_OFF", "comments are switched off")
    }
  }

  private static func invalid(_ reason: String, _ field: String, _ description: String) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, "the request is not valid",
      violations: [FieldViolation(field: field, description: description, reason: reason)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [SocialError] = [
    .noRelationKind, .noReactionKind, .badEmoji, .reactionNotTaken, .commentsOff,
  ]
}
