import DomainKit
import ProtobufRuntime
import RPC

/// The errors of the notify domain.
enum NotifyError: DomainError {
  /// No such kind of notice. The field that names it.
  case unknownKind(field: String)
  /// The kind always goes by its own ways.
  case kindFixed(field: String)
  /// Quiet hours that never are, or always.
  case badQuietHours
  /// The push server is not one of those that are allowed.
  case pushAddressRefused
  case badUnsubscribeToken
  /// The words of a template do not fit the kind's values.
  case badTemplate
  /// An announcement without words in English, which all fall back to.
  case noEnglishText
  /// A list of deliveries of nobody in particular, in no state in particular.
  case noFilter

  var mapping: ErrorMapping {
    switch self {
    case .unknownKind(let field): Self.invalid("UNKNOWN_KIND", field, "no such kind of notice")
    case .kindFixed(let field): Self.invalid("KIND_FIXED", field, "notices of this kind cannot be switched off")
    case .badQuietHours: Self.invalid("BAD_QUIET_HOURS", "quiet_hours.end_minute", "equals start_minute")
    case .pushAddressRefused: Self.invalid("PUSH_ADDRESS_REFUSED", "address", "not at an allowed push server")
    case .badUnsubscribeToken: Self.invalid("BAD_UNSUBSCRIBE_TOKEN", "token", "not a token of this server's mails")
    case .badTemplate: Self.invalid("BAD_TEMPLATE", "text", "a brace lacks its other half, or a name is not the kind's")
    case .noEnglishText: Self.invalid("NO_ENGLISH_TEXT", "texts", "English is missing")
    case .noFilter: Self.invalid("INVALID_REQUEST", "user_id", "needed unless there is a state")
    }
  }

  private static func invalid(_ reason: String, _ field: String, _ description: String) -> ErrorMapping {
    ErrorMapping(
      reason, .invalidArgument, "the request is not valid",
      violations: [FieldViolation(field: field, description: description, reason: reason)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [NotifyError] = [
    .unknownKind(field: "kind"), .kindFixed(field: "kinds[0].kind"), .badQuietHours,
    .pushAddressRefused, .badUnsubscribeToken, .badTemplate, .noEnglishText, .noFilter,
  ]
}
