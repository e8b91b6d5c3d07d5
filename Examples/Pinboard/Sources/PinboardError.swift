import DomainKit

/// What the state of the board forbids.
enum PinboardError: DomainError, CaseIterable {
  /// The advert does not hang any more.
  case alreadyDown
  /// The advert gives something away already.
  case alreadyOffered
  /// Nothing is left to be given away.
  case allGiven
  /// The caller has a piece.
  case alreadyClaimed

  var mapping: ErrorMapping {
    switch self {
    case .alreadyDown: ErrorMapping("ALREADY_DOWN", "the advert does not hang any more")
    case .alreadyOffered: ErrorMapping("ALREADY_OFFERED", "the advert gives something away already")
    case .allGiven: ErrorMapping("ALL_GIVEN", "nothing is left")
    case .alreadyClaimed: ErrorMapping("ALREADY_CLAIMED", "one piece for each")
    }
  }
}
