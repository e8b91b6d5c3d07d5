import Base
import DomainKit
import IdentityAPI
import ProtobufRuntime
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
      try kit.roles.check(request.role, on: request.resourceID)
      if user == caller.user, let own = try UserRow.findForUpdate(user, in: writer),
        try core.isSelfService(request.role, of: own, caller, in: writer)
      {
        // Nobody else is concerned, so no fresh proof is needed.
      } else {
        try core.requireGiver(of: request.role, on: request.resourceID, caller, in: writer)
        guard let held = try UserRow.findForUpdate(user, in: writer), held.state != .erased else {
          throw KitError.notFound("user")
        }
        try core.requireFreshProof(standing)
      }
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
      let (role, resource) = (found?.role ?? "", found?.resource ?? "")
      // All is asked in any case: the time that it takes must not tell whether there is a grant. Held before the caller is
      // judged, so that of two owners who take each other's role at once the later one is judged by what the first has left.
      // Roles that all users may have have no owners, and more holders than can be held.
      let owned = kit.roles[role]?.hasOwners == true ? role : ""
      try GrantRow.hold(owned, on: resource, in: writer)
      let held = try core.heldRoles(caller, in: writer)
      let mayTake = try core.mayGive(role, on: resource, by: held, in: writer)
      let mightTake = try core.mayGive(role, on: resource, by: caller.roles, in: writer)
      guard let grant = try GrantRow.find(id, in: writer) else { throw KitError.notFound("grant") }
      let isGivenUp = grant.holder == .user(caller.user) && kit.roles[role]?.isSelfService == true
      guard mayTake || isGivenUp else {
        // Whoever was an owner when the call came, and lost that to the one whom it is about, learns why nothing came of it.
        if mightTake, try core.grants.isLast(grant, at: kit.clock.now(), in: writer) {
          throw IdentityError.lastOwner
        }
        throw KitError.notFound("grant")
      }
      if !isGivenUp { try core.requireFreshProof(standing) }
      try core.grants.revoke(grant, by: caller.actor, in: writer)
      guard let revoked = try GrantRow.find(id, in: writer) else { preconditionFailure("a grant is never deleted") }
      return Grant(revoked)
    }
  }

  func listRoles(_ request: ListRolesRequest, context: ServerContext) async throws -> ListRolesResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    let isOnResource = !request.resourceID.isEmpty
    guard !isOnResource || request.userID.isEmpty else {
      throw KitError.invalid(FieldViolation(field: "user_id", description: "not together with resource_id"))
    }
    let user =
      try request.userID.isEmpty ? caller.user : Identifier(request.userID, kind: IDKind.user, field: "user_id")
    let isStaff = caller.roles.holds(anyOf: context.method.policy.roles)
    guard user == caller.user || isStaff else { throw KitError.notFound("user") }
    let whose = isOnResource ? request.resourceID.sqlValue : user.sqlValue
    let now = kit.clock.now()
    let rows = try await kit.database.read { [core] reader in
      guard try !isOnResource || isStaff || core.owns(request.resourceID, caller, in: reader) else {
        throw KitError.notFound("resource")
      }
      return try reader.rows(
        """
        SELECT \(GrantRow.columns) FROM identity_grants
        WHERE \(isOnResource ? "resource" : "user_id") = $1 AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > $2) AND id < $3
        ORDER BY id DESC LIMIT $4
        """, [whose, now.sqlValue, page.before.sqlValue, page.fetch.sqlValue], make: GrantRow.init)
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
