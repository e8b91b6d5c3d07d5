public import Base

/// A role that somebody has, on the whole platform or on one resource.
public struct RoleGrant: Sendable, Hashable {
  /// A bare staff role (`admin`, `ops`, `support`, `moderator`) or one of a domain, such as `rides.ops`.
  public var role: String
  /// The printed id of the resource that it covers; nil for the whole platform.
  public var resource: String?
  /// When it ends by itself; nil for never.
  public var expiresAt: Instant?

  public init(role: String, resource: String? = nil, expiresAt: Instant? = nil) {
    self.role = role
    self.resource = resource
    self.expiresAt = expiresAt
  }
}

/// What a user is allowed, as of one moment.
public struct RoleSet: Sendable, Equatable {
  /// The roles of the platform's own people that are no single domain's.
  static let bareStaff = ["admin", "ops", "support", "moderator"]

  /// The grants, those that have expired since included.
  public private(set) var grants: [RoleGrant]

  public init(_ grants: [RoleGrant] = []) {
    self.grants = grants
  }

  /// Those that are in force at `now`.
  public func inForce(at now: Instant) -> RoleSet {
    // The common case, nothing expires, must not copy: this runs in every call.
    guard grants.contains(where: { $0.expiresAt != nil }) else { return self }
    return RoleSet(grants.filter { $0.expiresAt.map { now < $0 } ?? true })
  }

  /// Whether the role is held on the whole platform. A bare staff role covers the role of that name in each domain:
  /// `ops` covers `rides.ops`.
  public func holds(_ role: String) -> Bool {
    grants.contains { $0.resource == nil && Self.covers($0.role, role) }
  }

  /// Whether one of `roles` is held on one of the things, or on the whole platform.
  /// - Parameter chain: a thing and all that it lies under (`SubjectRegistry.chain`): a grant covers what lies under its
  ///   resource.
  public func holds(anyOf roles: some Sequence<String>, onAnyOf chain: [SubjectID]) -> Bool {
    let places = Set(chain.map(\.text))
    return grants.contains { grant in
      (grant.resource.map { places.contains($0) } ?? true) && grant.gives(anyOf: roles)
    }
  }

  /// Whether one of `roles` is held anywhere, be it on one resource.
  public func holdsSomewhere(anyOf roles: some Sequence<String>) -> Bool {
    grants.contains { $0.gives(anyOf: roles) }
  }

  /// Whether one of `roles` is held on the whole platform.
  public func holds(anyOf roles: [String]) -> Bool {
    roles.contains { holds($0) }
  }

  /// Whether one of the platform's own people holds it, of no single domain.
  public var isStaff: Bool { holds(anyOf: Self.bareStaff) }

  /// Whether a grant of one role is one of another: itself, or of a domain's role with the name of a bare one.
  fileprivate static func covers(_ held: String, _ wanted: String) -> Bool {
    if held == wanted { return true }
    guard let dot = wanted.utf8.lastIndex(of: UInt8(ascii: ".")) else { return false }
    return wanted.utf8[wanted.utf8.index(after: dot)...].elementsEqual(held.utf8)
  }
}

extension RoleGrant {
  /// Whether it gives one of `roles`, wherever it does.
  func gives(anyOf roles: some Sequence<String>) -> Bool { roles.contains { RoleSet.covers(role, $0) } }
}
