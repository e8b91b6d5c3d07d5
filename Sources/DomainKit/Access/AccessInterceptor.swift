import Base
public import RPC
import Storage

/// Decides before each call who makes it and whether they may: credentials, the method's policy, rate limits, whether the
/// method is switched off. No handler writes any of this by hand.
public final class AccessInterceptor: ServerInterceptor {
  /// How many verified tokens are remembered: checking a signature costs ten times what the rest of a short call does.
  private static let verifiedLimit = 32_768

  private let kit: Kit
  private let limiter: RateLimiter
  private let verified: Locked<BoundedCache<TokenText, SignedIn>>
  private let openServices: Set<String>
  private let switches: (any MethodSwitches)?

  /// - Parameters:
  ///   - kit: that of the domains whose calls are judged. What becomes of calls of staff is recorded there.
  ///   - openServices: full names of services without policies that anybody may call: health, reflection.
  ///   - switches: which methods are switched off; nil if none ever is.
  public init(
    kit: Kit, limits: RateLimits = RateLimits(), openServices: Set<String> = [],
    switches: (any MethodSwitches)? = nil
  ) {
    self.kit = kit
    self.openServices = openServices
    self.switches = switches
    limiter = RateLimiter(limits: limits, clock: kit.clock)
    verified = Locked(BoundedCache(capacity: Self.verifiedLimit))
  }

  /// Only what is not in memory has to be waited for: roles, and where a caller lives whose method is off in some countries.
  public func beforeSynchronously(_ context: ServerContext) throws -> Bool {
    let method = context.method
    if isOpen(method) { return true }
    // Reading the clock costs as much as finding a caller.
    let now = kit.clock.now()
    guard let known = try authenticate(method, context, at: now) else {
      guard let isOn = isOnAtOnce(method, for: nil) else { return false }
      try admit(nil, method, context, isOn: isOn, at: now)
      return true
    }
    guard let (roles, hasEnded) = kit.authority.recall(known.token, at: now) else { return false }
    let signedIn = self.caller(known, roles, method)
    guard let isOn = isOnAtOnce(method, for: signedIn.caller) else { return false }
    try admit(signedIn, hasEnded: hasEnded, method, context, isOn: isOn, at: now)
    return true
  }

  public func before(_ context: ServerContext) async throws {
    let method = context.method
    if isOpen(method) { return }
    var signedIn: SignedIn?
    if let known = try authenticate(method, context, at: kit.clock.now()) {
      let token = known.token
      signedIn = self.caller(known, try await kit.authority.roles(of: token.user, epoch: token.epoch), method)
    }
    let caller = signedIn?.caller
    let hasEnded = caller.map { kit.authority.hasEnded($0.session) } ?? false
    // Whoever may not call the method at all costs no look.
    let isOn = isOnAtOnce(method, for: caller)
    try admit(signedIn, hasEnded: hasEnded, method, context, isOn: isOn ?? true, at: kit.clock.now())
    if isOn == nil, let switches, try await !switches.isOn(method, for: caller) { throw KitError.methodOff }
  }

  private func isOnAtOnce(_ method: MethodDescriptor, for caller: Caller?) -> Bool? {
    if let switches { switches.isOnAtOnce(method, for: caller) } else { true }
  }

  /// Who is let in by what is remembered of the roles is judged again by the rows where something changes: `Kit.mutate`.
  public func judge(resource: String, _ context: ServerContext) async throws {
    let policy = context.method.policy
    // Its rules have been checked, so it is an id.
    let resource = SubjectID(parsing: resource)
    context[ResourceKey.self] = resource
    // Else the operator has opened the method to others.
    guard policy.access == .role else { return }
    guard let caller = context.caller, let subject = resource else { throw KitError.permissionDenied }
    if caller.roles.holds(anyOf: policy.roles, onAnyOf: [subject]) { return }
    let chain = try await kit.database.read { [subjects = kit.subjects] in try subjects.chain(of: subject, in: $0) }
    if !caller.roles.holds(anyOf: policy.roles, onAnyOf: chain) { try refuse(.permissionDenied, caller, context) }
  }

  /// Staff's own calls are recorded by `StaffCall`. That others have tried a method of staff's is noted: whoever does it a
  /// thousand times must not cost a thousand commits.
  public func ended(_ context: ServerContext, _ status: StatusCode) {
    // Most calls are not refused, and pay for one comparison.
    guard status != .ok, let caller = context.caller else { return }
    if let staffCall = caller.staffCall { return staffCall.ended(context, status) }
    guard status == .permissionDenied, kit.roles.admitsStaff(context.method.policy) else { return }
    kit.notedCalls.note(
      AuditEntry(
        .call(context.method), by: caller.actor, on: context[ResourceKey.self],
        outcome: .refused(reason: KitError.permissionDenied.mapping.reason)))
  }

  /// Who calls the method. Of staff each call has something of its own: what the trail is told of it.
  private func caller(_ known: SignedIn, _ roles: RoleSet, _ method: MethodDescriptor) -> SignedIn {
    let signedIn = remember(known, roles)
    guard let staffCall = StaffCall.begin(kit, method, roles, by: signedIn.caller.actor) else { return signedIn }
    return SignedIn(signedIn.text, signedIn.token, roles, staffCall)
  }

  private func isOpen(_ method: MethodDescriptor) -> Bool {
    method.policy.access == .unspecified && openServices.contains(method.service)
  }

  /// The caller is known: may the call be made?
  private func admit(
    _ signedIn: SignedIn?, hasEnded: Bool = false, _ method: MethodDescriptor, _ context: ServerContext, isOn: Bool,
    at now: Instant
  ) throws {
    let policy = method.policy
    context.principal = signedIn
    let caller = signedIn?.caller
    if let caller, hasEnded {
      // Whoever is out uses up nothing of what the user may.
      try admit(.address(context.peer.host), policy.rateClass, at: now)
      holdAnswer(of: caller, context)
      try refuse(.sessionEnded, caller, context)
    } else {
      try admit(caller.map { .user($0.user) } ?? .address(context.peer.host), policy.rateClass, at: now)
      holdAnswer(of: caller, context)
    }
    do {
      try Self.judge(caller, by: policy)
    } catch {
      guard let caller else { throw error }
      try refuse(error, caller, context)
    }
    if !isOn { throw KitError.methodOff }
  }

  /// From here on what staff is told, and what it is refused, is on record first. Not what rates keep out: whoever floods
  /// must not make the database work.
  private func holdAnswer(of caller: Caller?, _ context: ServerContext) {
    if let staffCall = caller?.staffCall { context.hold(staffCall) }
  }

  /// Refuses a call. One that would change something is let through to its kept reply if it repeats one that was answered:
  /// that may have ended the caller's session, or the thing that a role was held on. Those of staff are read in any case, as
  /// the trail tells what they were about.
  private func refuse(_ error: KitError, _ caller: Caller, _ context: ServerContext) throws(KitError) {
    let (kit, method) = (kit, context.method)
    guard method.policy.mutates || caller.staffCall != nil,
      context.refuse(with: error, unless: { try await kit.hasAnswered($0, of: caller, method) })
    else { throw error }
  }

  /// The caller's credentials; nil without any. Bad ones are refused even where none are needed, because a client that
  /// sends them believes it is somebody.
  private func authenticate(
    _ method: MethodDescriptor, _ context: ServerContext, at now: Instant
  ) throws -> SignedIn? {
    guard method.policy.access != .unspecified else { throw KitError.noPolicy }
    guard let field = context.authorization else { return nil }
    guard let known = bearer(of: field), known.token.isValid(at: now) else {
      // Checking a forged signature is not free either.
      try admit(.address(context.peer.host), .standard, at: now)
      throw KitError.unauthenticated
    }
    return known
  }

  private func admit(
    _ subject: RateLimiter.Subject, _ rateClass: MethodPolicy.RateClass, at now: Instant
  ) throws(KitError) {
    if let wait = limiter.admit(subject, rateClass, at: now) { throw .rateLimited(after: wait) }
  }

  /// The bearer of a token, with the roles as of the last call; nil for one that is not ours.
  private func bearer(of authorization: ArraySlice<UInt8>) -> SignedIn? {
    guard let text = TokenText(authorization: authorization) else { return nil }
    if let known = verified.withLock({ $0[text] }) { return known }
    guard let token = AccessToken(String(decoding: text.octets, as: UTF8.self), keys: kit.keys) else { return nil }
    return remember(SignedIn(TokenText(copying: text), token, RoleSet()))
  }

  /// The same bearer with the roles of now, which are mostly those of the last call.
  private func remember(_ known: SignedIn, _ roles: RoleSet) -> SignedIn {
    known.caller.roles == roles ? known : remember(SignedIn(known.text, known.token, roles))
  }

  private func remember(_ signedIn: SignedIn) -> SignedIn {
    verified.withLock { $0[signedIn.text] = signedIn }
    return signedIn
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
      // On which resource, is judged when the request has been read.
      let mayTry =
        policy.resourceField == nil
        ? caller.roles.holds(anyOf: policy.roles) : caller.roles.holdsSomewhere(anyOf: policy.roles)
      guard mayTry else { throw .permissionDenied }
    }
  }

  /// A machine owns nothing of a user's: only a role of the method lets it in, be it on one resource, which the handler
  /// judges.
  private static func judgeMachine(_ caller: Caller, by policy: MethodPolicy) throws(KitError) {
    guard caller.roles.holdsSomewhere(anyOf: policy.roles) else { throw .permissionDenied }
  }
}
