import DomainKit

/// What the state of the board forbids.
enum PinboardError: DomainError, CaseIterable {
  /// The advert does not hang any more.
  case alreadyDown

  var mapping: ErrorMapping {
    switch self {
    case .alreadyDown: ErrorMapping("ALREADY_DOWN", "the advert does not hang any more")
    }
  }
}
