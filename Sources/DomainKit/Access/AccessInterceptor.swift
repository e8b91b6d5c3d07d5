public import Base
public import RPC

/// Decides before each call who makes it and whether they may: credentials, the method's policy, rate limits, whether the method is switched off. No
/// handler writes any of this by hand.
public final class AccessInterceptor: ServerInterceptor {
  /// How many verified headers are remembered: checking a signature costs ten times what the rest of a short call does.
  private static let verifiedLimit = 32_768

  private let authority: any Authority
  private let keys: ServerKeys
  private let clock: any WallClock
  private let limiter: RateLimiter
  private let verified: Locked<BoundedCache<String, AccessToken>>
  private let openServices: Set<String>
  private let refusedCalls: RefusedCalls?
  private let switches: (any MethodSwitches)?

  /// - Parameters:
  ///   - openServices: full names of services without policies that anybody may call: health, reflection.
  ///   - refusedCalls: where refused calls of staff methods are noted, for the trail; nil to note none.
  ///   - switches: which methods are switched off; nil if none ever is.
  public init(
    authority: any Authority, keys: ServerKeys, clock: any WallClock, limits: RateLimits = RateLimits(),
    openServices: Set<String> = [], refusedCalls: RefusedCalls? = nil, switches: (any MethodSwitches)? = nil
  ) {
    self.authority = authority
    self.keys = keys
    self.clock = clock
    self.openServices = openServices
    self.refusedCalls = refusedCalls
    self.switches = switches
    limiter = RateLimiter(limits: limits, clock: clock)
    verified = Locked(BoundedCache(capacity: Self.verifiedLimit))
  }

  /// Only roles that are not in memory have to be waited for.
  public func beforeSynchronously(_ context: ServerContext) throws -> Bool {
    if isOpen(context.method) { return true }
    guard let token = try authenticate(context) else {
      try admit(nil, context)
      return true
    }
    guard let roles = authority.knownRoles(of: token.user, epoch: token.epoch) else { return false }
    try admit(Caller(token, roles), context)
    return true
  }

  public func before(_ context: ServerContext) async throws {
    if isOpen(context.method) { return }
    guard let token = try authenticate(context) else { return try admit(nil, context) }
    let roles = try await authority.roles(of: token.user, epoch: token.epoch)
    try admit(Caller(token, roles), context)
  }

  /// Whoever refused it, this interceptor, the transaction or the handler.
  public func ended(_ context: ServerContext, _ status: StatusCode) {
    guard status == .permissionDenied, let refusedCalls, context.method.policy.admitsStaff,
      let caller = context.caller
    else { return }
    refusedCalls.note(
      AuditEntry(
        .call(context.method), by: caller.actor, on: nil,
        outcome: .refused(reason: KitError.permissionDenied.mapping.reason)))
  }

  private func isOpen(_ method: MethodDescriptor) -> Bool {
    method.policy.access == .unspecified && openServices.contains(method.service)
  }

  /// The caller is known: may the call be made?
  private func admit(_ caller: Caller?, _ context: ServerContext) throws {
    let policy = context.method.policy
    // Most calls without credentials carry nothing else either, and need no place for it.
    if caller != nil { context.caller = caller }
    try admit(caller.map { .user($0.user) } ?? .address(context.peer.host), policy.rateClass)
    try Self.judge(caller, by: policy)
    if let switches, !switches.isOn(context.method, for: caller) { throw KitError.methodOff }
  }

  /// The caller's credentials; nil without any. Bad ones are refused even where none are needed, because a client that
  /// sends them believes it is somebody.
  private func authenticate(_ context: ServerContext) throws -> AccessToken? {
    guard context.method.policy.access != .unspecified else { throw KitError.noPolicy }
    guard let header = context.metadata["authorization"] else { return nil }
    guard let token = token(header), token.isValid(at: clock.now()) else {
      // Checking a forged signature is not free either.
      try admit(.address(context.peer.host), .standard)
      throw KitError.unauthenticated
    }
    if authority.hasEnded(token.session) { throw KitError.sessionEnded }
    return token
  }

  private func admit(_ subject: RateLimiter.Subject, _ rateClass: MethodPolicy.RateClass) throws(KitError) {
    if let wait = limiter.admit(subject, rateClass) { throw .rateLimited(after: wait) }
  }

  private func token(_ header: String) -> AccessToken? {
    if let known = verified.withLock({ $0[header] }) { return known }
    guard let text = Self.bearerToken(header), let token = AccessToken(text, keys: keys) else { return nil }
    verified.withLock { $0[header] = token }
    return token
  }

  /// What follows `Bearer `, in any case (RFC 9110 §11.1).
  private static func bearerToken(_ header: String) -> String? {
    let parts = header.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return String(parts[1])
  }

  /// - Throws: `KitError.unauthenticated`, `KitError.permissionDenied`.
  static func judge(_ caller: Caller?, by policy: MethodPolicy) throws(KitError) {
    switch policy.access {
    case .unspecified: throw .noPolicy
    case .public: return
    // Who owns what, only the handler knows; to strangers it answers NOT_FOUND.
    case .user, .owner:
      guard let caller else { throw .unauthenticated }
      if caller.isMachine { try judgeMachine(caller, by: policy) }
    case .role:
      guard let caller else { throw .unauthenticated }
      guard caller.roles.holds(anyOf: policy.roles) else { throw .permissionDenied }
    }
  }

  /// A machine owns nothing of a user's: only a role of the method lets it in, be it on one resource, which the handler
  /// judges.
  private static func judgeMachine(_ caller: Caller, by policy: MethodPolicy) throws(KitError) {
    let held = caller.roles
    let mayTry = held.holds(anyOf: policy.roles) || held.grants.contains { policy.roles.contains($0.role) }
    guard mayTry else { throw .permissionDenied }
  }
}

extension Caller {
  fileprivate init(_ token: AccessToken, _ roles: RoleSet) {
    self.init(user: token.user, session: token.session, roles: roles, isMachine: token.isMachine)
  }
}
