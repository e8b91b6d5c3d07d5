import Base
import DomainKit
import IdentityAPI
import RPC
import Storage
import WellKnownTypes

/// octet.identity.v1.RoleService.
struct RoleHandlers: RoleService {
  let core: IdentityCore

  private var kit: Kit { core.kit }

  func grantRole(_ request: GrantRoleRequest, context: ServerContext) async throws -> Grant {
    let caller = try context.requireCaller()
    let user = try Identifier(request.userID, kind: IDKind.user, field: "user_id")
    return try await kit.mutate(request, context, recording: .byBody) { writer, standing in
      try core.requireGiver(of: request.role, on: request.resourceID, caller, in: writer)
      guard let held = try UserRow.findForUpdate(user, in: writer), held.state != .erased else {
        throw KitError.notFound("user")
      }
      try core.requireFreshProof(standing)
      let expiresAt = try request.expireTime.map(core.expiry)
      return Grant(
        try core.grants.grant(
          request.role, to: .user(user), on: request.resourceID, until: expiresAt, by: caller.actor, in: writer))
    }
  }

  func revokeRole(_ request: RevokeRoleRequest, context: ServerContext) async throws -> Grant {
    let caller = try context.requireCaller()
    let id = try Identifier(request.grantID, kind: IDKind.grant, field: "grant_id")
    return try await kit.mutate(request, context, recording: .byBody) { writer, standing in
      let found = try GrantRow.find(id, in: writer)
      // Asked in any case: the time that it takes must not tell whether there is a grant.
      let mayTake = try core.mayGive(found?.role ?? "", on: found?.resource ?? "", caller, in: writer)
      guard mayTake, let grant = found else { throw KitError.notFound("grant") }
      try core.requireFreshProof(standing)
      try core.grants.revoke(grant, by: caller.actor, in: writer)
      guard let revoked = try GrantRow.find(id, in: writer) else { preconditionFailure("a grant is never deleted") }
      return Grant(revoked)
    }
  }

  func listRoles(_ request: ListRolesRequest, context: ServerContext) async throws -> ListRolesResponse {
    let caller = try context.requireCaller()
    let user =
      try request.userID.isEmpty ? caller.user : Identifier(request.userID, kind: IDKind.user, field: "user_id")
    guard user == caller.user || caller.roles.holds(anyOf: context.method.policy.roles) else {
      throw KitError.notFound("user")
    }
    let page = try kit.page(
      context, size: request.pageSize, token: request.pageToken, filters: [user.sqlValue])
    let now = kit.clock.now()
    let rows = try await kit.database.read { reader in
      try reader.rows(
        """
        SELECT \(GrantRow.columns) FROM identity_grants
        WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) AND id < $3
        ORDER BY id DESC LIMIT $4
        """, user, now, page.before, page.fetch, make: GrantRow.init)
    }
    let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
    var response = ListRolesResponse()
    response.grants = items.map { Grant($0) }
    response.nextPageToken = next
    return response
  }

}

extension Grant {
  init(_ row: GrantRow) {
    self.init()
    id = row.id.text(kind: IDKind.grant)
    if row.isMachine {
      credentialID = row.user.text(kind: IDKind.credential)
    } else {
      userID = row.user.text(kind: IDKind.user)
    }
    role = row.role
    resourceID = row.resource
    createTime = Timestamp(row.createdAt)
    expireTime = row.expiresAt.map { Timestamp($0) }
    revokeTime = row.revokedAt.map { Timestamp($0) }
  }
}
