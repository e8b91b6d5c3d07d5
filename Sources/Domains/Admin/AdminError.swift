import DomainKit
import ProtobufRuntime
import RPC

/// The errors of the admin domain.
enum AdminError: DomainError {
  /// What a request asks does not fit.
  case invalid([FieldViolation])

  var mapping: ErrorMapping {
    switch self {
    case .invalid(let violations):
      ErrorMapping("INVALID_REQUEST", .invalidArgument, "the request is not valid", violations: violations)
    }
  }

  static func invalid(_ field: String, _ description: String) -> AdminError {
    .invalid([FieldViolation(field: field, description: description)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [AdminError] = [.invalid("value", "not of the flag's type")]
}
