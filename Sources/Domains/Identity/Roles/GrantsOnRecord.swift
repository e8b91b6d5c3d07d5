import Base
import DomainKit
import Storage

extension IdentityAudit {
  /// Grants that are looked up at a time.
  private static let piece = 1000

  /// A role that somebody has, or had, at one place.
  private struct Held {
    let grant: Identifier
    let holder: Holder
    let role: String
    let resource: String
    /// How often it was given, and how often it was taken since.
    let given: Int
    let taken: Int

    init(_ row: any Row) {
      grant = row[0]
      holder = row[2] ? .machine(row[1]) : .user(row[1])
      role = row[3]
      resource = row[4]
      given = row[5]
      taken = row[6]
    }
  }

  /// Whether what rows say of roles is in the trail: a right that was written by another hand is not. The trail may have more
  /// records, as a decision is recorded also if it changes nothing.
  func recordedGrants() throws -> InvariantCheck {
    var (rows, violations) = (0, [String]())
    var last = (user: Identifier(rawValue: 0), role: "", resource: "")
    while violations.count < InvariantCheck.shownLimit {
      let piece = try reader.rows(
        """
        SELECT MIN(id), user_id, is_machine, role, resource, COUNT(*), COUNT(revoked_at) FROM identity_grants
        WHERE (user_id, role, resource) > ($1, $2, $3)
        GROUP BY user_id, is_machine, role, resource ORDER BY user_id, role, resource LIMIT $4
        """, last.user, last.role, last.resource, Self.piece, make: Held.init)
      guard let end = piece.last else { break }
      for held in piece {
        rows += held.given
        if try !isOnRecord(held) { violations.append(held.grant.text(kind: IDKind.grant)) }
      }
      last = (end.holder.id, end.role, end.resource)
    }
    return InvariantCheck(
      number: 12, statement: "each role that was given or taken is on record", rowsChecked: rows,
      violations: violations)
  }

  private func isOnRecord(_ held: Held) throws -> Bool {
    let facts = [AuditFact.role(held.role)] + (SubjectID(parsing: held.resource).map { [AuditFact.resource($0)] } ?? [])
    func isRecorded(_ word: StaticString, _ times: Int) throws -> Bool {
      if times == 0 { return true }
      return try audit.count(word, on: held.holder.subject, with: facts, in: reader).map { $0 >= times } ?? true
    }
    return try isRecorded(GrantBook.given, held.given) && isRecorded(GrantBook.taken, held.taken)
  }
}
