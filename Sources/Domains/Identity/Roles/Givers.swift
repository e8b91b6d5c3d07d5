import Base
import DomainKit
import Storage
import WellKnownTypes

/// Who may give and take roles.
extension IdentityCore {
  /// Admins give any role, owners of a resource the roles on it.
  func mayGive(_ role: String, on resource: String, _ caller: Caller, in reader: any Reader) throws -> Bool {
    mayGive(role, on: resource, as: try authority.roles(of: caller.user, in: reader))
  }

  /// Whether the caller may give one of these grants. Without any it takes as long to say no.
  func mayGive(anyOf grants: [GrantRow], _ caller: Caller, in reader: any Reader) throws -> Bool {
    let held = try authority.roles(of: caller.user, in: reader)
    return grants.contains { mayGive($0.role, on: $0.resource, as: held) }
  }

  private func mayGive(_ role: String, on resource: String, as held: RoleSet) -> Bool {
    if held.holds(RoleCatalog.admin) { return true }
    guard !resource.isEmpty, let owner = roles.owner(of: role) else { return false }
    return held.holds(owner, on: resource)
  }

  /// - Throws: `IdentityError.unknownRole`; `KitError.permissionDenied` or, for a resource, `.notFound` unless the caller
  ///   may give the role.
  func requireGiver(of role: String, on resource: String, _ caller: Caller, in reader: any Reader) throws {
    try roles.check(role, on: resource)
    guard try mayGive(role, on: resource, caller, in: reader) else {
      throw resource.isEmpty ? KitError.permissionDenied : KitError.notFound("resource")
    }
  }

  /// Whether the caller is an owner of a resource, or an admin.
  func owns(_ resource: String, _ caller: Caller, in reader: any Reader) throws -> Bool {
    let held = try authority.roles(of: caller.user, in: reader)
    return held.holds(RoleCatalog.admin)
      || held.grants.contains { $0.resource == resource && $0.role == roles.owner(of: $0.role) }
  }

  /// When a grant or credential is to end.
  /// - Throws: `IdentityError.expiryPassed`.
  func expiry(_ timestamp: Timestamp) throws(IdentityError) -> Instant {
    guard let instant = Instant(timestamp), instant > kit.clock.now() else { throw .expiryPassed }
    return instant
  }
}
