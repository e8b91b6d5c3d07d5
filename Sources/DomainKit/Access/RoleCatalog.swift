public import RPC

/// All roles that this server has: those of the platform's staff, and those that its domains declare.
public struct RoleCatalog: Sendable {
  /// Gives any role.
  public static let admin = "admin"
  /// Of those whose documents were approved.
  public static let verified = "user.verified"

  /// Roles of the whole platform. A domain's role of the same last name, such as `rides.ops`, is theirs too. An admin
  /// must always be left, or nobody could grant anything.
  private static let platform: [RoleDefinition] =
    RoleSet.bareStaff.map { RoleDefinition.staff($0, keepsLast: $0 == admin) } + [RoleDefinition.given(verified)]

  private let byName: [String: RoleDefinition]
  /// Names of roles of staff. A handful, which is compared sooner than hashed: it is asked in calls of all who hold a role.
  private let staff: [String]

  /// Traps on a name that is declared twice, on one that is not a domain's, on one of staff's for others, and on givers that
  /// nobody could be.
  /// - Parameter domains: the roles that the domains declare.
  public init(_ domains: [RoleDefinition] = []) {
    byName = Dictionary(uniqueKeysWithValues: (Self.platform + domains).map { ($0.name, $0) })
    staff = byName.values.filter { $0.kind == .staff }.map(\.name)
    for role in domains {
      precondition(role.name.contains("."), "the role \(role.name) has no domain in its name")
      // Whoever holds the bare one holds it, too.
      precondition(
        role.kind == .staff || !RoleSet.bareStaff.contains { role.name.hasSuffix(".\($0)") },
        "\(role.name) is called like one of staff's, and is none")
      guard case .resource(_, let givers) = role.kind else { continue }
      for giver in givers {
        switch byName[giver]?.kind {
        case .staff, .resource: break
        default: preconditionFailure("\(role.name) is given by \(giver), which is no role of staff or on a resource")
        }
      }
    }
  }

  /// The role of a name; nil if there is none.
  public subscript(name: String) -> RoleDefinition? { byName[name] }

  /// Looks a role up that a request names.
  /// - Parameters:
  ///   - resource: a printed id; empty for the whole platform.
  ///   - field: of the role's name.
  /// - Throws: `KitError.unknownRole` for an unknown role, and for one that nobody can hold there.
  @discardableResult
  public func check(
    _ role: String, on resource: String = "", field: String = "role"
  ) throws(KitError) -> RoleDefinition {
    guard let definition = self[role] else { throw .unknownRole(field: field) }
    let isThere =
      if case .resource(let prefix, _) = definition.kind {
        SubjectID(parsing: resource)?.kind == prefix
      } else {
        resource.isEmpty
      }
    guard isThere else { throw .unknownRole(field: field) }
    return definition
  }

  /// Whether only the platform's own people hold a role.
  public func isStaff(_ role: String) -> Bool { staff.contains(role) }

  /// What is left without the roles of staff.
  func ofUser(_ roles: RoleSet) -> RoleSet { RoleSet(roles.grants.filter { !isStaff($0.role) }) }

  /// Whether there are roles on single things of a kind.
  public func areGranted(on kind: String) -> Bool {
    byName.values.contains { role in
      if case .resource(let prefix, _) = role.kind { prefix == kind } else { false }
    }
  }

  /// The roles whose holders give out roles on one of the things.
  public func givers(onAnyOf chain: [SubjectID]) -> Set<String> {
    let prefixes = Set(chain.map(\.kind))
    return byName.values.reduce(into: []) { all, role in
      if case .resource(let prefix, let givers) = role.kind, prefixes.contains(prefix) { all.formUnion(givers) }
    }
  }

  /// Whether a method lets staff in that others are kept out of.
  func admitsStaff(_ policy: MethodPolicy) -> Bool { policy.access != .public && policy.roles.contains(where: isStaff) }

  /// The first role of staff that somebody holds and a policy names; nil for others.
  func staffRole(_ policy: MethodPolicy, of roles: RoleSet) -> String? {
    policy.roles.first { isStaff($0) && roles.holds($0) }
  }

  /// What is wrong with the roles that methods ask for: some that nobody declares, or that nobody can hold where they are
  /// asked for. Empty for methods that can all be called by somebody.
  public func faults(of methods: [MethodDescriptor]) -> [String] {
    methods.flatMap { method in
      let policy = method.policy
      return policy.roles.compactMap { name -> String? in
        switch byName[name]?.kind {
        case nil: "\(method.path) asks for \(name), which no domain declares"
        case .resource where policy.access == .role && policy.resourceField == nil:
          "\(method.path) asks for \(name), which is held on a resource, and names none"
        default: nil
        }
      }
    }
  }
}
