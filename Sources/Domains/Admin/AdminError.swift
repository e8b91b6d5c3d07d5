import Base
import DomainKit
import ProtobufRuntime
import RPC

/// The errors of the admin domain.
enum AdminError: DomainError {
  /// Another row of the key is in force at the same time.
  case tableOverlap(row: Identifier)
  /// The row has begun, or has ended: what it was is not changed.
  case rowInForce
  /// What a request asks does not fit the flag or the table.
  case invalid([FieldViolation])

  var mapping: ErrorMapping {
    switch self {
    case .tableOverlap(let row):
      ErrorMapping(
        "TABLE_OVERLAP", .failedPrecondition, "another row of this key is in force at the same time",
        metadata: ["row_id": row.text(kind: TableRecord.idKind)])
    case .rowInForce:
      ErrorMapping("ROW_IN_FORCE", "a row that has begun can only be given an earlier end")
    case .invalid(let violations):
      ErrorMapping("INVALID_REQUEST", .invalidArgument, "the request is not valid", violations: violations)
    }
  }

  static func invalid(_ field: String, _ description: String) -> AdminError {
    .invalid([FieldViolation(field: field, description: description)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [AdminError] = [
    .tableOverlap(row: Identifier(rawValue: 1)), .rowInForce, .invalid("value", "not of the flag's type"),
  ]
}
