import Base
import DomainKit
import SocialAPI
import Storage
import WellKnownTypes

/// A row of `social_decisions`, which is never changed.
struct DecisionRow: Sendable {
  let target: SubjectID
  let id: Identifier
  /// The report that was looked at.
  let report: Identifier
  let verdict: Verdict
  let measure: Measure
  let policy: Policy
  let author: Identifier
  let note: String
  let createdAt: Instant

  static let columns = "target_kind, target_id, id, report_id, verdict, measure, policy, author_id, note, created_at"

  init(_ row: any Row) {
    target = SubjectID(row[0], row[1])
    id = row[2]
    report = row[3]
    verdict = Verdict(rawValue: row[4])
    measure = Measure(rawValue: row[5])
    policy = Policy(rawValue: row[6])
    author = row[7]
    note = row[8]
    createdAt = row[9]
  }

  init(
    about report: ReportRow, id: Identifier, _ verdict: Verdict, _ measure: Measure, _ policy: Policy,
    by author: Identifier, note: String, at: Instant
  ) {
    target = report.target
    self.id = id
    self.report = report.id
    self.verdict = verdict
    self.measure = measure
    self.policy = policy
    self.author = author
    self.note = note
    createdAt = at
  }

  static func find(_ id: Identifier, in reader: any Reader) throws -> DecisionRow? {
    try reader.first("SELECT \(columns) FROM social_decisions WHERE id = $1", id, make: DecisionRow.init)
  }

  /// What was decided about a report, oldest first: first and last word.
  static func all(about report: ReportRow, in reader: any Reader) throws -> [DecisionRow] {
    guard let first = report.decision else { return [] }
    return try reader.rows(
      """
      SELECT \(columns) FROM social_decisions
      WHERE target_id = $1 AND (id = $2 OR appealed_id = $2) ORDER BY id
      """, report.target.id, first, make: DecisionRow.init)
  }

  /// Whether a row `d` removes something, and nobody has overturned that.
  static let isStandingRemoval = """
    d.measure = 2 AND NOT EXISTS (
      SELECT 1 FROM social_decisions o
      WHERE o.target_id = d.target_id AND o.appealed_id = d.id AND o.verdict = 5)
    """

  /// Whether a thing is removed by what moderators have decided.
  static func isRemoved(_ target: SubjectID, in reader: any Reader) throws -> Bool {
    try reader.exists(
      """
      SELECT 1 FROM social_decisions d WHERE d.target_id = $1 AND d.target_kind = $2 AND \(isStandingRemoval) LIMIT 1
      """, target.id, target.kind)
  }

  /// - Parameter appealed: the decision that this one judges; nil for a first one.
  func insert(appealed: Identifier?, in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO social_decisions
        (target_id, id, target_kind, report_id, verdict, measure, policy, author_id, note, created_at, appealed_id)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
      """, target.id, id, target.kind, report, verdict.rawValue, measure.rawValue, policy.rawValue, author, note,
      createdAt, appealed)
  }
}

extension SocialCore {
  /// - Parameter isStaff: whether author and note are told.
  func message(_ row: DecisionRow, isStaff: Bool, in reader: any Reader) throws -> Decision {
    var decision = Decision()
    decision.id = row.id.text(kind: IDKind.decision)
    decision.verdict = row.verdict
    decision.measure = row.measure
    decision.policy = row.policy
    decision.createTime = Timestamp(row.createdAt)
    if isStaff {
      decision.author = try member(row.author, in: reader)
      decision.note = row.note
    }
    return decision
  }

  /// A report as moderators see it.
  func message(_ row: ReportRow, in reader: any Reader) throws -> Report {
    var report = Report()
    report.id = row.asSubject.text
    report.targetID = row.target.text
    report.owner = try row.owner.map { try member($0, in: reader) }
    report.reporter = try row.reporter.map { try member($0, in: reader) }
    report.policy = row.policy
    report.text = row.text
    report.score = Int32(clamping: row.score)
    report.state = ReportState(rawValue: Int32(row.state.rawValue))
    report.takenBy = try row.takenBy.map { try member($0, in: reader) }
    report.createTime = Timestamp(row.createdAt)
    report.content = try content(of: row.target, in: reader)
    report.decisions = try DecisionRow.all(about: row, in: reader).map {
      try message($0, isStaff: true, in: reader)
    }
    report.appealText = row.appealText
    return report
  }

  /// A report as those see it whom it concerns.
  func caseMessage(_ row: ReportRow, for user: Identifier, in reader: any Reader) throws -> Case {
    var message = Case()
    message.id = row.asSubject.text
    message.targetID = row.target.text
    message.policy = row.policy
    message.state = row.state.isOpen ? .open : ReportState(rawValue: Int32(row.state.rawValue))
    message.createTime = Timestamp(row.createdAt)
    let decisions = try DecisionRow.all(about: row, in: reader)
    message.decisions = try decisions.map { try self.message($0, isStaff: false, in: reader) }
    if let first = decisions.first, mayAppeal(row, by: user) {
      message.appealUntil = Timestamp(first.createdAt + limits.appealWindow)
    }
    if row.appealedBy == user { message.appealText = row.appealText }
    return message
  }

  /// Whether somebody is one who can appeal against how a report stands: the owner of what something was done about, the
  /// reporter of what nothing was.
  func mayAppeal(_ row: ReportRow, by user: Identifier) -> Bool {
    row.state == .actioned ? row.owner == user : row.state == .rejected && row.reporter == user
  }

  /// What a thing says, as its domain puts it, for those who judge it; empty for what has no words.
  private func content(of target: SubjectID, in reader: any Reader) throws -> String {
    guard let words = try kit.subjects[target]?.words(of: target.id, in: reader) else { return "" }
    let scalars = words.unicodeScalars
    return scalars.count <= limits.judgedWords
      ? words : String(String.UnicodeScalarView(scalars.prefix(limits.judgedWords)))
  }
}
