import Base
import DomainKit
import Storage

/// What is asked of the domains whose things are talked about, page by page.
extension SocialAudit {
  /// Things that are looked up at once.
  private static let pageSize = 256

  /// Things of other domains that something is counted of although they are gone, and nobody removes it.
  func orphans() throws -> InvariantCheck {
    let ours = [IDKind.user, IDKind.comment, IDKind.review, IDKind.link]
    let (checked, found) = try things(in: "social_counters") { subject, _ in
      guard !ours.contains(subject.kind), let kind = subjects[subject] else { return true }
      return try kind.facts(of: subject.id, in: reader) != nil || SocialCore.isRemoving(subject, in: reader)
    }
    return InvariantCheck(
      number: 7, statement: "what was said about a thing that is gone goes with it", rowsChecked: checked,
      violations: found)
  }

  /// Texts that a program has asked moderators to look at although they are gone, and nobody takes out of the queue.
  func emptied() throws -> InvariantCheck {
    let waiting = """
      (SELECT target_kind AS subject_kind, target_id AS subject_id FROM social_reports
       WHERE reporter_id = 0 AND state IN (1, 2)) waiting
      """
    let (checked, found) = try things(in: waiting) { subject, _ in
      guard let kind = subjects[subject] else { return true }
      return try kind.facts(of: subject.id, in: reader) != nil || SocialCore.isRemoving(subject, in: reader)
        || SocialCore.isDismissing(subject, in: reader)
    }
    return InvariantCheck(
      number: 11, statement: "what a program asks moderators to look at is there to be looked at", rowsChecked: checked,
      violations: found)
  }

  /// Things of whose comments or reviews it is said wrongly whether everybody may see them, and nobody looks again.
  func openness() throws -> InvariantCheck {
    var (checked, found): (Int, [String]) = (0, [])
    for table in ["social_comments", "social_reviews"] {
      let (count, wrong) = try things(in: table, columns: "MIN(is_open), MAX(is_open)") { subject, said in
        let isOpen = try subjects.isVisible(subject, to: nil, in: reader)
        return try said == (isOpen, isOpen) || isChanging(subject)
      }
      (checked, found) = (checked + count, found + wrong)
    }
    return InvariantCheck(
      number: 7, statement: "what was said about a thing is found by all if and only if all may see the thing",
      rowsChecked: checked, violations: found)
  }

  /// Whether what hangs on a thing is about to follow it: the thing itself, or what it lies under, has changed.
  private func isChanging(_ subject: SubjectID) throws -> Bool {
    try subjects.chain(of: subject, in: reader).contains {
      try SocialCore.isToFollow($0, in: reader) || SocialCore.isRemoving($0, in: reader)
    }
  }

  /// Looks at all things that rows of a table are about.
  /// - Parameter columns: two that say something of a thing's rows.
  /// - Returns: how many there are, and those that are not right.
  private func things(
    in table: String, columns: String = "0, 0", areRight: (SubjectID, (Bool, Bool)) throws -> Bool
  ) throws -> (Int, [String]) {
    var (checked, found): (Int, [String]) = (0, [])
    var last = Identifier(rawValue: .min)
    while found.count < InvariantCheck.shownLimit {
      let page: [(subject: SubjectID, said: (Bool, Bool))] = try reader.rows(
        """
        SELECT subject_kind, subject_id, \(columns) FROM \(table) WHERE subject_id > $1
        GROUP BY subject_id, subject_kind ORDER BY subject_id LIMIT $2
        """, last, Self.pageSize
      ) { (SubjectID($0[0], $0[1]), ($0[2], $0[3])) }
      guard let end = page.last else { break }
      last = end.subject.id
      checked += page.count
      for (subject, said) in page where try !areRight(subject, said) { found.append(subject.text) }
    }
    return (checked, found)
  }
}
