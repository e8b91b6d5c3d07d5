import Base
import DomainKit
import Storage

/// The timer that looks anew at who may see what hangs on a thing, by the thing's printed id.
private let opennessTimer = "social.openness"

/// Hits are judged one by one when they are shown. What the index counts beside them, it must not count of things that
/// not everybody may see: so the rows of comments and reviews say whether everybody may see their thing, and follow it in
/// small transactions.
extension SocialCore {
  /// The longest that a transaction takes which has begun to write when the thing could still be seen.
  private static let secondLook = Duration.seconds(60)
  private static let second = "second"

  /// Whether everybody may see a thing.
  func isOpen(_ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try kit.subjects.isVisible(subject, to: nil, in: reader)
  }

  /// To be called in the transaction that changes who may see a thing.
  func lookAgain(at subject: SubjectID, in writer: any Writer) throws {
    try timers.set(opennessTimer, key: subject.text, due: now, in: writer)
  }

  /// Whether what hangs on a thing is about to follow it.
  static func isToFollow(_ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM octet_timers WHERE kind = $1 AND key IN ($2, $3)", opennessTimer, subject.text,
      "\(subject.text)/\(second)")
  }

  func handleOpenness() {
    timers.handle(opennessTimer) { [self] writer, timer in
      let words = timer.key.split(separator: "/")
      guard let subject = words.first.flatMap({ SubjectID(parsing: String($0)) }) else { return }
      if try follow(subject, in: writer) {
        try timers.set(opennessTimer, key: timer.key, due: now, in: writer)
      } else if words.count == 1 {
        // What was written meanwhile, by what could be seen before.
        try timers.set(
          opennessTimer, key: "\(subject.text)/\(Self.second)", due: now + Self.secondLook, in: writer)
      }
    }
  }

  /// Makes some of what hangs on a thing follow it.
  /// - Returns: whether there may be more.
  private func follow(_ subject: SubjectID, in writer: any Writer) throws -> Bool {
    let open = try isOpen(subject, in: writer)
    var changed = 0
    for (table, kind) in [("social_comments", IDKind.comment), ("social_reviews", IDKind.review)] {
      let ids: [Identifier] = try writer.rows(
        """
        SELECT id FROM \(table) WHERE subject_id = $1 AND subject_kind = $2 AND is_open = $3 ORDER BY id LIMIT $4\
        \(writer.dialect.forUpdate)
        """, subject.id, subject.kind, !open, limits.openedAtOnce
      ) { $0[0] }
      for id in ids {
        try writer.execute(
          "UPDATE \(table) SET is_open = $3 WHERE subject_id = $1 AND id = $2", subject.id, id, open)
        let said = SubjectID(kind, id)
        try kit.findables.update(said, in: writer)
        // A review is answered by a comment.
        if kind == IDKind.review { try lookAgain(at: said, in: writer) }
      }
      changed += ids.count
    }
    return changed > 0
  }
}
