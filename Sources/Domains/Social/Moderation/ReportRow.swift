import Base
import DomainKit
import SocialAPI
import Storage

/// A row of `social_reports`.
struct ReportRow: Sendable {
  /// As in octet.social.v1.ReportState.
  enum State: Int64, Sendable {
    case open = 1
    case triaged = 2
    case actioned = 3
    case rejected = 4
    case appealed = 5
    case upheld = 6
    case overturned = 7

    /// Whether a moderator may decide it still.
    var isOpen: Bool { self == .open || self == .triaged }
  }

  let target: SubjectID
  let id: Identifier
  /// Nil for a program.
  let reporter: Identifier?
  let owner: Identifier?
  let policy: Policy
  let text: String
  let score: Int64
  var state: State
  var takenBy: Identifier?
  /// The first decision about it, which it may share with other reports on the same thing.
  var decision: Identifier?
  var appealText: String
  var appealedBy: Identifier?
  let createdAt: Instant

  static let columns = """
    target_kind, target_id, id, reporter_id, owner_id, policy, text, -rank, state, taken_by, decision_id, appeal_text,
    appealed_by, created_at
    """

  init(_ row: any Row) {
    target = SubjectID(row[0], row[1])
    id = row[2]
    let reporter: Identifier = row[3]
    self.reporter = reporter.rawValue == 0 ? nil : reporter
    owner = row[4]
    policy = Policy(rawValue: row[5])
    text = row[6]
    score = row[7]
    guard let state = State(rawValue: row[8]) else { preconditionFailure("social_reports holds a strange state") }
    self.state = state
    takenBy = row[9]
    decision = row[10]
    appealText = row[11]
    appealedBy = row[12]
    createdAt = row[13]
  }

  init(
    on target: SubjectID, id: Identifier, by reporter: Identifier?, owner: Identifier?, _ policy: Policy, text: String,
    score: Int64 = 0, state: State = .open, at: Instant
  ) {
    self.target = target
    self.id = id
    self.reporter = reporter
    self.owner = owner
    self.policy = policy
    self.text = text
    self.score = score
    self.state = state
    appealText = ""
    createdAt = at
  }

  /// As notices name it.
  var asSubject: SubjectID { SubjectID(IDKind.report, id) }

  /// Which of the reports `r` the owner $1 sees: those by which something was done. Of several that one decision has settled,
  /// that is the one that was looked at.
  static let isAboutOwner = """
    owner_id = $1 AND EXISTS (
      SELECT 1 FROM social_decisions d WHERE d.target_id = r.target_id AND d.report_id = r.id AND d.measure > 0)
    """

  static func find(_ id: Identifier, in reader: any Reader) throws -> ReportRow? {
    try reader.first("SELECT \(columns) FROM social_reports WHERE id = $1", id, make: ReportRow.init)
  }

  /// Writes a new one.
  /// - Returns: whether the reporter had no open one on the thing.
  func insert(in writer: any Writer) throws -> Bool {
    try writer.execute(
      """
      INSERT INTO social_reports
        (target_id, id, target_kind, reporter_id, owner_id, policy, text, rank, state, appeal_text, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10)
      ON CONFLICT (target_id, reporter_id) WHERE state IN (1, 2) DO NOTHING
      """, target.id, id, target.kind, reporter?.rawValue ?? 0, owner, policy.rawValue, text, -score, state.rawValue,
      createdAt) == 1
  }

  /// Writes how it stands, and no words: those may have been erased since they were read.
  func update(in writer: any Writer) throws {
    try writer.execute(
      "UPDATE social_reports SET state = $3, taken_by = $4, decision_id = $5 WHERE target_id = $1 AND id = $2",
      target.id, id, state.rawValue, takenBy, decision)
  }
}
