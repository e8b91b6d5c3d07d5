public import Base
public import RPC
public import Storage

/// Who makes a call, as the credentials prove. Handlers take the actor from here, never from a request's body.
public struct Caller: Sendable, Equatable {
  /// The user, `user_…`. For a machine the number of its credential, which is no user's: whatever belongs to users is a
  /// stranger's to it, and what it is allowed is found by its own number.
  public let user: Identifier
  /// The session, `sess_…`.
  public let session: Identifier
  /// What the user is allowed, as known to this node; at most a second old. `Kit.mutate` judges afresh.
  public let roles: RoleSet
  /// Whether a machine calls, with a credential. It may call what its roles let it call, and nothing that is for users.
  public let isMachine: Bool
  /// What the trail is told of the call; nil for callers who hold no role of staff.
  var staffCall: StaffCall?

  public init(user: Identifier, session: Identifier, roles: RoleSet = RoleSet(), isMachine: Bool = false) {
    self.user = user
    self.session = session
    self.roles = roles
    self.isMachine = isMachine
  }

  public static func == (a: Caller, b: Caller) -> Bool {
    a.user == b.user && a.session == b.session && a.roles == b.roles && a.isMachine == b.isMachine
  }

  /// As the trail names the caller.
  public var actor: AuditActor { isMachine ? .credential(user) : .user(user) }
}

/// Where the resource lies on which the caller was found to hold a role of the method.
enum ResourceKey: CallKey {
  typealias Value = SubjectID
}

extension ServerContext {
  /// Who makes this call; nil for one without credentials, which only public methods accept.
  public var caller: Caller? { (principal as? SignedIn)?.caller }

  /// Who makes this call.
  /// - Throws: `KitError.unauthenticated` for a call without credentials.
  public func requireCaller() throws(KitError) -> Caller {
    guard let caller else { throw .unauthenticated }
    return caller
  }
}

extension Kit {
  /// Whether somebody holds one of `roles` on a thing, on what it lies under, or on the whole platform. By the rows, so it
  /// is true in this transaction: for what a policy cannot say with `resource_field`.
  public func holds(
    anyOf roles: [String], on subject: SubjectID, _ caller: Caller, in reader: any Reader
  ) throws -> Bool {
    try authority.roles(of: caller.user, in: reader).holds(
      anyOf: roles, onAnyOf: subjects.chain(of: subject, in: reader))
  }

  /// Whether a caller still holds one of the roles that a call needs, by the rows.
  func holdsRole(of context: ServerContext, _ caller: Caller, in reader: any Reader) throws -> Bool {
    try isAdmitted(by: authority.roles(of: caller.user, in: reader), context, in: reader)
  }

  /// Whether one of the roles that somebody holds is one that a call needs.
  func isAdmitted(by held: RoleSet, _ context: ServerContext, in reader: any Reader) throws -> Bool {
    let policy = context.method.policy
    guard policy.resourceField != nil else { return held.holds(anyOf: policy.roles) }
    guard let resource = context[ResourceKey.self] else { return false }
    return try held.holds(anyOf: policy.roles, onAnyOf: subjects.chain(of: resource, in: reader))
  }

  /// A user who is not calling, as one who asks whether something may be seen.
  public func absent(_ user: Identifier, in reader: any Reader) throws -> Caller {
    Caller(user: user, session: Identifier(rawValue: 0), roles: try authority.roles(of: user, in: reader))
  }

  /// A user who may be told something unasked, as one who asks whether it may be seen: without the roles of staff. What these
  /// show is on record before it is seen, and whoever is told has not looked.
  public func hearer(_ user: Identifier, in reader: any Reader) throws -> Caller {
    let held = roles.ofUser(try authority.roles(of: user, in: reader))
    return Caller(user: user, session: Identifier(rawValue: 0), roles: held)
  }
}
