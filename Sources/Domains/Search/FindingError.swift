import DomainKit
import ProtobufRuntime
import RPC
import Storage

/// The errors of the search domain.
enum FindingError: DomainError {
  /// The state of the index that the first page was of is gone.
  case pageExpired
  /// What a request asks cannot be looked for.
  case invalid(FieldViolation)

  /// What the index says of a query that the request's rules let pass.
  init(_ error: SearchError) {
    switch error {
    case .tooManyWords, .queryTooLong:
      self = .invalid(FieldViolation(field: "text", description: "at most \(SearchLimits.queryWords) words"))
    case .nothingToSearch:
      self = .invalid(FieldViolation(field: "text", description: "has neither a letter nor a digit"))
    case .tooManyFilters, .badPageSize:
      self = .invalid(FieldViolation(field: "tags", description: "at most \(SearchLimits.filters) with the kind"))
    case .tooManyFacets:
      self = .invalid(FieldViolation(field: "counted_tags", description: "at most \(SearchLimits.facets)"))
    case .foreignCursor, .cursorExpired: self = .pageExpired
    }
  }

  var mapping: ErrorMapping {
    switch self {
    case .pageExpired:
      ErrorMapping("PAGE_EXPIRED", .outOfRange, "the first page is too long ago; search again")
    case .invalid(let violation):
      ErrorMapping("INVALID_REQUEST", .invalidArgument, "the request is not valid", violations: [violation])
    }
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [FindingError] = [
    .pageExpired, .invalid(FieldViolation(field: "text", description: "")),
  ]
}
