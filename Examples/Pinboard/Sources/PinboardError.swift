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
  /// What an advert says is an insult, a threat or the like.
  case textRefused
  /// The upload is no picture.
  case badPhoto

  var mapping: ErrorMapping {
    switch self {
    case .alreadyDown: ErrorMapping("ALREADY_DOWN", "the advert does not hang any more")
    case .alreadyOffered: ErrorMapping("ALREADY_OFFERED", "the advert gives something away already")
    case .allGiven: ErrorMapping("ALL_GIVEN", "nothing is left")
    case .alreadyClaimed: ErrorMapping("ALREADY_CLAIMED", "one piece for each")
    case .textRefused: ErrorMapping("TEXT_REFUSED", "the text is refused: insulting")
    case .badPhoto: ErrorMapping("BAD_PHOTO", "the upload is no picture that can be shown")
    }
  }
}
