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

  public init(user: Identifier, session: Identifier, roles: RoleSet = RoleSet(), isMachine: Bool = false) {
    self.user = user
    self.session = session
    self.roles = roles
    self.isMachine = isMachine
  }

  /// As the trail names the caller.
  public var actor: AuditActor { isMachine ? .credential(user) : .user(user) }
}

/// Where the caller lies in a call's storage.
enum CallerKey: CallKey {
  typealias Value = Caller
}

extension ServerContext {
  /// Who makes this call; nil for one without credentials, which only public methods accept.
  public internal(set) var caller: Caller? {
    get { self[CallerKey.self] }
    nonmutating set { self[CallerKey.self] = newValue }
  }

  /// Who makes this call.
  /// - Throws: `KitError.unauthenticated` for a call without credentials.
  public func requireCaller() throws(KitError) -> Caller {
    guard let caller else { throw .unauthenticated }
    return caller
  }
}

extension Kit {
  /// A user who is not calling, as one who asks whether something may be seen.
  public func absent(_ user: Identifier, in reader: any Reader) throws -> Caller {
    Caller(user: user, session: Identifier(rawValue: 0), roles: try authority.roles(of: user, in: reader))
  }
}
