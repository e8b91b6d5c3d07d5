import Base
import DomainKit
import Storage

/// Gives and takes roles, in somebody else's transaction. Whether the one who asks may do so is judged before.
struct GrantBook: Sendable {
  /// What the trail says of it.
  static let given: StaticString = "role.granted"
  static let taken: StaticString = "role.revoked"

  let authority: IdentityAuthority
  let identifiers: IdentifierGenerator
  let clock: any WallClock
  let roles: RoleCatalog
  let audit: any Audit
  let subjects: SubjectRegistry

  /// Gives a role. What is held already stays, with the later expiry of the two.
  /// - Parameter granter: who decided it. A person's decision is recorded also if it changes nothing.
  /// - Throws: `KitError.unknownRole`.
  func grant(
    _ role: String, to holder: Holder, on resource: String, until expiresAt: Instant?, by granter: AuditActor,
    in writer: any Writer
  ) throws -> GrantRow {
    try roles.check(role, on: resource)
    let now = clock.now()
    let user = holder.id
    let held = try GrantRow.held(role, on: resource, by: user, in: writer)
    var isChanged = false
    if let held, let heldUntil = held.expiresAt {
      if expiresAt.map({ heldUntil < $0 }) ?? true {
        try writer.execute(
          "UPDATE identity_grants SET expires_at = $2, changed_at = $3 WHERE id = $1", held.id, expiresAt, now)
        try authority.noteGrantsChanged(of: user, in: writer)
        isChanged = true
      }
    } else if held == nil {
      let inserted = try writer.execute(
        """
        INSERT INTO identity_grants
          (id, user_id, role, resource, granted_by, created_at, expires_at, revoked_at, changed_at, is_machine)
        VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $6, $8) ON CONFLICT DO NOTHING
        """, identifiers.next(), user, role, resource, granter.id, now, expiresAt, holder.isMachine)
      // Somebody else was faster; run again, the row will show it.
      guard inserted == 1 else { throw RetryTransaction() }
      try authority.noteGrantsChanged(of: user, in: writer)
      isChanged = true
    }
    guard let grant = try GrantRow.held(role, on: resource, by: user, in: writer) else {
      preconditionFailure("a grant was written and is not there")
    }
    if isChanged || granter != .server { try record(Self.given, grant, by: granter, in: writer) }
    return grant
  }

  /// Takes a grant back. One that its holder has given up is withdrawn all the same.
  /// - Parameter revoker: who decided it. A person's decision is recorded also if it changes nothing.
  /// - Throws: `IdentityError.lastOwner`.
  func revoke(_ grant: GrantRow, by revoker: AuditActor, in writer: any Writer) throws {
    guard grant.revokedAt == nil else {
      let isChanged = try revoker != .user(grant.user) && withdraw(grant, in: writer)
      if isChanged || revoker != .server { try record(Self.taken, grant, by: revoker, in: writer) }
      return
    }
    let now = clock.now()
    if try isLast(grant, at: now, in: writer) { throw IdentityError.lastOwner }
    let revoked = try writer.execute(
      """
      UPDATE identity_grants SET revoked_at = $2, changed_at = $2, is_withdrawn = $3
      WHERE id = $1 AND revoked_at IS NULL
      """, grant.id, now, revoker != .user(grant.user))
    // Somebody else was faster; run again, the row will show it.
    guard revoked == 1 else { throw RetryTransaction() }
    try authority.noteGrantsChanged(of: grant.user, in: writer)
    try record(Self.taken, grant, by: revoker, in: writer)
  }

  /// Takes a role from a user, by the server's decision, whether it is held or was given up.
  /// - Throws: `IdentityError.lastOwner`.
  func revoke(_ role: String, from user: Identifier, on resource: String, in writer: any Writer) throws {
    try holdHistory(of: user, in: writer)
    let grant =
      try GrantRow.held(role, on: resource, by: user, in: writer)
      ?? GrantRow.newest(role, on: resource, of: user, in: writer)
    if let grant { try revoke(grant, by: .server, in: writer) }
  }

  /// Notes of a role that its holder has given up that somebody else has taken it: the holder does not take it once more.
  /// - Returns: whether anything was changed: the role may be held again, or withdrawn already.
  private func withdraw(_ grant: GrantRow, in writer: any Writer) throws -> Bool {
    try holdHistory(of: grant.user, in: writer)
    guard let last = try GrantRow.newest(grant.role, on: grant.resource, of: grant.user, in: writer) else {
      preconditionFailure("a grant is never deleted")
    }
    return try writer.execute(
      """
      UPDATE identity_grants SET is_withdrawn = 1
      WHERE id = $1 AND revoked_at IS NOT NULL AND is_withdrawn = 0
      """, last.id) == 1
  }

  /// Whoever takes a role without being given it has done so before, or sees what this transaction does.
  private func holdHistory(of user: Identifier, in writer: any Writer) throws {
    try writer.lock(StandingLock.roles, user.rawValue, .exclusive)
  }

  /// Whether a grant is the last of a role that somebody must keep: without it there would be nobody earlier than with it.
  /// All grants of the role there are held from then on: of two who leave at once, neither counts the other.
  func isLast(_ grant: GrantRow, at now: Instant, in writer: any Writer) throws -> Bool {
    guard !grant.isMachine, grant.isInForce(at: now), roles[grant.role]?.keepsLast == true else { return false }
    // What is gone needs nobody.
    if let subject = SubjectID(parsing: grant.resource), let kind = subjects[subject],
      try kind.facts(of: subject.id, in: writer) == nil
    {
      return false
    }
    // Held first and read then: who has begun to close the account meanwhile shows in other rows.
    try GrantRow.hold(grant.role, on: grant.resource, in: writer)
    let keepers = try GrantRow.keepers(of: grant.role, on: grant.resource, at: now, in: writer)
    return keepers.allSatisfy { $0.id == grant.id || !$0.lasts(asLongAs: grant) }
  }

  private func record(
    _ action: StaticString, _ grant: GrantRow, by actor: AuditActor, in writer: any Writer
  ) throws {
    var facts = [AuditFact.role(grant.role)]
    if let resource = SubjectID(parsing: grant.resource) { facts.append(.resource(resource)) }
    if let expiresAt = grant.expiresAt { facts.append(.until(expiresAt)) }
    let entry = AuditEntry(
      .word(action), by: actor, on: grant.holder.subject, facts)
    try audit.record(entry, in: writer)
  }
}
