import Base
import ProtobufRuntime
import RPC
import Storage

/// A call of somebody who holds a role of staff, on its way into the trail: one record, of what a role let the caller do or
/// see, or of its refusal. What the caller may do like everybody leaves none.
///
/// Of what changes something the record commits with it (`Kit.mutate`). The others have no transaction that could: their
/// answer is held until it is written, so that no crash leaves a look or a refusal without a trace.
final class StaffCall: AnswerHold {
  private struct State {
    /// What the request names.
    var about: SubjectID?
    /// How often the caller saw something that others would not have seen, and the first such thing if it has an id.
    var looks = 0
    var seen: SubjectID?
    var isRecorded = false
    /// Whether something is being written that may record the call, and what waits to be.
    var isWriting = false
    var waiting: [CheckedContinuation<Void, Never>] = []

    var hasSeen: Bool { looks > 0 }
  }

  /// What is left to the caller without the roles of staff.
  let rolesOfUser: RoleSet
  private let kit: Kit
  private let method: MethodDescriptor
  private let actor: AuditActor
  /// The roles of staff that the caller holds.
  private let roles: [String]
  /// The one of them that the method asks for.
  private let role: String?
  private let state = Locked(State())

  /// Nil for callers who hold no role of staff; most hold none at all, and cost no memory.
  static func begin(
    _ kit: Kit, _ method: MethodDescriptor, _ roles: RoleSet, by actor: @autoclosure () -> AuditActor
  ) -> StaffCall? {
    guard roles.grants.contains(where: { kit.roles.isStaff($0.role) }) else { return nil }
    return StaffCall(kit, method, roles, by: actor())
  }

  private init(_ kit: Kit, _ method: MethodDescriptor, _ roles: RoleSet, by actor: AuditActor) {
    self.kit = kit
    self.method = method
    self.actor = actor
    self.roles = roles.grants.map(\.role).filter(kit.roles.isStaff)
    rolesOfUser = kit.roles.ofUser(roles)
    role = method.policy.access == .public ? nil : kit.roles.staffRole(method.policy, of: roles)
  }

  /// The caller sees something that only a role of staff shows.
  func sees(_ subject: SubjectID?) {
    state.withLock { state in
      state.looks += 1
      if state.seen == nil { state.seen = subject }
    }
  }

  // MARK: Turns

  /// Waits until nothing else of the call is being written: whether it is on record is known only then. Of a stream a
  /// message can be about to leave while another request changes something.
  func takeTurn() async {
    await withCheckedContinuation { continuation in
      let isFirst = state.withLock { state in
        if state.isWriting { state.waiting.append(continuation) }
        defer { state.isWriting = true }
        return !state.isWriting
      }
      if isFirst { continuation.resume() }
    }
  }

  func endTurn() {
    let next: CheckedContinuation<Void, Never>? = state.withLock { state in
      state.isWriting = !state.waiting.isEmpty
      return state.waiting.isEmpty ? nil : state.waiting.removeFirst()
    }
    next?.resume()
  }

  // MARK: Calls that change something

  /// Does what a transaction does for the call. It does not commit if a role of staff has shown the caller something in it
  /// that is not held by the rows any more: memory, by which sight is judged, is a moment late, and a stream's as old as the
  /// stream.
  /// - Parameter held: what the caller holds by the rows, until the transaction ends.
  func judged<Result>(by held: RoleSet, _ body: () throws -> Result) throws -> Result {
    let before = state.withLock { $0.looks }
    let result = try body()
    if state.withLock({ $0.looks }) != before, !roles.allSatisfy(held.holds) { throw KitError.permissionDenied }
    return result
  }

  /// Records the call in the transaction in which it does what it does.
  /// - Parameter object: what its request names.
  func record(_ object: SubjectID?, _ recording: CallRecording, in writer: any Writer) throws {
    let state = self.state.withLock { $0 }
    // What was seen once is on record; of what everybody may do after it, in the same stream, there is nothing to tell.
    guard role != nil || state.hasSeen && !state.isRecorded else { return }
    if case .byKit = recording { try kit.audit.record(entry(on: object ?? state.seen), in: writer) }
    writer.afterCommit { [state = self.state] in state.withLock { $0.isRecorded = true } }
  }

  // MARK: Calls that are answered

  var isDue: Bool {
    let state = state.withLock { $0 }
    return !state.isRecorded && (state.hasSeen || role != nil && isRecordedWhenAnswered)
  }

  /// Whether what the method's role lets in is recorded when it is answered, and not where it changes something. Of a stream
  /// of requests each is a change of its own, and who only listens makes none.
  private var isRecordedWhenAnswered: Bool { !method.policy.mutates || !method.kind.hasSingleRequest }

  func read(_ request: any Message) {
    guard let request = request as? any NamingRequest, let subject = SubjectID(parsing: request.actedOnID)
    else { return }
    state.withLock { state in
      if state.about == nil { state.about = subject }
    }
  }

  func settle(_ context: ServerContext) async throws {
    await takeTurn()
    defer { endTurn() }
    // What it was about to tell may be on record meanwhile.
    guard isDue else { return }
    let entry = entry(on: object(context))
    // Those that wait at the same time are one commit of the engine's.
    try await kit.database.write { [kit] in try kit.audit.record(entry, in: $0) }
    state.withLock { $0.isRecorded = true }
  }

  /// A refusal is told in any case: one that cannot be recorded now waits in memory until it can be.
  func settle(_ context: ServerContext, failing error: RPCError) async {
    await takeTurn()
    defer { endTurn() }
    guard isRefused(with: error.code) else { return }
    let entry = refusal(error.reason ?? error.code.description, context)
    do {
      try await kit.database.write { [kit] in try kit.audit.record(entry, in: $0) }
    } catch {
      kit.notedCalls.note(entry)
    }
    state.withLock { $0.isRecorded = true }
  }

  /// The call has ended, and perhaps nothing held its answer: before its caller was known for sure, or by somebody else than
  /// its handler.
  func ended(_ context: ServerContext, _ status: StatusCode) {
    if isRefused(with: status) { kit.notedCalls.note(refusal(status.description, context)) }
  }

  /// Whether a call that fails is one of staff, refused, and not on record. Of one whose client has gone, or whose time was
  /// over, nobody knows what came of it.
  private func isRefused(with code: StatusCode) -> Bool {
    switch code {
    case .ok, .cancelled, .deadlineExceeded: return false
    default: break
    }
    let state = state.withLock { $0 }
    return !state.isRecorded
      && (state.hasSeen || role != nil || code == .permissionDenied && kit.roles.admitsStaff(method.policy))
  }

  // MARK: Records

  private func object(_ context: ServerContext) -> SubjectID? {
    let state = state.withLock { $0 }
    return context[ResourceKey.self] ?? state.about ?? state.seen
  }

  private func refusal(_ reason: String, _ context: ServerContext) -> AuditEntry {
    entry(on: object(context), outcome: .refused(reason: reason))
  }

  private func entry(on object: SubjectID?, outcome: AuditOutcome = .done) -> AuditEntry {
    let held = role.map { [$0] } ?? (state.withLock { $0.hasSeen } ? roles : [])
    return AuditEntry(.call(method), by: actor, on: object, outcome: outcome, held.map { .role($0) })
  }
}

extension Caller {
  /// The caller as one of those who are no staff; nil if that is so already.
  var asUser: Caller? {
    staffCall.map { Caller(user: user, session: session, roles: $0.rolesOfUser, isMachine: isMachine) }
  }

  /// To be called where a role of staff alone shows somebody something, and no thing of `Kit.subjects` is asked: the call
  /// is on record before it is answered. The registry sees by itself what it shows to staff alone, and the policy says who is
  /// let in by a role of the method.
  /// - Parameter subject: what is seen, if it has an id.
  public func seesAsStaff(_ subject: SubjectID? = nil) { staffCall?.sees(subject) }
}
