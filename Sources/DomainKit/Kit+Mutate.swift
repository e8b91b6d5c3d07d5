import Base
public import ProtobufRuntime
public import RPC
public import Storage

/// By what the repeats of a request are recognised, beside the method and the request_id.
public enum RequestScope: Sendable {
  /// The caller, who must be signed in.
  case caller
  /// What identifies the client of a public method: the name it logs in with, say. Only a keyed hash is kept.
  case client([UInt8])
}

extension Kit {
  /// Does what a request asks in one transaction: checks, effects, and the row that makes a repeat harmless.
  ///
  /// The same request_id with the same body gets the same reply, without `body` being run again, for a week at least, or
  /// for ever if the method's policy says so; with another body it is `REQUEST_ID_REUSED`. What `body` throws leaves
  /// nothing behind, not even the request_id, so a retry is judged afresh. Inside the transaction the caller's session and
  /// the roles that the method's policy asks for are judged again: no change commits for an ended session or an expired
  /// grant. A repeat changes nothing, and is answered also if the call has ended its own caller's session, or the thing
  /// that a role was held on.
  ///
  /// The stored reply is sealed with the caller's own key, so that nothing personal is left of it once the account is
  /// erased. Without a caller there is no such key: the reply that `body` returns must then hold nothing personal;
  /// `complete` adds it.
  ///
  /// Of a method that posts (its policy says so), a caller whom moderators have restricted is refused.
  ///
  /// What a role of staff lets somebody do, or lets somebody see on the way, is recorded in the same transaction, once
  /// however often it is repeated. A role that was taken since the call came lets nobody do or see anything.
  ///
  /// `body` may run more than once, on the engine's thread; it must have no effects outside of the transaction but
  /// through `afterCommit`.
  ///
  /// - Parameters:
  ///   - scope: the caller; or for public methods, what identifies the client.
  ///   - keeping: for how long repeats are recognised; nil for as long as the method's policy says. For a stream of requests, whose
  ///     policy says what the one of them needs that needs most.
  ///   - recording: who records the call if a role of staff let it in.
  ///   - complete: adds to the reply what must not be stored: tokens and codes, which it derives again from their row.
  ///     It runs in the transaction for the first reply and for each repeat alike, but not for a repeat by somebody who
  ///     has lost the role that the method asks for.
  ///   - body: checks and effects; returns the reply, without secrets.
  /// - Throws: what `body` throws; `KitError`.
  public func mutate<Request: MutatingRequest, Reply: Message>(
    _ request: Request, _ context: ServerContext, scope: RequestScope = .caller, keeping: RequestKeeping? = nil,
    recording: CallRecording = .byKit, complete: (@Sendable (inout Reply, any Writer) throws -> Void)? = nil,
    _ body: @escaping @Sendable (any Writer) throws -> Reply
  ) async throws -> Reply {
    try await mutate(
      request, context, scope: scope, keeping: keeping, recording: recording, complete: complete
    ) { writer, _ in
      try body(writer)
    }
  }

  /// The same for a body that wants to know about its caller; nil for a public method without credentials.
  public func mutate<Request: MutatingRequest, Reply: Message>(
    _ request: Request, _ context: ServerContext, scope: RequestScope = .caller, keeping: RequestKeeping? = nil,
    recording: CallRecording = .byKit, complete: (@Sendable (inout Reply, any Writer) throws -> Void)? = nil,
    _ body: @escaping @Sendable (any Writer, Standing?) throws -> Reply
  ) async throws -> Reply {
    let method = context.method
    let caller = context.caller
    let key = try requestKey(
      request, method, caller, scope, method.policy.keepsRequestIDs ? .forever : .retention)
    let hash = keys.requestHash(request.encoded())
    await caller?.staffCall?.takeTurn()
    defer { caller?.staffCall?.endTurn() }
    return try await database.write(serving: key) { [self] writer in
      var reply: Reply
      switch try writer.lookUp(key, hash: hash, keeping: keeping) {
      case .stored(let stored):
        // Nobody is judged, as nothing is done: the call may have ended the session, or what its caller's role was on.
        let own = try caller.flatMap { try authority.sealingKey(of: $0, in: writer) }
        reply = try Reply(decoding: ReplyVault(scope, own, key).open(stored))
        // But what has become of the thing since is only for whoever may still see it.
        if complete != nil, method.policy.access == .role, let caller,
          try !holdsRole(of: context, caller, in: writer)
        {
          return reply
        }
      case .new(let slot):
        var standing: Standing?
        reply = try writer.serve(slot) {
          guard let caller else { return try body(writer, nil) }
          let (confirmed, held) = try confirm(caller, context, writer)
          standing = confirmed
          if method.policy.posts { try requireMayPost(caller.user, in: writer) }
          guard let staffCall = caller.staffCall else { return try body(writer, confirmed) }
          return try staffCall.judged(by: held) { try body(writer, confirmed) }
        }
        try caller?.staffCall?.record(SubjectID(parsing: request.actedOnID), recording, in: writer)
        let vault = ReplyVault(scope, standing?.sealingKey, key)
        try writer.store(vault.seal(reply.encoded()), in: slot, now: clock.now())
      }
      try complete?(&reply, writer)
      return reply
    }
  }

  /// Whether a call repeats one of the same caller that was answered.
  func hasAnswered(_ request: any Message, of caller: Caller, _ method: MethodDescriptor) async throws -> Bool {
    // All places are looked at, wherever its method has its replies kept.
    guard let request = request as? any MutatingRequest,
      let key = try? requestKey(request, method, caller, .caller, .forever)
    else { return false }
    let hash = keys.requestHash(request.encoded())
    return try await database.read { try $0.hasServed(key, hash: hash) }
  }

  private func requireMayPost(_ user: Identifier, in reader: any Reader) throws {
    if let until = try community.restriction(of: user, in: reader), clock.now() < until {
      throw KitError.restricted(until: until)
    }
  }

  /// - Returns: also what the caller holds by the rows, if anything is done or seen by a role.
  private func confirm(
    _ caller: Caller, _ context: ServerContext, _ writer: any Writer
  ) throws -> (standing: Standing, held: RoleSet) {
    let standing = try authority.confirm(caller, in: writer)
    let policy = context.method.policy
    // Whoever was let in by a role, or may be about to be (a handler lets staff pass as well as owners), has it still.
    let needsRole = policy.access == .role || caller.roles.holds(anyOf: policy.roles)
    guard needsRole || caller.staffCall != nil else { return (standing, RoleSet()) }
    try writer.lock(StandingLock.roles, caller.user.rawValue, .shared)
    let held = try authority.roles(of: caller.user, in: writer)
    guard try !needsRole || isAdmitted(by: held, context, in: writer) else { throw KitError.permissionDenied }
    return (standing, held)
  }

  private func requestKey(
    _ request: some MutatingRequest, _ method: MethodDescriptor, _ caller: Caller?, _ scope: RequestScope,
    _ keeping: RequestKeeping
  ) throws(KitError) -> RequestKey {
    let who: Identifier
    switch scope {
    case .caller:
      guard let caller else { throw .unauthenticated }
      who = caller.user
    case .client(let bytes):
      // Negative, so that it is no user's id.
      who = Identifier(rawValue: Int64(bigEndian: keys.clientHash(bytes)[..<8]) | .min)
    }
    let name = method.path.dropFirst()
    guard let key = RequestKey(caller: who, method: String(name), requestID: request.requestID, keeping: keeping)
    else {
      throw .invalid(FieldViolation(field: "request_id", description: "not a UUID"))
    }
    return key
  }
}
