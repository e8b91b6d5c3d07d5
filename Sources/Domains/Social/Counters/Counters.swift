import Base
import DomainKit
import Storage

/// Something about a subject that is counted. The value is in one transaction with the rows that it counts, so it is theirs
/// at any moment.
enum Counter: Sendable, Hashable {
  /// Those who follow it.
  case followers
  /// What it follows itself, if it is a user.
  case following
  /// Those who like it.
  case likes
  /// Those who gave it this emoji.
  case emoji(String)
  /// Those who keep it.
  case saves
  /// Visible comments on it and replies to them.
  case comments
  /// Visible replies to it, if it is a comment.
  case replies
  /// Links to it that lead there.
  case shares
  /// Those who have followed it, if it is a link.
  case uses
  /// Visible reviews of it.
  case reviews
  /// The sum of their scores.
  case scores

  var name: String {
    switch self {
    case .followers: "followers"
    case .following: "following"
    case .likes: "likes"
    case .emoji(let emoji): "emoji:" + emoji
    case .saves: "saves"
    case .comments: "comments"
    case .replies: "replies"
    case .shares: "shares"
    case .uses: "uses"
    case .reviews: "reviews"
    case .scores: "scores"
    }
  }
}

extension SocialCore {
  /// Adds to a counter.
  ///
  /// Each node has a part of the counter of its own, so that nodes do not wait for each other; of a node, many transactions
  /// share a commit anyway, and one row is then better than several, which two commits would take in different orders.
  func count(
    _ counter: Counter, of subject: SubjectID, by difference: Int64, in writer: any Writer
  ) throws {
    let part = Int64(kit.others?.node ?? 0) % limits.counterParts
    try writer.execute(
      """
      INSERT INTO social_counters (subject_id, counter, part, subject_kind, value) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (subject_id, counter, part) DO UPDATE SET value = social_counters.value + excluded.value
      """, subject.id, counter.name, part, subject.kind, difference)
    // Any text can be an emoji's: one that nobody gives any more leaves nothing.
    if case .emoji = counter, difference < 0 {
      try writer.execute(
        "DELETE FROM social_counters WHERE subject_id = $1 AND counter = $2 AND part = $3 AND value = 0", subject.id,
        counter.name, part)
    }
    writer.afterCommit { [board] in board.changed(subject) }
  }

  /// All counters of a subject by name.
  func counters(of subject: SubjectID, in reader: any Reader) throws -> [String: Int64] {
    let rows: [(String, Int64)] = try reader.rows(
      """
      SELECT counter, CAST(SUM(value) AS BIGINT) FROM social_counters WHERE subject_id = $1 AND subject_kind = $2
      GROUP BY counter HAVING SUM(value) <> 0
      """, subject.id, subject.kind
    ) { ($0[0], $0[1]) }
    return Dictionary(uniqueKeysWithValues: rows)
  }

  /// Things of one statement: those of a page, mostly.
  private static let countedAtOnce = 64

  /// The counters of some subjects by name; also of those of which nothing is counted.
  static func counters(of subjects: [SubjectID], in reader: any Reader) throws -> [SubjectID: [String: Int64]] {
    var counters: [SubjectID: [String: Int64]] = [:]
    for subject in subjects { counters[subject] = [:] }
    for piece in subjects.filledPieces(of: countedAtOnce) {
      let rows: [(subject: SubjectID, counter: String, value: Int64)] = try reader.rows(
        """
        SELECT subject_kind, subject_id, counter, CAST(SUM(value) AS BIGINT) FROM social_counters
        WHERE subject_id IN \(placeholders(from: 1, count: countedAtOnce))
        GROUP BY subject_kind, subject_id, counter HAVING SUM(value) <> 0
        """, piece.map(\.id.sqlValue)
      ) { (SubjectID($0[0], $0[1]), $0[2], $0[3]) }
      for row in rows { counters[row.subject]?[row.counter] = row.value }
    }
    return counters
  }
}
