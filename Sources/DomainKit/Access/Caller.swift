public import Base
public import RPC

/// Who makes a call, as the credentials prove. Handlers take the actor from here, never from a request's body.
public struct Caller: Sendable, Equatable {
  /// The user, `user_…`.
  public let user: Identifier
  /// The session, `sess_…`.
  public let session: Identifier
  /// What the user is allowed, as known to this node; at most a second old. `Kit.mutate` judges afresh.
  public let roles: RoleSet

  public init(user: Identifier, session: Identifier, roles: RoleSet = RoleSet()) {
    self.user = user
    self.session = session
    self.roles = roles
  }
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
