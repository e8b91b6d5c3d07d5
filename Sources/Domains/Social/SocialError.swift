import DomainKit
import ProtobufRuntime
import RPC

/// The errors of the social domain.
enum SocialError: DomainError {
  /// A list of relations of no kind in particular.
  case noRelationKind

  var mapping: ErrorMapping {
    switch self {
    case .noRelationKind: Self.invalid("INVALID_REQUEST", "kind", "says nothing")
    }
  }

  private static func invalid(_ reason: String, _ field: String, _ description: String) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, "the request is not valid",
      violations: [FieldViolation(field: field, description: description, reason: reason)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [SocialError] = [.noRelationKind]
}
