import Base
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage

/// octet.identity.v1.CredentialService.
struct CredentialHandlers: CredentialService {
  let core: IdentityCore

  private var kit: Kit { core.kit }

  func createCredential(_ request: CreateCredentialRequest, context: ServerContext) async throws -> Credential {
    let caller = try context.requireCaller()
    guard !NewAccount.isBlank(request.name) else {
      throw KitError.invalid(FieldViolation(field: "name", description: "nothing but white space"))
    }
    return try await kit.mutate(request, context, recording: .byBody) { writer, standing in
      var faults = Faults()
      for (index, role) in request.roles.enumerated() {
        try faults.check { try kit.roles.check(role.role, on: role.resourceID, field: "roles[\(index)].role") }
      }
      try faults.throwIfAny()
      for role in request.roles { try core.requireGiver(of: role.role, on: role.resourceID, caller, in: writer) }
      try core.requireFreshProof(standing)
      let machine = NewMachine(request, until: try request.expireTime.map(core.expiry))
      let row = try core.credentials.create(machine, of: caller.user, by: caller.actor, in: writer)
      return Credential(row, try GrantRow.all(of: row.id, in: writer))
    }
  }

  func listCredentials(
    _ request: ListCredentialsRequest, context: ServerContext
  ) async throws -> ListCredentialsResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    let found: [(row: CredentialRow, grants: [GrantRow])] = try await kit.database.read { [core] reader in
      let rows: [CredentialRow]
      if request.resourceID.isEmpty {
        rows = try reader.rows(
          """
          SELECT \(CredentialRow.columns) FROM identity_credentials c
          WHERE c.owner_id = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3
          """, caller.user, page.before, page.fetch, make: CredentialRow.init)
      } else {
        guard try core.owns(request.resourceID, caller, in: reader) else { throw KitError.notFound("resource") }
        rows = try reader.rows(
          """
          SELECT \(CredentialRow.columns) FROM identity_credentials c
          WHERE c.id < $2 AND c.id IN (
            SELECT user_id FROM identity_grants WHERE resource = $1 AND is_machine = 1 AND revoked_at IS NULL)
          ORDER BY c.id DESC LIMIT $3
          """, request.resourceID, page.before, page.fetch, make: CredentialRow.init)
      }
      return try rows.map { ($0, try GrantRow.all(of: $0.id, in: reader)) }
    }
    let (items, next) = page.cut(found) { [$0.row.id.sqlValue] }
    var response = ListCredentialsResponse()
    response.credentials = items.map { Credential($0.row, $0.grants) }
    response.nextPageToken = next
    return response
  }

  func revokeCredential(_ request: RevokeCredentialRequest, context: ServerContext) async throws -> Credential {
    let caller = try context.requireCaller()
    let id = try Identifier(request.credentialID, kind: IDKind.credential, field: "credential_id")
    return try await kit.mutate(request, context, recording: .byBody) { writer, standing in
      let found = try CredentialRow.findForUpdate(id, in: writer)
      let grants = try GrantRow.all(of: id, in: writer)
      let mayTake = try core.mayGive(anyOf: grants, caller, in: writer)
      guard let row = found, mayTake || row.owner == caller.user else { throw KitError.notFound("credential") }
      try core.requireFreshProof(standing)
      try core.credentials.revoke(row, by: caller.actor, in: writer)
      guard let revoked = try CredentialRow.find(id, in: writer) else {
        preconditionFailure("a credential is never deleted")
      }
      return Credential(revoked, try GrantRow.all(of: id, in: writer))
    }
  }
}

extension NewMachine {
  /// What a request asks for, whose rules have been checked.
  fileprivate init(_ request: CreateCredentialRequest, until expiresAt: Instant?) {
    guard let kind = MachineKind(rawValue: Int64(request.kind.rawValue)) else {
      preconditionFailure("a request's rules let no kind through that is none of a machine's")
    }
    self.init(
      kind, name: request.name, publicKey: request.publicKey,
      roles: request.roles.map { role in
        RoleGrant(role: role.role, resource: role.resourceID.isEmpty ? nil : role.resourceID)
      }, expiresAt: expiresAt)
  }
}
