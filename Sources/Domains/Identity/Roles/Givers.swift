import Base
import DomainKit
import Storage
import WellKnownTypes

/// Who may give and take roles: admins any; on a resource, those whom the role's definition names, there or above.
extension IdentityCore {
  /// - Throws: `KitError.unknownRole`, `.permissionDenied` or, for a resource, `.notFound` unless the caller
  ///   may give the role.
  func requireGiver(of role: String, on resource: String, _ caller: Caller, in writer: any Writer) throws {
    try kit.roles.check(role, on: resource)
    guard try mayGive(role, on: resource, by: heldRoles(caller, in: writer), in: writer) else {
      throw resource.isEmpty ? KitError.permissionDenied : KitError.notFound("resource")
    }
  }

  /// What a caller holds, and holds until the transaction is over: nothing commits by a role that was taken before.
  func heldRoles(_ caller: Caller, in writer: any Writer) throws -> RoleSet {
    try holdRoles(of: caller, in: writer)
    return try authority.roles(of: caller.user, in: writer)
  }

  private func holdRoles(of caller: Caller, in writer: any Writer) throws {
    try writer.lock(StandingLock.roles, caller.user.rawValue, .shared)
  }

  /// Whether somebody who holds certain roles may give and take one.
  func mayGive(_ role: String, on resource: String, by held: RoleSet, in reader: any Reader) throws -> Bool {
    if held.holds(RoleCatalog.admin) { return true }
    // Whoever gives nothing anywhere is told so at once, of whatever resource.
    guard case .resource(_, let givers) = kit.roles[role]?.kind, held.holdsSomewhere(anyOf: givers),
      let subject = SubjectID(parsing: resource)
    else { return false }
    return try held.holds(anyOf: givers, onAnyOf: kit.subjects.chain(of: subject, in: reader))
  }

  /// Whether the caller may give one of these grants.
  func mayGive(anyOf grants: [GrantRow], _ caller: Caller, in writer: any Writer) throws -> Bool {
    let held = try heldRoles(caller, in: writer)
    return try grants.contains { try mayGive($0.role, on: $0.resource, by: held, in: writer) }
  }

  /// Whether the caller may give roles on a resource: is one of its owners, or an admin.
  func owns(_ resource: String, _ caller: Caller, in reader: any Reader) throws -> Bool {
    let held = try authority.roles(of: caller.user, in: reader)
    if held.holds(RoleCatalog.admin) { return true }
    guard let subject = SubjectID(parsing: resource) else { return false }
    let chain = try kit.subjects.chain(of: subject, in: reader)
    return held.holds(anyOf: kit.roles.givers(onAnyOf: chain), onAnyOf: chain)
  }

  /// Whether somebody takes a role, or gives it up, without being given it.
  /// - Throws: `IdentityError.notEligible` for somebody whose account has not reached the role's level;
  ///   `.roleWithdrawn` for somebody from whom it was taken.
  func isSelfService(_ role: String, of user: UserRow, _ caller: Caller, in writer: any Writer) throws -> Bool {
    guard case .selfService(let level) = kit.roles[role]?.kind, user.id == caller.user, !caller.isMachine else {
      return false
    }
    guard user.accountLevel >= level else { throw IdentityError.notEligible }
    // Held before the history of the role is read, to which others add under the same lock.
    try holdRoles(of: caller, in: writer)
    guard try GrantRow.isWithdrawn(role, from: user.id, in: writer) else { return true }
    // Whoever gives all roles gives this one back, like to anybody else.
    if try mayGive(role, on: "", by: heldRoles(caller, in: writer), in: writer) { return false }
    throw IdentityError.roleWithdrawn
  }

  /// When a grant or credential is to end.
  /// - Throws: `IdentityError.expiryPassed`.
  func expiry(_ timestamp: Timestamp) throws(IdentityError) -> Instant {
    guard let instant = Instant(timestamp), instant > kit.clock.now() else { throw .expiryPassed }
    return instant
  }
}
