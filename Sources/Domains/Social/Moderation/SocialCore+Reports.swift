import Base
import DomainKit
import SocialAPI
import Storage
import Streaming

/// The timer that gives a report back whose moderator has let the time pass, by the report's number.
let triageTimer = "social.triage"

extension SocialCore {
  /// What happens to reports: the id of each in eight octets.
  var queueTopic: Topic { Topic("moderation", "queue") }

  /// How toxic a text is that a user has written.
  func judge(_ text: String, by user: Identifier) async throws -> ToxicityScore {
    let people = people
    let language = try await kit.database.read { try people.preferences(of: user, in: $0).language }
    return await scorer.judge(text, language: language)
  }

  /// Reports a thing.
  /// - Throws: `KitError.notFound`, `.selfTarget`, `.dayLimitExceeded`; `SocialError.reportExists`.
  func report(
    _ target: SubjectID, _ policy: Policy, _ text: String, by caller: Caller, in writer: any Writer
  ) throws -> ReportRow {
    let owner = try reportable(target, by: caller, in: writer).owner
    guard owner != caller.user else { throw KitError.selfTarget(field: "target_id") }
    try take("reports", of: caller.user, limit: limits.reportsPerDay, in: writer)
    let row = ReportRow(
      on: target, id: kit.identifiers.next(), by: caller.user, owner: owner, policy, text: text, at: now)
    guard try row.insert(in: writer) else { throw SocialError.reportExists }
    try publish(row, in: writer)
    try kit.subjects.happened(SubjectDeed(.report, by: caller.user), to: target, in: writer)
    return row
  }

  /// What is known of a thing that somebody sees, or would see but for a block of his or her own: whoever blocks somebody may
  /// report what was said before.
  private func reportable(_ target: SubjectID, by caller: Caller, in reader: any Reader) throws -> SubjectFacts {
    guard let kind = kit.subjects[target] else { throw KitError.notFound(target.kind) }
    // All is asked in any case: the time that it takes must not tell what is there.
    let isVisible = try kit.subjects.isVisible(target, to: caller, in: reader)
    let facts = try kind.facts(of: target.id, in: reader)
    let mayView = try kit.subjects.mayView(target, by: caller, in: reader)
    let owner = facts?.owner ?? Self.nobody
    let isBlocked = try hasBlocked(owner, caller.user, in: reader)
    let hasBlocked = try hasBlocked(caller.user, owner, in: reader)
    guard let facts, isVisible || mayView && hasBlocked && !isBlocked else { throw KitError.notFound(target.kind) }
    return facts
  }

  private static let nobody = Identifier(rawValue: 0)

  func publish(_ row: ReportRow, in writer: any Writer) throws {
    try kit.hub.publish(queueTopic, row.id.rawValue.bigEndianBytes, in: writer)
  }

  // MARK: Deciding

  /// What a moderator says about a report.
  struct Ruling: Sendable {
    var verdict: Verdict
    var measure: Measure
    var policy: Policy
    var note: String
    var until: Instant?
  }

  /// A report, and for this transaction alone all reports on the same thing.
  func hold(_ id: Identifier, in writer: any Writer) throws -> ReportRow {
    // One that is not there has a turn as well: the time of an answer must not tell what is.
    let target = try ReportRow.find(id, in: writer)?.target ?? SubjectID(IDKind.report, id)
    try takeTurn(Turn(about: target), in: writer)
    guard let row = try ReportRow.find(id, in: writer) else { throw KitError.notFound("report") }
    return row
  }

  /// Takes or decides a report.
  /// - Throws: `KitError.notFound`, `.wrongState`; `SocialError.sameReviewer`, `.notRemovable`.
  func decide(_ id: Identifier, _ ruling: Ruling, by moderator: Identifier, in writer: any Writer) throws -> ReportRow {
    var row = try hold(id, in: writer)
    guard row.state.isOpen, row.state == .open || row.takenBy == moderator else {
      throw KitError.wrongState(ReportState(rawValue: Int32(row.state.rawValue)).protoName)
    }
    guard row.owner != moderator else { throw SocialError.sameReviewer }
    switch ruling.verdict {
    case .take:
      row.state = .triaged
      row.takenBy = moderator
      try row.update(in: writer)
      try timers.set(triageTimer, key: String(id.rawValue), due: now + limits.triageTime, in: writer)
      try publish(row, in: writer)
    case .reject:
      try settle(
        [row],
        DecisionRow(
          about: row, id: kit.identifiers.next(), .reject, .unspecified, row.policy,
          by: moderator, note: ruling.note, at: now), .rejected, in: writer)
      // What a program held back is shown after all.
      if row.reporter == nil { try showAgain(row.target, in: writer) }
    default:
      try act(on: row, ruling, by: moderator, in: writer)
    }
    return try ReportRow.find(id, in: writer) ?? row
  }

  /// Does something about a thing, and settles all that is reported about it.
  private func act(on row: ReportRow, _ ruling: Ruling, by moderator: Identifier, in writer: any Writer) throws {
    let decision = DecisionRow(
      about: row, id: kit.identifiers.next(), .act, ruling.measure, ruling.policy, by: moderator, note: ruling.note,
      at: now)
    var settled = try writer.rows(
      "SELECT \(ReportRow.columns) FROM social_reports WHERE target_id = $1 AND state IN (1, 2)", row.target.id,
      make: ReportRow.init)
    if !settled.contains(where: { $0.id == row.id }) { settled.append(row) }
    try settle(settled, decision, .actioned, in: writer)
    try carryOut(decision, on: row, until: ruling.until, in: writer)
    // What a program held back waits for nobody any more: it is shown, or removed.
    if ruling.measure != .remove, settled.contains(where: { $0.reporter == nil }) {
      try showAgain(row.target, in: writer)
    }
    try tellOwner(of: row, ruling.measure, decision.id, in: writer)
  }

  /// Does something about a thing that nobody has reported.
  /// - Returns: the case by which its owner can appeal.
  func act(
    on target: SubjectID, of owner: Identifier, _ ruling: Ruling, by moderator: Identifier, in writer: any Writer
  ) throws -> ReportRow {
    try takeTurn(Turn(about: target), in: writer)
    let row = ReportRow(
      on: target, id: kit.identifiers.next(), by: moderator, owner: owner, ruling.policy, text: "", state: .actioned,
      at: now)
    _ = try row.insert(in: writer)
    try act(on: row, ruling, by: moderator, in: writer)
    return row
  }

  private func settle(
    _ rows: [ReportRow], _ decision: DecisionRow, _ state: ReportRow.State, in writer: any Writer
  ) throws {
    try decision.insert(appealed: nil, in: writer)
    for var row in rows {
      row.state = state
      row.decision = decision.id
      row.takenBy = nil
      try row.update(in: writer)
      try timers.cancel(triageTimer, key: String(row.id.rawValue), in: writer)
      try publish(row, in: writer)
      if let reporter = row.reporter, reporter != decision.author {
        try tell(reporter, SocialNotices.reportSettled, of: row, decision.id, in: writer)
      }
    }
  }

  private func carryOut(
    _ decision: DecisionRow, on row: ReportRow, until: Instant?, in writer: any Writer
  ) throws {
    switch decision.measure {
    case .remove: try apply(.remove, to: row.target, in: writer)
    case .restrict:
      guard let owner = row.owner, let until else { throw SocialError.badRuling("restrict_until") }
      try RestraintRow(user: owner, by: decision, until: until).insert(in: writer)
    default: break
    }
  }

  /// Shows what was held back or removed, unless another removal of it stands.
  private func showAgain(_ target: SubjectID, in writer: any Writer) throws {
    guard try !DecisionRow.isRemoved(target, in: writer) else { return }
    try apply(.restore, to: target, in: writer)
  }

  private func apply(_ measure: ModerationMeasure, to target: SubjectID, in writer: any Writer) throws {
    let isDone = try kit.subjects[target]?.moderate(target.id, measure, in: writer) ?? false
    guard isDone || measure == .restore else { throw SocialError.notRemovable }
    try kit.subjects.visibilityChanged(of: target, in: writer)
  }

  // MARK: Appeals

  /// Asks that somebody else looks at a decision.
  /// - Throws: `KitError.notFound`, `.wrongState`; `SocialError.windowClosed`.
  func appeal(_ id: Identifier, _ text: String, by user: Identifier, in writer: any Writer) throws -> ReportRow {
    let row = try hold(id, in: writer)
    guard let first = try row.decision.flatMap({ try DecisionRow.find($0, in: writer) }),
      row.reporter == user || (row.owner == user && first.measure != .unspecified)
    else {
      // Whoever is reported does not learn of it before something is done.
      guard row.reporter == user else { throw KitError.notFound("report") }
      throw KitError.wrongState(ReportState.open.protoName)
    }
    guard mayAppeal(row, by: user) else {
      throw KitError.wrongState(ReportState(rawValue: Int32(row.state.rawValue)).protoName)
    }
    guard now < first.createdAt + limits.appealWindow else { throw SocialError.windowClosed }
    for var each in try sharing(first, in: writer) {
      each.state = .appealed
      each.appealText = text
      each.appealedBy = user
      try each.update(in: writer)
      try writer.execute(
        "UPDATE social_reports SET appeal_text = $3, appealed_by = $4 WHERE target_id = $1 AND id = $2",
        each.target.id, each.id, text, user)
      try publish(each, in: writer)
    }
    return try ReportRow.find(id, in: writer) ?? row
  }

  /// Decides an appeal.
  /// - Throws: `KitError.notFound`, `.wrongState`; `SocialError.sameReviewer`, `.notRemovable`, `.badRuling`.
  func decideAppeal(
    _ id: Identifier, _ ruling: Ruling, by moderator: Identifier, in writer: any Writer
  ) throws -> ReportRow {
    let row = try hold(id, in: writer)
    guard row.state == .appealed, let first = try row.decision.flatMap({ try DecisionRow.find($0, in: writer) }) else {
      throw KitError.wrongState(ReportState(rawValue: Int32(row.state.rawValue)).protoName)
    }
    let settled = try sharing(first, in: writer)
    guard ![first.author, row.owner].contains(moderator), !settled.contains(where: { $0.reporter == moderator })
    else { throw SocialError.sameReviewer }
    let isOverturned = ruling.verdict == .overturn
    let wasRejected = first.verdict == .reject
    guard (ruling.measure != .unspecified) == (isOverturned && wasRejected) else {
      throw SocialError.badRuling("measure")
    }
    let last = DecisionRow(
      about: row, id: kit.identifiers.next(), ruling.verdict, ruling.measure, first.policy, by: moderator,
      note: ruling.note, at: now)
    try last.insert(appealed: first.id, in: writer)
    for var each in settled {
      each.state = isOverturned ? .overturned : .upheld
      try each.update(in: writer)
      try publish(each, in: writer)
    }
    if isOverturned, wasRejected {
      try carryOut(last, on: row, until: nil, in: writer)
      try tellOwner(of: row, ruling.measure, last.id, in: writer)
    } else if isOverturned {
      switch first.measure {
      case .remove: try showAgain(row.target, in: writer)
      case .restrict: if let owner = row.owner { try RestraintRow.lift(from: owner, by: first, in: writer) }
      default: break
      }
    }
    if let user = row.appealedBy { try tell(user, SocialNotices.appealSettled, of: row, last.id, in: writer) }
    return try ReportRow.find(id, in: writer) ?? row
  }

  /// The reports that one decision has settled.
  private func sharing(_ decision: DecisionRow, in reader: any Reader) throws -> [ReportRow] {
    try reader.rows(
      "SELECT \(ReportRow.columns) FROM social_reports WHERE target_id = $1 AND decision_id = $2", decision.target.id,
      decision.id, make: ReportRow.init)
  }

  // MARK: Telling

  private func tellOwner(
    of row: ReportRow, _ measure: Measure, _ decision: Identifier, in writer: any Writer
  ) throws {
    guard let owner = row.owner else { return }
    let kind =
      switch measure {
      case .remove: SocialNotices.removed
      case .restrict: SocialNotices.restricted
      default: SocialNotices.warned
      }
    try tell(owner, kind, of: row, decision, in: writer)
  }

  private func tell(
    _ user: Identifier, _ kind: NoticeKind, of row: ReportRow, _ decision: Identifier, in writer: any Writer
  ) throws {
    try notices.notify(
      user,
      Notice(kind, key: "\(row.asSubject.text)/\(decision.text(kind: IDKind.decision))", about: row.asSubject),
      in: writer)
  }

  /// Gives reports back that were taken and not decided.
  func handleTriage() {
    timers.handle(triageTimer) { [self] writer, timer in
      guard let number = Int64(timer.key) else { return }
      var row = try hold(Identifier(rawValue: number), in: writer)
      guard row.state == .triaged else { return }
      row.state = .open
      row.takenBy = nil
      try row.update(in: writer)
      try publish(row, in: writer)
    }
  }
}
