import Base
import DomainKit
import Storage

/// What people may say about adverts by the shared modules, and what moderators may do with them.
extension AdvertKind {
  var traits: SubjectTraits {
    var traits = SubjectTraits()
    traits.reactions = [.like, .emoji, .save]
    traits.commentLength = 500
    return traits
  }

  /// Whoever sees an advert may comment on it, and talk in the thread beside it.
  func posting(on id: Identifier, by caller: Caller, in reader: any Reader) throws -> Posting { .allowed }

  /// Whoever has taken a piece reviews the advert over it.
  func reviewing(
    _ id: Identifier, by user: Identifier, over key: SubjectID, in reader: any Reader
  ) throws -> Reviewing {
    guard key.kind == Giveaways.claimKind,
      let claimedAt = try Giveaways.claimedAt(key.id, on: id, by: user, in: reader)
    else { return .notEligible }
    return .eligible(ReviewRule(until: claimedAt + ReviewRule.standardWindow))
  }

  func moderate(_ id: Identifier, _ measure: ModerationMeasure, in writer: any Writer) throws -> Bool {
    switch measure {
    case .remove:
      try writer.execute(
        "UPDATE pinboard_adverts SET removed_at = $1 WHERE id = $2 AND removed_at IS NULL", board.kit.clock.now(), id)
    case .restore: try writer.execute("UPDATE pinboard_adverts SET removed_at = NULL WHERE id = $1", id)
    }
    return true
  }

  func words(of id: Identifier, in reader: any Reader) throws -> String? {
    try AdvertRow.find(id, in: reader).map { $0.title + "\n" + $0.text }
  }
}
