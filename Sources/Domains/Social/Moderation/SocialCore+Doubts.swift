import Base
import DomainKit
import SocialAPI
import Storage

/// What a program asks people to look at.
extension SocialCore {
  /// Has people look at a text that a program does not like.
  func queue(_ target: SubjectID, of owner: Identifier, _ score: ToxicityScore, in writer: any Writer) throws {
    guard score.verdict != .harmless else { return }
    let row = ReportRow(
      on: target, id: kit.identifiers.next(), by: nil, owner: owner, .toxicity, text: "", score: Int64(score.value),
      at: now)
    if try row.insert(in: writer) { return try publish(row, in: writer) }
    // It waits already, for an earlier version of the text: the worse one counts.
    try writer.execute(
      """
      UPDATE social_reports SET rank = $2 WHERE target_id = $1 AND reporter_id = 0 AND state IN (1, 2) AND rank > $2
      """, target.id, -row.score)
  }

  private static let emptiedKind = "social.emptied"
  private var emptiedTimer: GoneTimer { GoneTimer(Self.emptiedKind, timers: timers, clock: kit.clock) }

  /// To be called in the transaction that takes a thing's text from it for good: right after it nobody need look at the text any
  /// more. Not in it, as that may hold what comes after the thing's turn.
  func emptied(_ target: SubjectID, in writer: any Writer) throws {
    if try doubt(about: target, in: writer) != nil { try emptiedTimer.begin(with: target, in: writer) }
  }

  /// Whether what a program has asked about a thing is being taken out of the queue.
  static func isDismissing(_ target: SubjectID, in reader: any Reader) throws -> Bool {
    try GoneTimer.isUnderWay(emptiedKind, with: target, in: reader)
  }

  func handleEmptied() {
    emptiedTimer.handle(dismissDoubt)
  }

  /// Takes what a program has asked out of the queue, as there is nothing to look at any more. Nobody has decided anything. It
  /// takes the thing's turn.
  /// - Returns: whether there was something.
  func dismissDoubt(about target: SubjectID, in writer: any Writer) throws -> Bool {
    guard try doubt(about: target, in: writer) != nil else { return false }
    try takeTurn(Turn(about: target), in: writer)
    // It may have been decided meanwhile.
    guard var row = try doubt(about: target, in: writer) else { return false }
    row.state = .rejected
    row.takenBy = nil
    try row.update(in: writer)
    try timers.cancel(triageTimer, key: String(row.id.rawValue), in: writer)
    try publish(row, in: writer)
    return true
  }

  private func doubt(about target: SubjectID, in reader: any Reader) throws -> ReportRow? {
    try reader.first(
      """
      SELECT \(ReportRow.columns) FROM social_reports
      WHERE target_id = $1 AND target_kind = $2 AND reporter_id = 0 AND state IN (1, 2)
      """, target.id, target.kind, make: ReportRow.init)
  }
}

/// The queue of moderators, as other domains put texts into it.
struct ScoredTexts: ReviewQueue {
  let core: SocialCore

  func review(_ subject: SubjectID, by author: Identifier, _ score: ToxicityScore, in writer: any Writer) throws {
    try core.queue(subject, of: author, score, in: writer)
  }

  func withdraw(_ subject: SubjectID, in writer: any Writer) throws {
    try core.emptied(subject, in: writer)
  }
}
