import Base
import DomainKit
import Storage

extension IdentityAudit {
  /// Grants that are read at a time.
  private static let piece = 1000
  /// What a record says of a place, as `AuditFact.name` has it.
  private static let namedFacts: Set = ["role", "resource"]

  /// A role that somebody has, or had, at one place.
  private struct Place: Hashable {
    let holder: SubjectID
    let role: String
    let resource: String

    /// What a record of it says of the place.
    var facts: [AuditFact] {
      [AuditFact.role(role)] + (SubjectID(parsing: resource).map { [AuditFact.resource($0)] } ?? [])
    }
  }

  /// How often it was given, and how often it was taken since.
  private struct Tally {
    /// The first time.
    let grant: Identifier
    var given = 0
    var taken = 0
  }

  /// Whether what rows say of roles is in the trail: a right that was written by another hand is not. The trail may have more
  /// records, as a decision is recorded also if it changes nothing.
  ///
  /// Each is read once, the grants in the order of their holders.
  func recordedGrants() throws -> InvariantCheck {
    var (rows, violations) = (0, [String]())
    var tallies: [Place: Tally] = [:]
    var last: GrantRow?
    while violations.count < InvariantCheck.shownLimit {
      let piece = try GrantRow.all(after: last, limit: Self.piece, in: reader)
      if piece.isEmpty { break }
      for grant in piece {
        if grant.user != last?.user, tallies.count >= Self.piece {
          violations += try unrecorded(tallies)
          tallies = [:]
        }
        let place = Place(holder: grant.holder.subject, role: grant.role, resource: grant.resource)
        tallies[place, default: Tally(grant: grant.id)].given += 1
        if grant.revokedAt != nil { tallies[place]?.taken += 1 }
        last = grant
      }
      rows += piece.count
    }
    violations += try unrecorded(tallies)
    return InvariantCheck(
      number: 12, statement: "each role that was given or taken is on record", rowsChecked: rows,
      violations: violations)
  }

  /// The grants of which the trail does not know, of holders whose grants are all counted.
  private func unrecorded(_ tallies: [Place: Tally]) throws -> [String] {
    let words = [GrantBook.given, GrantBook.taken]
    let holders = Array(Set(tallies.keys.map(\.holder)))
    let found = try audit.mentions(of: words, on: holders, with: Self.namedFacts, in: reader)
    guard let mentions = found else { return [] }
    func isRecorded(_ word: StaticString, _ place: Place, _ times: Int) -> Bool {
      times <= mentions[AuditMention(word, on: place.holder, place.facts), default: 0]
    }
    return tallies.filter { place, tally in
      !isRecorded(GrantBook.given, place, tally.given) || !isRecorded(GrantBook.taken, place, tally.taken)
    }.values.map(\.grant).sorted().map { $0.text(kind: IDKind.grant) }
  }
}
