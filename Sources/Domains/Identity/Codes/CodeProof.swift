import Base
import Cryptography
import DomainKit
import Storage

/// A code that somebody gives. A wrong one is counted before it is refused, in a transaction of its own, so that many
/// guesses at once are not as many free ones.
struct CodeProof: Sendable {
  private enum Outcome {
    case right(Identifier)
    case wrong(Identifier)
    case expired
    case exhausted
  }

  /// Whether it was right when it was checked.
  var fits: Bool {
    if case .right = outcome { true } else { false }
  }

  private let slot: [UInt8]
  private let outcome: Outcome

  /// Checks a code.
  /// - Parameter lookup: of the contact that it must have been sent to; nil for any.
  init(_ text: String, _ slot: CodeSlot, sentTo lookup: [UInt8]?, _ core: IdentityCore) async throws {
    let key = slot.key
    self.slot = key
    let given = Array(slot.purpose.normalized(text).utf8)
    outcome = try await core.kit.database.write { writer in
      guard let row = try CodeRow.findForUpdate(key, in: writer), row.isCurrent(at: core.kit.clock.now()),
        lookup == nil || lookup == row.lookup
      else { return .expired }
      guard row.hasTriesLeft else { return .exhausted }
      let right = core.codes.maker.text(row.purpose, slot: key, id: row.id)
      if isEqualInConstantTime(given, Array(right.utf8)) { return .right(row.id) }
      try writer.execute("UPDATE identity_codes SET wrong_tries = wrong_tries + 1 WHERE slot = $1", key)
      return .wrong(row.id)
    }
  }

  /// Uses the code up with the transaction.
  /// - Returns: its row.
  /// - Throws: `IdentityError.wrongCode`, `.codeExpired`, `.tooManyAttempts`.
  @discardableResult
  func use(now: Instant, in writer: any Writer) throws -> CodeRow {
    switch outcome {
    case .wrong: throw IdentityError.wrongCode
    case .expired: throw IdentityError.codeExpired
    case .exhausted: throw IdentityError.tooManyAttempts
    case .right(let id):
      // Since it was checked others may have tried it, used it, or asked for another.
      guard let row = try CodeRow.findForUpdate(slot, in: writer), row.id == id, row.isCurrent(at: now) else {
        throw IdentityError.codeExpired
      }
      guard row.hasTriesLeft else { throw IdentityError.tooManyAttempts }
      try writer.execute("UPDATE identity_codes SET used_at = $2, sealed = NULL WHERE slot = $1", slot, now)
      return row
    }
  }

  /// Takes back that the code was counted as wrong: the request is the repeat of one that succeeded, with a code that has
  /// a successor by now.
  func forgive(in writer: any Writer) throws {
    guard case .wrong(let id) = outcome else { return }
    try writer.execute(
      "UPDATE identity_codes SET wrong_tries = wrong_tries - 1 WHERE slot = $1 AND id = $2 AND wrong_tries > 0", slot,
      id)
  }
}
