import Base
import DomainKit
import IdentityAPI
import Storage

/// Makes and ends credentials, in somebody else's transaction. Whether the one who asks may do so is judged before.
struct CredentialBook: Sendable {
  let core: IdentityCore

  /// Makes a credential with its grants.
  /// - Throws: `KitError.limitExceeded`, `.permissionDenied` if the owner is no user, `.unknownRole`.
  func create(
    _ machine: NewMachine, of owner: Identifier, by actor: AuditActor, in writer: any Writer
  ) throws -> CredentialRow {
    // Held, so that two that are made at once count each other. A machine makes no machines: nobody answers for them.
    guard try UserRow.findForUpdate(owner, in: writer) != nil else { throw KitError.permissionDenied }
    let now = core.kit.clock.now()
    let live: Int? = try writer.first(
      """
      SELECT COUNT(*) FROM identity_credentials
      WHERE owner_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
      """, owner, now
    ) { $0[0] }
    guard live ?? 0 < core.limits.credentials else { throw KitError.limitExceeded }
    let id = core.kit.identifiers.next()
    try writer.execute(
      """
      INSERT INTO identity_credentials (id, owner_id, kind, name, public_key, created_at, expires_at, revoked_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)
      """, id, owner, machine.kind.rawValue, machine.name, machine.publicKey, now, machine.expiresAt)
    for role in machine.roles {
      _ = try core.grants.grant(
        role.role, to: .machine(id), on: role.resource ?? "", until: machine.expiresAt, by: actor, in: writer)
    }
    try record("credential.created", id, by: actor, in: writer)
    guard let row = try CredentialRow.find(id, in: writer) else {
      preconditionFailure("a credential was written and is not there")
    }
    return row
  }

  /// Ends a credential that this transaction holds, with its sessions and grants; a revoked one stays as it is.
  /// - Parameter actor: who decided it. A person's decision is recorded also if it changes nothing.
  func revoke(_ credential: CredentialRow, by actor: AuditActor, in writer: any Writer) throws {
    guard credential.revokedAt == nil else {
      if actor != .server { try record("credential.revoked", credential.id, by: actor, in: writer) }
      return
    }
    try writer.execute(
      "UPDATE identity_credentials SET revoked_at = $2 WHERE id = $1", credential.id, core.kit.clock.now())
    try core.endSessions(core.liveSessions(of: credential.id, in: writer), .credentialRevoked, in: writer)
    for grant in try GrantRow.all(of: credential.id, in: writer) {
      try core.grants.revoke(grant, by: actor, in: writer)
    }
    try record("credential.revoked", credential.id, by: actor, in: writer)
  }

  /// Ends the sessions of a user's machines: their owner is out.
  func endSessions(of owner: Identifier, _ reason: SessionRow.EndReason, in writer: any Writer) throws {
    for credential in try CredentialRow.all(of: owner, in: writer) {
      try core.endSessions(core.liveSessions(of: credential.id, in: writer), reason, in: writer)
    }
  }

  /// Ends what a user has, and forgets what it was called.
  func erase(of owner: Identifier, in writer: any Writer) throws {
    for credential in try CredentialRow.all(of: owner, in: writer) { try revoke(credential, by: .server, in: writer) }
    let all: [Identifier] = try writer.rows(
      "SELECT id FROM identity_credentials WHERE owner_id = $1 AND name <> ''", owner
    ) { $0[0] }
    for credential in all {
      try writer.execute("UPDATE identity_credentials SET name = '' WHERE id = $1", credential)
      for condition in ["IS NULL", "IS NOT NULL"] {
        try writer.execute(
          "UPDATE identity_sessions SET device_name = '', address = '' WHERE user_id = $1 AND ended_at \(condition)",
          credential)
      }
    }
  }

  private func record(
    _ action: StaticString, _ credential: Identifier, by actor: AuditActor, in writer: any Writer
  ) throws {
    try core.kit.audit.record(
      AuditEntry(.word(action), by: actor, on: SubjectID(IDKind.credential, credential)), in: writer)
  }
}
