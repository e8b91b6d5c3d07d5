import Base
import DomainKit
import SocialAPI
import Storage
import WellKnownTypes

/// A row of `social_follows`.
struct FollowRow: Sendable {
  /// As in octet.social.v1.FollowState.
  enum State: Int64, Sendable {
    case requested = 1
    case following = 2
  }

  let follower: Identifier
  let target: SubjectID
  let id: Identifier
  let state: State
  let createdAt: Instant

  static let columns = "follower_id, target_kind, target_id, id, state, created_at"

  init(_ row: any Row) {
    follower = row[0]
    target = SubjectID(row[1], row[2])
    id = row[3]
    state = State(rawValue: row[4]) ?? .requested
    createdAt = row[5]
  }

  init(follower: Identifier, target: SubjectID, id: Identifier, state: State, createdAt: Instant) {
    self.follower = follower
    self.target = target
    self.id = id
    self.state = state
    self.createdAt = createdAt
  }

  /// What a user has asked for or follows, held by this transaction.
  static func held(_ follower: Identifier, _ target: SubjectID, in writer: any Writer) throws -> FollowRow? {
    try writer.firstForUpdate(
      "SELECT \(columns) FROM social_follows WHERE follower_id = $1 AND target_id = $2 AND target_kind = $3",
      follower, target.id, target.kind, make: FollowRow.init)
  }
}

extension Follow {
  init(_ row: FollowRow) {
    self.init()
    targetID = row.target.text
    state = row.state == .following ? .following : .requested
    createTime = Timestamp(row.createdAt)
  }
}
