public import Base
public import ProtobufRuntime
import RPC

/// Why a row cannot be put into a table.
public enum TableError: DomainError {
  /// Another row of the key is in force at the same time.
  case overlap(row: Identifier)
  /// The row has begun, or has ended: what it was is not changed.
  case rowInForce
  /// What is put does not fit the table.
  case invalid([FieldViolation])

  public var mapping: ErrorMapping {
    switch self {
    case .overlap(let row):
      ErrorMapping(
        "TABLE_OVERLAP", .failedPrecondition, "another row of this key is in force at the same time",
        metadata: ["row_id": row.text(kind: DatedRow.idKind)])
    case .rowInForce:
      ErrorMapping("ROW_IN_FORCE", "a row that has begun can only be given an earlier end")
    case .invalid(let violations):
      ErrorMapping("INVALID_REQUEST", .invalidArgument, "the request is not valid", violations: violations)
    }
  }

  public static func invalid(_ field: String, _ description: String) -> TableError {
    .invalid([FieldViolation(field: field, description: description)])
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [TableError] = [
    .overlap(row: Identifier(rawValue: 1)), .rowInForce, .invalid("to_time", "has passed"),
  ]
}
