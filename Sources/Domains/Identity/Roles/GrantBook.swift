import Base
import DomainKit
import Storage

/// Gives and takes roles, in somebody else's transaction. Whether the one who asks may do so is judged before.
struct GrantBook: Sendable {
  let authority: IdentityAuthority
  let identifiers: IdentifierGenerator
  let clock: any WallClock
  let roles: RoleCatalog
  let audit: any Audit

  /// Gives a role. What is held already stays, with the later expiry of the two.
  /// - Parameter granter: who decided it. A person's decision is recorded also if it changes nothing.
  /// - Throws: `IdentityError.unknownRole`.
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
    if isChanged || granter != .server { try record("role.granted", grant, by: granter, in: writer) }
    return grant
  }

  /// Takes a grant back; a revoked one stays as it is.
  /// - Parameter revoker: who decided it. A person's decision is recorded also if it changes nothing.
  /// - Throws: `IdentityError.lastOwner`.
  func revoke(_ grant: GrantRow, by revoker: AuditActor, in writer: any Writer) throws {
    guard grant.revokedAt == nil else {
      if revoker != .server { try record("role.revoked", grant, by: revoker, in: writer) }
      return
    }
    let now = clock.now()
    if !grant.isMachine, grant.isInForce(at: now), roles.keepsLast(grant.role),
      try grant.otherHolders(at: now, locking: true, in: writer) == 0
    {
      throw IdentityError.lastOwner
    }
    let revoked = try writer.execute(
      "UPDATE identity_grants SET revoked_at = $2, changed_at = $2 WHERE id = $1 AND revoked_at IS NULL", grant.id, now)
    // Somebody else was faster; run again, the row will show it.
    guard revoked == 1 else { throw RetryTransaction() }
    try authority.noteGrantsChanged(of: grant.user, in: writer)
    try record("role.revoked", grant, by: revoker, in: writer)
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

/// The roles that exist: those of the platform's staff and those that the domains declare.
struct RoleCatalog: Sendable {
  static let admin = "admin"
  /// Of those whose documents were approved.
  static let verified = "user.verified"

  /// Roles of the whole platform. An admin must always be left, or nobody could grant anything.
  static let staff = StaffRole.names.map { RoleDefinition($0, keepsLast: $0 == admin) }

  private let byName: [String: RoleDefinition]

  /// - Parameter domains: the roles that the domains declare; a name is declared once.
  init(domains: [RoleDefinition]) {
    let all = Self.staff + [RoleDefinition(Self.verified)] + domains
    byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
  }

  /// - Throws: `IdentityError.unknownRole` for an unknown role, and for a resource of a kind that it is not granted on.
  func check(_ role: String, on resource: String) throws(IdentityError) {
    guard let definition = byName[role] else { throw .unknownRole }
    if let kind = definition.resourceKind {
      guard (try? Identifier.parse(resource, kind: kind)) != nil else { throw .unknownRole }
    } else if !resource.isEmpty {
      throw .unknownRole
    }
  }

  func keepsLast(_ role: String) -> Bool { byName[role]?.keepsLast ?? false }

  /// The role whose holders give out the other roles on a resource: `stays.owner` for `stays.clerk`.
  func owner(of role: String) -> String? {
    guard let dot = role.lastIndex(of: ".") else { return nil }
    let name = String(role[...dot]) + "owner"
    return byName[name]?.resourceKind == nil ? nil : name
  }
}
