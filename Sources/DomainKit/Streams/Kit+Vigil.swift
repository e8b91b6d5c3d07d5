public import RPC

/// A stream is let in once and may last for days. Whoever is on it is judged again with everything that is sent, by the
/// same rules as at the door: a session that has ended and a right that was lost take their streams with them.
extension Kit {
  /// Judges the caller of a stream again; before anything is sent. `watch` does it by itself, and `Heart` at each beat.
  ///
  /// Answers from memory, which is at most a second behind other nodes; the database is asked when a change has just
  /// thrown out what memory knew. Callers without credentials pass.
  /// - Throws: `KitError.sessionEnded`; `.permissionDenied` if the caller has lost a role of the method's.
  public func judgeAgain(_ context: ServerContext) async throws {
    if try judgeAtOnce(context) { return }
    guard let caller = context.caller else { return }
    let roles = try await authority.roles(of: caller.user, epoch: 0)
    try Self.judge(caller, now: roles, context.method.policy)
  }

  /// The same from memory alone.
  /// - Returns: false if memory does not know the caller's roles.
  func judgeAtOnce(_ context: ServerContext) throws(KitError) -> Bool {
    guard let caller = context.caller else { return true }
    if authority.hasEnded(caller.session) { throw .sessionEnded }
    guard caller.roles.holdsSomewhere(anyOf: context.method.policy.roles) else { return true }
    guard let roles = authority.knownRoles(of: caller.user, epoch: 0) else { return false }
    try Self.judge(caller, now: roles, context.method.policy)
    return true
  }

  /// Which of several roles let the caller in is the handler's secret, so losing one of them ends the stream; whoever may
  /// see it still comes back at once.
  private static func judge(_ caller: Caller, now roles: RoleSet, _ policy: MethodPolicy) throws(KitError) {
    guard roles.keeps(anyOf: policy.roles, of: caller.roles) else { throw .permissionDenied }
  }
}

extension RoleSet {
  /// Whether all grants of one of `roles` are there that were there before. They may end at another time.
  fileprivate func keeps(anyOf roles: [String], of earlier: RoleSet) -> Bool {
    earlier.grants.allSatisfy { grant in
      !grant.gives(anyOf: roles) || grants.contains { $0.role == grant.role && $0.resource == grant.resource }
    }
  }
}
