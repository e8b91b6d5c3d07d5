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

  func unheard(
    by user: Identifier, among others: Set<Identifier>, in reader: any Reader
  ) throws -> Set<Identifier> {
    var unheard: Set<Identifier> = []
    for piece in Array(others).filledPieces(of: Self.askedAtOnce) {
      unheard.formUnion(
        try reader.rows(
          Self.unheardAmong, [user.sqlValue] + piece.map(\.sqlValue)
        ) { $0[0] })
    }
    return unheard
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

  func isRemoved(_ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try DecisionRow.isRemoved(subject, in: reader)
  }
}

/// What people have said of things, for all domains.
extension SocialCommunity: CommunityReads {
  /// People of one statement: those who speak at the same time in a room, mostly.
  private static let askedAtOnce = 16
  private static let unheardAmong: String = {
    let among = placeholders(from: 2, count: askedAtOnce)
    return """
      SELECT other_id FROM social_barriers WHERE user_id = $1 AND other_id IN \(among)
      UNION SELECT user_id FROM social_barriers WHERE other_id = $1 AND kind = 1 AND user_id IN \(among)
      """
  }()

  func counts(of subjects: [SubjectID], in reader: any Reader) throws -> [SubjectID: SubjectCounts] {
    var counts: [SubjectID: SubjectCounts] = [:]
    for (subject, counters) in try SocialCore.counters(of: subjects, in: reader) {
      for (counter, value) in counters { counts[subject, default: SubjectCounts()].set(counter, value) }
    }
    return counts
  }

  func followed(
    by user: Identifier, kind: String, after: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [Identifier] {
    try reader.rows(
      """
      SELECT target_id FROM social_follows
      WHERE follower_id = $1 AND target_kind = $2 AND target_id > $3 AND state = 2 ORDER BY target_id LIMIT $4
      """, user, kind, after ?? Identifier(rawValue: .min), limit
    ) { $0[0] }
  }

  func reactions(of user: Identifier, to subject: SubjectID, in reader: any Reader) throws -> [ReactionMade] {
    try reader.rows(
      """
      SELECT \(ReactionRow.columns) FROM social_reactions
      WHERE user_id = $1 AND subject_id = $2 AND subject_kind = $3 ORDER BY kind
      """, user, subject.id, subject.kind
    ) { ReactionMade(ReactionRow($0)) }
  }

  func reactions(
    of user: Identifier, _ sort: ReactionSort, on kind: String, before: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [ReactionMade] {
    try reader.rows(
      """
      SELECT \(ReactionRow.columns) FROM social_reactions
      WHERE user_id = $1 AND kind = $2 AND subject_kind = $3 AND id < $4 ORDER BY id DESC LIMIT $5
      """, user, sort.rawValue, kind, before ?? Identifier(rawValue: .max), limit
    ) { ReactionMade(ReactionRow($0)) }
  }

  func reactionsOfFollowed(
    by user: Identifier, _ sort: ReactionSort, on kind: String, since: Instant, limit: Int, in reader: any Reader
  ) throws -> [ReactionMade] {
    try reader.rows(
      """
      SELECT r.user_id, r.subject_kind, r.subject_id, r.kind, r.emoji, r.id, r.created_at
      FROM social_follows f JOIN social_reactions r ON r.user_id = f.target_id
      WHERE f.follower_id = $1 AND f.state = 2 AND f.target_kind = 'user' AND r.kind = $2 AND r.subject_kind = $3
        AND r.id >= $4 ORDER BY r.id DESC LIMIT $5
      """, user, sort.rawValue, kind, Identifier.first(at: since), limit
    ) { ReactionMade(ReactionRow($0)) }
  }
}

extension SubjectCounts {
  fileprivate mutating func set(_ counter: String, _ value: Int64) {
    switch counter {
    case Counter.likes.name: likes = value
    case Counter.saves.name: saves = value
    case Counter.comments.name: comments = value
    case Counter.shares.name: shares = value
    case Counter.followers.name: followers = value
    case Counter.following.name: following = value
    case Counter.reviews.name: reviews = value
    case Counter.scores.name: scoreSum = value
    default:
      let prefix = Counter.emoji("").name
      if counter.hasPrefix(prefix) { emojis[String(counter.dropFirst(prefix.count))] = value }
    }
  }
}
