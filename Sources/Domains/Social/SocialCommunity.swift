import Base
import DomainKit
import Storage

/// What users are to each other, for all domains.
struct SocialCommunity: Community {
  func isBlocked(_ a: Identifier, _ b: Identifier, in reader: any Reader) throws -> Bool {
    try reader.exists(
      """
      SELECT 1 FROM social_barriers
      WHERE kind = 1 AND ((user_id = $1 AND other_id = $2) OR (user_id = $2 AND other_id = $1)) LIMIT 1
      """, a, b)
  }

  func hasMuted(_ user: Identifier, _ other: Identifier, in reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM social_barriers WHERE user_id = $1 AND other_id = $2 AND kind = 2", user, other)
  }

  func isFollowing(_ user: Identifier, _ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try reader.exists(
      """
      SELECT 1 FROM social_follows WHERE follower_id = $1 AND target_id = $2 AND target_kind = $3 AND state = 2
      """, user, subject.id, subject.kind)
  }

  func restriction(of user: Identifier, in reader: any Reader) throws -> Instant? {
    try reader.first("SELECT until FROM social_restrictions WHERE user_id = $1", user) { $0[0] }
  }
}
