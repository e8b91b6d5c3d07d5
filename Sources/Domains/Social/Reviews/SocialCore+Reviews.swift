import Base
import DomainKit
import Storage

/// The timer that shows a review which has waited long enough for the other side, by its number.
private let unblindTimer = "social.unblind"

extension SocialCore {
  /// Reviews a thing.
  /// - Throws: `KitError.notFound`, `.wrongState`; `SocialError`.
  func submit(
    _ opinion: ReviewOpinion, _ score: ToxicityScore, of subject: SubjectID, over key: SubjectID, by caller: Caller,
    in writer: any Writer
  ) throws -> ReviewRow {
    // Of two sides that write at once, the second sees the first.
    try takeTurn(Turn(about: key), in: writer)
    let (kind, _) = try kit.subjects.visible(subject, to: caller, in: writer)
    let rule: ReviewRule
    switch try kind.reviewing(subject.id, by: caller.user, over: key, in: writer) {
    case .eligible(let found): rule = found
    case .notEligible: throw SocialError.notEligible
    case .over: throw SocialError.windowClosed
    }
    guard now <= rule.until else { throw SocialError.windowClosed }
    try opinion.check(rule.scale, rule.aspects)
    var row = ReviewRow(
      of: subject, id: kit.identifiers.next(), over: key, by: caller.user, rule, opinion, at: now)
    let known = try row.overTheSame(in: writer)
    let mine = known.filter { $0.isOf(row.author, about: subject) }
    guard mine.allSatisfy({ $0.state == .deleted }) else { throw SocialError.reviewExists }
    // Otherwise its author could take away what moderators have removed, and say the same again.
    for old in mine where try DecisionRow.isRemoved(old.asSubject, in: writer) { throw KitError.wrongState("REMOVED") }
    if let first = mine.first {
      // What was taken back is written anew as it would be changed: no longer than that, and not by whoever may have read
      // what the other side says. What was not blind to the end may have been read, whatever became of it.
      let mayHaveRead = known.contains { $0.author != row.author && $0.state != .blind }
      guard now < first.editableUntil, !mayHaveRead else { throw SocialError.windowClosed }
      row.editableUntil = first.editableUntil
    }
    guard try row.insert(isOpen: isOpen(subject, in: writer), in: writer) else { throw SocialError.reviewExists }
    let others = row.otherSide(among: known)
    if score.verdict != .refused {
      try change(&row, to: isBlind(row, others: others) ? .blind : .visible, in: writer)
    }
    if let until = row.blindUntil, now < until {
      try timers.set(unblindTimer, key: String(row.id.rawValue), due: until, in: writer)
    }
    for var other in others where other.state == .blind { try change(&other, to: .visible, in: writer) }
    try queue(row.asSubject, of: caller.user, score, in: writer)
    return row
  }

  /// Whether a review still waits for the other side.
  private func isBlind(_ row: ReviewRow, others: [ReviewRow]) -> Bool {
    guard let until = row.blindUntil else { return false }
    return now < until && others.isEmpty
  }

  /// Changes the caller's own review.
  /// - Throws: `KitError.notFound`, `.etagMismatch`, `.wrongState`; `SocialError`.
  func update(
    _ id: Identifier, _ opinion: ReviewOpinion, _ score: ToxicityScore, etag: String, by caller: Caller,
    in writer: any Writer
  ) throws -> ReviewRow {
    try takeTurn(Turn(about: SubjectID(IDKind.review, id)), in: writer)
    guard var row = try ReviewRow.held(id, in: writer), row.author == caller.user, row.state != .deleted,
      try kit.subjects.isVisible(row.subject, to: caller, in: writer)
    else { throw KitError.notFound("review") }
    guard row.state != .removed else { throw KitError.wrongState("REMOVED") }
    guard etag == String(row.version) else { throw KitError.etagMismatch }
    guard now < row.editableUntil else { throw SocialError.windowClosed }
    try opinion.check(row.scale, row.aspectNames)
    let before = row
    row.opinion = opinion
    row.version += 1
    row.editedAt = now
    if row.state == .visible, opinion.score != before.opinion.score {
      try count(.scores, of: row.subject, by: Int64(opinion.score - before.opinion.score), in: writer)
      try tell(of: before, isTakenBack: true, in: writer)
      try tell(of: row, isTakenBack: false, in: writer)
    }
    try change(&row, to: score.verdict == .refused ? .held : row.state, in: writer)
    try queue(row.asSubject, of: caller.user, score, in: writer)
    return row
  }

  /// Takes a review away, with its answer. Its row is held.
  func bury(_ row: inout ReviewRow, in writer: any Writer) throws {
    try timers.cancel(unblindTimer, key: String(row.id.rawValue), in: writer)
    let score = row.opinion.score
    row.opinion = ReviewOpinion(score: score, aspects: [], text: "")
    try change(&row, to: .deleted, in: writer)
    try emptied(row.asSubject, in: writer)
    // Held: it may have been edited or removed since it was found.
    if let known = try reply(to: row, in: writer), var reply = try CommentRow.held(known.id, in: writer),
      reply.state != .deleted
    {
      try bury(&reply, in: writer)
    }
  }

  /// Removes a review's row, which is held.
  func forget(_ row: ReviewRow, in writer: any Writer) throws {
    try timers.cancel(unblindTimer, key: String(row.id.rawValue), in: writer)
    try writer.execute("DELETE FROM social_reviews WHERE subject_id = $1 AND id = $2", row.subject.id, row.id)
  }

  /// Changes how a review stands; its row is held. The sums follow.
  func change(_ row: inout ReviewRow, to state: ReviewRow.State, in writer: any Writer) throws {
    let wasVisible = row.state == .visible
    row.state = state
    try row.update(in: writer)
    try kit.findables.update(row.asSubject, in: writer)
    let isVisible = state == .visible
    guard wasVisible != isVisible else { return }
    // Its answer is seen with it.
    try lookAgain(at: row.asSubject, in: writer)
    let sign: Int64 = isVisible ? 1 : -1
    try count(.reviews, of: row.subject, by: sign, in: writer)
    try count(.scores, of: row.subject, by: sign * Int64(row.opinion.score), in: writer)
    try tell(of: row, isTakenBack: !isVisible, in: writer)
    guard isVisible, let owner = try kit.subjects[row.subject]?.facts(of: row.subject.id, in: writer)?.owner else {
      return
    }
    try tell(owner, .reviewed(row.asSubject), by: row.author, in: writer)
  }

  /// Tells the thing's domain of a review that can be seen, or can be no more.
  private func tell(of row: ReviewRow, isTakenBack: Bool, in writer: any Writer) throws {
    try kit.subjects.happened(
      SubjectDeed(.review(row.id, score: row.opinion.score), by: row.author, isTakenBack: isTakenBack),
      to: row.subject, in: writer)
  }

  /// Shows a review that was held back or removed, unless it waits for the other side.
  func restore(_ row: inout ReviewRow, in writer: any Writer) throws {
    let others = try row.otherSide(among: row.overTheSame(in: writer))
    try change(&row, to: isBlind(row, others: others) ? .blind : .visible, in: writer)
  }

  /// What the owner of the thing answers, in any state but deleted.
  func reply(to row: ReviewRow, in reader: any Reader) throws -> CommentRow? {
    try reader.first(
      """
      SELECT \(CommentRow.columns) FROM social_comments
      WHERE subject_id = $1 AND parent_id = 0 AND subject_kind = $2 AND state <> 4 ORDER BY id LIMIT 1
      """, row.id, IDKind.review, make: CommentRow.init)
  }

  /// Shows what has waited long enough.
  func handleUnblinding() {
    timers.handle(unblindTimer) { [self] writer, timer in
      guard let number = Int64(timer.key), var row = try ReviewRow.held(Identifier(rawValue: number), in: writer),
        row.state == .blind
      else { return }
      try change(&row, to: .visible, in: writer)
    }
  }
}

/// Reviews as things that are answered, liked and reported. Whoever may see the thing sees a visible one.
struct ReviewSubject: SubjectKind {
  let core: SocialCore

  var prefix: String { IDKind.review }

  var traits: SubjectTraits {
    var traits = SubjectTraits()
    traits.reactions = [.like]
    return traits
  }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    guard let row = try ReviewRow.find(id, in: reader), row.state != .deleted else { return nil }
    return SubjectFacts(owner: row.author, parent: row.subject)
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    let row = try ReviewRow.find(id, in: reader)
    let mayBeSeen = try core.kit.subjects.isVisible(beneath: row?.subject, to: caller, in: reader)
    guard let row else { return false }
    return mayBeSeen && (row.state == .visible || (row.state != .deleted && caller?.user == row.author))
  }

  /// The owner of the thing answers once; who has answered can change the answer.
  func posting(on id: Identifier, by caller: Caller, in reader: any Reader) throws -> Posting {
    guard let row = try ReviewRow.find(id, in: reader),
      let facts = try core.kit.subjects[row.subject]?.facts(of: row.subject.id, in: reader), facts.owner == caller.user,
      try core.reply(to: row, in: reader) == nil
    else { return .refused }
    return .allowed
  }

  func words(of id: Identifier, in reader: any Reader) throws -> String? {
    try ReviewRow.find(id, in: reader)?.opinion.text
  }

  func moderate(_ id: Identifier, _ measure: ModerationMeasure, in writer: any Writer) throws -> Bool {
    guard var row = try ReviewRow.held(id, in: writer) else { return true }
    switch (measure, row.state) {
    case (.remove, .visible), (.remove, .held), (.remove, .blind): try core.change(&row, to: .removed, in: writer)
    case (.restore, .removed), (.restore, .held): try core.restore(&row, in: writer)
    default: break
    }
    return true
  }
}
