import Base
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

/// octet.identity.v1.SessionService. Login and refresh have files of their own.
struct SessionHandlers: SessionService {
  let core: IdentityCore

  private var kit: Kit { core.kit }

  func login(_ request: LoginRequest, context: ServerContext) async throws -> LoginResponse {
    try await LoginFlow(core: core).login(request, context)
  }

  func refreshSession(
    _ request: RefreshSessionRequest, context: ServerContext
  ) async throws -> RefreshSessionResponse {
    try await RefreshFlow(core: core).refresh(request, context)
  }

  func getChallenge(_ request: GetChallengeRequest, context: ServerContext) async throws -> Challenge {
    let issued = try await core.challenges.issue(
      for: request.method, device: core.challengedDevice(request.devicePublicKey), host: context.peer.host)
    var challenge = Challenge()
    challenge.algorithm = issued.algorithm
    challenge.token = issued.token
    challenge.zeroBits = Int32(issued.zeroBits)
    challenge.expireTime = Timestamp(issued.expiresAt)
    return challenge
  }

  func stepUp(_ request: StepUpRequest, context: ServerContext) async throws -> Session {
    let caller = try context.requireCaller()
    guard request.password.isEmpty != request.code.isEmpty else {
      throw KitError.invalid(FieldViolation(field: "password", description: "either a password or a code is required"))
    }
    if request.code.isEmpty {
      let proof = try await PasswordProof(request.password, of: caller, core)
      return try await stepUp(
        request, context, caller, proved: { _ = try proof.confirm(in: $0) },
        succeeded: { try proof.noteSuccess(in: $0) })
    }
    let proof = try await CodeProof(request.code, .stepUp(caller.user), sentTo: nil, core)
    let core = core
    return try await stepUp(
      request, context, caller, proved: { try proof.use(now: core.kit.clock.now(), in: $0) },
      succeeded: { try proof.forgive(in: $0) })
  }

  /// - Parameters:
  ///   - proved: throws unless the caller has given a proof.
  ///   - succeeded: runs for the first reply and for each repeat.
  private func stepUp(
    _ request: StepUpRequest, _ context: ServerContext, _ caller: Caller,
    proved: @escaping @Sendable (any Writer) throws -> Void, succeeded: @escaping @Sendable (any Writer) throws -> Void
  ) async throws -> Session {
    let core = core
    let complete: @Sendable (inout Session, any Writer) throws -> Void = { session, writer in
      try succeeded(writer)
      try session.addPersonalData(in: writer)
    }
    return try await kit.mutate(request, context, complete: complete) { writer in
      try proved(writer)
      let now = core.kit.clock.now()
      try writer.execute("UPDATE identity_sessions SET proved_at = $2 WHERE id = $1", caller.session, now)
      guard let row = try SessionRow.find(caller.session, in: writer) else { throw KitError.sessionEnded }
      return Session(stored: row, at: now, current: true)
    }
  }

  func logout(_ request: LogoutRequest, context: ServerContext) async throws -> LogoutResponse {
    let caller = try context.requireCaller()
    return try await kit.mutate(request, context) { writer in
      try core.endSessions([caller.session], .logout, in: writer)
      return LogoutResponse()
    }
  }

  func listSessions(_ request: ListSessionsRequest, context: ServerContext) async throws -> ListSessionsResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    let renewedAfter = kit.clock.now() - SessionRow.idleLimit
    let rows = try await kit.database.read { reader in
      try reader.rows(
        """
        SELECT \(SessionRow.columns) FROM identity_sessions s
        WHERE s.user_id = $1 AND s.ended_at IS NULL AND s.renewed_at > $2 AND s.id < $3 ORDER BY s.id DESC LIMIT $4
        """, caller.user, renewedAfter, page.before, page.fetch, make: SessionRow.init)
    }
    let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
    var response = ListSessionsResponse()
    response.sessions = items.map { row in
      var session = Session(stored: row, at: kit.clock.now(), current: row.id == caller.session)
      session.addPersonalData(row)
      return session
    }
    response.nextPageToken = next
    return response
  }

  func endSession(_ request: EndSessionRequest, context: ServerContext) async throws -> Session {
    let caller = try context.requireCaller()
    let id = try Identifier(request.sessionID, kind: IDKind.session, field: "session_id")
    return try await kit.mutate(request, context, complete: Session.addPersonalData) { writer in
      guard let row = try SessionRow.find(id, in: writer), row.user == caller.user else {
        throw KitError.notFound("session")
      }
      if row.endedAt == nil { try core.endSessions([id], .endedByUser, in: writer) }
      var session = Session(stored: row, at: kit.clock.now(), current: id == caller.session)
      session.state = .ended
      return session
    }
  }

  func endAllSessions(
    _ request: EndAllSessionsRequest, context: ServerContext
  ) async throws -> EndAllSessionsResponse {
    let caller = try context.requireCaller()
    return try await kit.mutate(request, context) { writer in
      let live = try core.liveSessions(of: caller.user, in: writer)
      let ending = request.keepCurrent ? live.filter { $0 != caller.session } : live
      try core.endSessions(ending, .endedByUser, in: writer)
      var response = EndAllSessionsResponse()
      response.endedCount = Int32(ending.count)
      return response
    }
  }
}

extension IdentityCore {
  /// The live sessions of a user, oldest first.
  func liveSessions(of user: Identifier, in reader: any Reader) throws -> [Identifier] {
    try reader.rows(
      """
      SELECT id FROM identity_sessions WHERE user_id = $1 AND ended_at IS NULL AND renewed_at > $2 ORDER BY id
      """, user, kit.clock.now() - SessionRow.idleLimit
    ) { $0[0] }
  }

  /// Opens a session for a user or a credential that this transaction holds. One too many ends the oldest.
  func openSession(
    of holder: Identifier, device: Identifier?, named name: String, isKnown: Bool, _ address: String,
    in writer: any Writer
  ) throws -> SessionRow {
    let id = kit.identifiers.next()
    try writer.execute(
      """
      INSERT INTO identity_sessions
        (id, user_id, device_id, device_name, known_device, address, generation, signed_in_at, proved_at, last_used_at,
         renewed_at, ended_at, end_reason)
      VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $7, $7, $7, NULL, NULL)
      """, id, holder, device, name, isKnown, address, kit.clock.now())
    let live = try liveSessions(of: holder, in: writer)
    try endSessions(Array(live.dropLast(limits.sessions)), .tooMany, in: writer)
    guard let row = try SessionRow.find(id, in: writer) else {
      preconditionFailure("a session was written and is gone")
    }
    return row
  }

  /// Ends sessions with the transaction; ended ones stay as they are.
  func endSessions(_ sessions: [Identifier], _ reason: SessionRow.EndReason, in writer: any Writer) throws {
    let now = kit.clock.now()
    for session in sessions {
      // Before its row, which a call under way may want to change.
      try writer.lock(StandingLock.session, session.rawValue, .exclusive)
      try writer.execute(
        "UPDATE identity_sessions SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        session, now, reason.rawValue)
    }
    try kit.sessions.ended(sessions, in: writer)
    authority.noteEnded(sessions, at: now, in: writer)
    // The others are the user's own doing, or a part of a call that is recorded.
    guard reason == .tokenReused else { return }
    for session in sessions {
      let entry = AuditEntry(
        .word("session.ended"), by: .server, on: SubjectID(IDKind.session, session), [.reason("token_reused")])
      try kit.audit.record(entry, in: writer)
    }
  }
}
