import Base
import DomainKit
import OctetTypes
import ProtobufRuntime
import SocialAPI
import Storage
import WellKnownTypes

/// What the social domain keeps about people.
struct SocialRecords: PersonalRecords {
  let core: SocialCore
  let name = SocialDomain.name

  /// Whose rows go first, and one kind after the other: each step of a transaction's size, until nothing is left of it.
  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    for part in [eraseFollows] where try part(user, writer) { return true }
    for table in ["social_barriers", "social_restrictions", "social_quotas"] {
      try writer.execute("DELETE FROM \(table) WHERE user_id = $1", user)
    }
    try writer.execute("DELETE FROM social_barriers WHERE other_id = $1", user)
    return false
  }

  private func eraseFollows(_ user: Identifier, _ writer: any Writer) throws -> Bool {
    let rows = try writer.rows(
      """
      SELECT \(FollowRow.columns) FROM social_follows
      WHERE follower_id = $1 OR (target_id = $1 AND target_kind = 'user') LIMIT $2
      """, user, core.limits.erasedAtOnce, make: FollowRow.init)
    for row in rows { try core.unfollow(row.target, by: row.follower, in: writer) }
    return !rows.isEmpty
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let pool = try DescriptorPool(serializedFileDescriptorSets: [
      WellKnownTypesDescriptors.serializedFileDescriptorSet, OctetTypesDescriptors.serializedFileDescriptorSet,
      SocialAPIDescriptors.serializedFileDescriptorSet,
    ])
    let codec = JSONCodec(pool)
    func write<Content: Message>(_ kind: String, _ message: Content) throws {
      try record(
        kind, String(decoding: try codec.json(fromWire: message.encoded(), type: Content.fullName), as: UTF8.self))
    }
    for row in try reader.rows(
      "SELECT \(FollowRow.columns) FROM social_follows WHERE follower_id = $1 ORDER BY id", user, make: FollowRow.init)
    { try write("Follow", Follow(row)) }
    for (barrier, kind) in [(Barrier.block, "Block"), (.mute, "Mute")] {
      let others: [(Identifier, Instant)] = try reader.rows(
        "SELECT other_id, created_at FROM social_barriers WHERE user_id = $1 AND kind = $2 ORDER BY id", user,
        barrier.rawValue
      ) { ($0[0], $0[1]) }
      for (other, at) in others {
        var relation = Relation()
        relation.member = Member(id: other)
        relation.createTime = Timestamp(at)
        try write(kind, relation)
      }
    }
  }
}
