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

  var name: String {
    switch self {
    case .followers: "followers"
    case .following: "following"
    }
  }
}

extension SocialCore {
  /// Adds to a counter.
  /// - Parameter actor: who did it: each user's counts lie in one part of the counter.
  func count(
    _ counter: Counter, of subject: SubjectID, by difference: Int64, actor: Identifier, in writer: any Writer
  ) throws {
    try writer.execute(
      """
      INSERT INTO social_counters (subject_id, counter, part, subject_kind, value) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (subject_id, counter, part) DO UPDATE SET value = social_counters.value + excluded.value
      """, subject.id, counter.name, Int64(actor.mixed() % UInt64(limits.counterParts)), subject.kind, difference)
  }

  /// All counters of a subject by name.
  func counters(of subject: SubjectID, in reader: any Reader) throws -> [String: Int64] {
    let rows: [(String, Int64)] = try reader.rows(
      """
      SELECT counter, CAST(SUM(value) AS BIGINT) FROM social_counters WHERE subject_id = $1 AND subject_kind = $2
      GROUP BY counter
      """, subject.id, subject.kind
    ) { ($0[0], $0[1]) }
    return Dictionary(uniqueKeysWithValues: rows)
  }
}
