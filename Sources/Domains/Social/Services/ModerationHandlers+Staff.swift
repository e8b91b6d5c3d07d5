import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage
import Streaming
import WellKnownTypes

extension ModerationHandlers {
  func listQueue(_ request: ListQueueRequest, context: ServerContext) async throws -> ListQueueResponse {
    let page = try kit.page(request, context)
    let state: ReportRow.State
    switch request.state {
    case .unspecified, .open: state = .open
    case .triaged: state = .triaged
    case .appealed: state = .appealed
    default: throw SocialError.badRuling("state")
    }
    // Behind the last one of the page before, in the order of the queue.
    var after = (rank: Int64.min, id: Int64.min)
    if case .integer(let rank)? = page.after?.first, case .integer(let id)? = page.after?.last { after = (rank, id) }
    return try await kit.database.read { [core, after] reader in
      let rows = try Self.waiting(state, after: after, limit: page.fetch, in: reader)
      let (items, next) = page.cut(rows) { [(-$0.score).sqlValue, $0.id.sqlValue] }
      var response = ListQueueResponse()
      response.reports = try items.map { try core.message($0, in: reader) }
      response.nextPageToken = next
      return response
    }
  }

  private static func waiting(
    _ state: ReportRow.State, after: (rank: Int64, id: Int64) = (.min, .min), limit: Int, in reader: any Reader
  ) throws -> [ReportRow] {
    try reader.rows(
      """
      SELECT \(ReportRow.columns) FROM social_reports
      WHERE state = $1 AND (rank, id) > ($2, $3) ORDER BY rank, id LIMIT $4
      """, state.rawValue, after.rank, after.id, limit, make: ReportRow.init)
  }

  func watchQueue(
    _ request: WatchQueueRequest, responses: ResponseWriter<WatchQueueResponse>, context: ServerContext
  ) async throws {
    let core = core
    let caller = try context.requireCaller()
    let roles = context.method.policy.roles
    try await kit.watch(
      core.queueTopic, resumeToken: request.resumeToken, responses, context,
      snapshot: { reader -> ReportList in
        var list = ReportList()
        list.reports = try Self.waiting(.open, limit: Self.shownInSnapshot, in: reader).map {
          try core.message($0, in: reader)
        }
        return list
      },
      first: { list, token in .send(WatchQueueResponse(.snapshot(list), token)) },
      heartbeat: { WatchQueueResponse() },
      read: { event, reader -> Report? in
        // Whoever is no moderator any more gets nothing more of what people have reported.
        guard try core.kit.authority.roles(of: caller.user, in: reader).holds(anyOf: roles) else {
          throw KitError.permissionDenied
        }
        return try ReportRow.find(Identifier(rawValue: Int64(bigEndian: event.payload)), in: reader).map {
          try core.message($0, in: reader)
        }
      },
      step: { report, token in report.map { .send(WatchQueueResponse(.report($0), token)) } ?? .skip })
  }

  func decide(_ request: DecideRequest, context: ServerContext) async throws -> Report {
    let caller = try context.requireCaller()
    let id = try Identifier(request.reportID, kind: IDKind.report, field: "report_id")
    return try await kit.mutate(request, context) { writer in
      let ruling = try self.ruling(request)
      return try core.message(core.decide(id, ruling, by: caller.user, in: writer), in: writer)
    }
  }

  /// - Throws: `SocialError.badRuling` for what does not fit together.
  private func ruling(_ request: DecideRequest) throws -> SocialCore.Ruling {
    let until = request.restrictUntil.flatMap { Instant($0) }
    var faults = Faults()
    switch request.verdict {
    case .act:
      if request.measure == .unspecified { faults.note(SocialError.badRuling("measure")) }
      if !request.policy.isReportable { faults.note(SocialError.badRuling("policy")) }
    case .take, .reject:
      if request.measure != .unspecified { faults.note(SocialError.badRuling("measure")) }
    default: faults.note(SocialError.badRuling("verdict"))
    }
    if (request.measure == .restrict) != (request.restrictUntil != nil)
      || request.measure == .restrict && !(until.map { core.now < $0 } ?? false)
    {
      faults.note(SocialError.badRuling("restrict_until"))
    }
    try faults.throwIfAny()
    return SocialCore.Ruling(
      verdict: request.verdict, measure: request.measure, policy: request.policy, note: request.note, until: until)
  }

  func decideAppeal(_ request: DecideAppealRequest, context: ServerContext) async throws -> Report {
    let caller = try context.requireCaller()
    let id = try Identifier(request.reportID, kind: IDKind.report, field: "report_id")
    var faults = Faults()
    if request.verdict != .uphold, request.verdict != .overturn { faults.note(SocialError.badRuling("verdict")) }
    if request.measure == .restrict { faults.note(SocialError.badRuling("measure")) }
    try faults.throwIfAny()
    let ruling = SocialCore.Ruling(
      verdict: request.verdict, measure: request.measure, policy: .unspecified, note: request.note, until: nil)
    return try await kit.mutate(request, context) { [core] writer in
      try core.message(core.decideAppeal(id, ruling, by: caller.user, in: writer), in: writer)
    }
  }

  func restrictAccount(_ request: RestrictAccountRequest, context: ServerContext) async throws -> Restriction {
    let caller = try context.requireCaller()
    let user = try Identifier(request.userID, kind: IDKind.user, field: "user_id")
    guard user != caller.user else { throw KitError.selfTarget(field: "user_id") }
    return try await kit.mutate(request, context) { [core] writer in
      var faults = Faults()
      if !request.policy.isReportable { faults.note(SocialError.badRuling("policy")) }
      // In here, as a repeat is answered also when the time is over.
      let end = try faults.check { try self.end(request) }
      try faults.throwIfAny()
      guard let until = end else { preconditionFailure("a time that is over was not refused") }
      let ruling = SocialCore.Ruling(
        verdict: .act, measure: .restrict, policy: request.policy, note: request.note, until: until)
      guard try core.people.person(user, in: writer) != nil else { throw KitError.notFound(IDKind.user) }
      let row = try core.act(on: SubjectID(IDKind.user, user), of: user, ruling, by: caller.user, in: writer)
      var restriction = Restriction()
      restriction.userID = user.text(kind: IDKind.user)
      restriction.endTime = Timestamp(try core.kit.community.restriction(of: user, in: writer) ?? until)
      restriction.reportID = row.asSubject.text
      return restriction
    }
  }

  private func end(_ request: RestrictAccountRequest) throws(SocialError) -> Instant {
    guard let until = request.endTime.flatMap({ Instant($0) }), core.now < until else { throw .badRuling("end_time") }
    return until
  }

  func liftRestriction(
    _ request: LiftRestrictionRequest, context: ServerContext
  ) async throws -> LiftRestrictionResponse {
    let user = try Identifier(request.userID, kind: IDKind.user, field: "user_id")
    guard try user != context.requireCaller().user else { throw KitError.selfTarget(field: "user_id") }
    return try await kit.mutate(request, context) { writer in
      try RestraintRow.liftAll(from: user, in: writer)
      return LiftRestrictionResponse()
    }
  }

  func putWordList(_ request: PutWordListRequest, context: ServerContext) async throws -> SocialAPI.WordList {
    let caller = try context.requireCaller()
    let list = request.list ?? SocialAPI.WordList()
    try WordKeeper.check(list)
    let stored: SocialAPI.WordList = try await kit.mutate(request, context) { [core] writer in
      try core.words.put(list, by: caller.user, at: core.now, in: writer)
    }
    // Also after a repeat, whose first call may have ended between the commit and this.
    try await core.words.load(from: kit.database)
    return stored
  }
}

extension WatchQueueResponse {
  fileprivate init(_ event: Event, _ token: String) {
    self.init()
    self.event = event
    resumeToken = token
  }
}
