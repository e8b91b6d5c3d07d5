import Base
import DomainKit
import Storage

extension SocialCore {
  /// Makes a user follow something, or ask to.
  /// - Throws: `KitError.notFound`, `.selfTarget`, `.dayLimitExceeded`.
  func follow(_ target: SubjectID, by caller: Caller, in writer: any Writer) throws -> FollowRow {
    guard target != SubjectID(IDKind.user, caller.user) else {
      throw KitError.selfTarget(field: "target_id")
    }
    // Before anybody asks for blocks: one that is being made is waited for.
    if target.kind == IDKind.user { try takeTurn(Turn(between: caller.user, target.id), in: writer) }
    let isOnRequest = try kit.subjects.following(target, by: caller, in: writer).isOnRequest
    if let known = try FollowRow.held(caller.user, target, in: writer) {
      if known.state == .following || isOnRequest { return known }
      try writer.execute(
        "UPDATE social_follows SET state = $3 WHERE follower_id = $1 AND target_id = $2", caller.user, target.id,
        FollowRow.State.following.rawValue)
      try countFollow(target, by: caller.user, 1, in: writer)
      return FollowRow(
        follower: caller.user, target: target, id: known.id, state: .following, createdAt: known.createdAt)
    }
    try take("follows", of: caller.user, limit: limits.followsPerDay, in: writer)
    let row = FollowRow(
      follower: caller.user, target: target, id: kit.identifiers.next(), state: isOnRequest ? .requested : .following,
      createdAt: now)
    let isMade = try writer.execute(
      """
      INSERT INTO social_follows (follower_id, target_id, target_kind, id, state, created_at)
      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (follower_id, target_id) DO NOTHING
      """, row.follower, target.id, target.kind, row.id, row.state.rawValue, row.createdAt)
    // The same user has begun to follow it by another request.
    guard isMade == 1 else { throw RetryTransaction() }
    if row.state == .following { try countFollow(target, by: caller.user, 1, in: writer) }
    if target.kind == IDKind.user {
      try tell(target.id, row.state == .following ? .followed : .followRequested, by: caller.user, in: writer)
    }
    return row
  }

  /// Ends a follow or a request; nothing if there is none.
  func unfollow(_ target: SubjectID, by user: Identifier, in writer: any Writer) throws {
    let state: Int64? = try writer.first(
      "DELETE FROM social_follows WHERE follower_id = $1 AND target_id = $2 AND target_kind = $3 RETURNING state",
      user, target.id, target.kind
    ) { $0[0] }
    guard state == FollowRow.State.following.rawValue else { return }
    try countFollow(target, by: user, -1, in: writer)
    // What is for followers alone is not for this one any more.
    try kit.sights.changed(for: user, in: writer)
  }

  /// Answers a request to follow a user.
  /// - Throws: `KitError.notFound` if there is none.
  func respond(to follower: Identifier, of user: Identifier, accept: Bool, in writer: any Writer) throws {
    let (target, requested) = (SubjectID(IDKind.user, user), FollowRow.State.requested.rawValue)
    let answered =
      accept
      ? try writer.execute(
        """
        UPDATE social_follows SET state = $4
        WHERE follower_id = $1 AND target_id = $2 AND target_kind = 'user' AND state = $3
        """, follower, user, requested, FollowRow.State.following.rawValue)
      : try writer.execute(
        "DELETE FROM social_follows WHERE follower_id = $1 AND target_id = $2 AND target_kind = 'user' AND state = $3",
        follower, user, requested)
    guard answered == 1 else { throw KitError.notFound("request") }
    guard accept else { return }
    try countFollow(target, by: follower, 1, in: writer)
    try tell(follower, .followAccepted, by: user, in: writer)
  }

  private func countFollow(
    _ target: SubjectID, by user: Identifier, _ difference: Int64, in writer: any Writer
  ) throws {
    try count(.followers, of: target, by: difference, in: writer)
    try count(.following, of: SubjectID(IDKind.user, user), by: difference, in: writer)
    try kit.subjects.happened(SubjectDeed(.follow, by: user, isTakenBack: difference < 0), to: target, in: writer)
  }

  // MARK: Blocks and mutes

  /// Blocks or mutes a user; nothing if that is so.
  /// - Throws: `KitError.selfTarget`, `.limitExceeded`.
  func raise(_ barrier: Barrier, against other: Identifier, by user: Identifier, in writer: any Writer) throws {
    guard other != user else { throw KitError.selfTarget(field: "user_id") }
    try takeTurn(Turn(between: user, other), in: writer)
    let isNew = try writer.execute(
      """
      INSERT INTO social_barriers (user_id, other_id, kind, id, created_at) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (user_id, other_id, kind) DO NOTHING
      """, user, other, barrier.rawValue, kit.identifiers.next(), now)
    guard isNew == 1 else { return }
    let count: Int64? = try writer.first("SELECT COUNT(*) FROM social_barriers WHERE user_id = $1", user) { $0[0] }
    guard count ?? 0 <= limits.barriers else { throw KitError.limitExceeded }
    guard barrier == .block else { return }
    // In one order, as two may block each other at once.
    for reader in [user, other].sorted() { try kit.sights.changed(for: reader, in: writer) }
    try unfollow(SubjectID(IDKind.user, other), by: user, in: writer)
    try unfollow(SubjectID(IDKind.user, user), by: other, in: writer)
  }

  /// Whether a user has blocked another one, whatever that one has done.
  func hasBlocked(_ user: Identifier, _ other: Identifier, in reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM social_barriers WHERE user_id = $1 AND other_id = $2 AND kind = $3", user, other,
      Barrier.block.rawValue)
  }

  /// Takes a block or mute back; nothing if there is none.
  func lower(_ barrier: Barrier, against other: Identifier, by user: Identifier, in writer: any Writer) throws {
    try writer.execute(
      "DELETE FROM social_barriers WHERE user_id = $1 AND other_id = $2 AND kind = $3", user, other, barrier.rawValue)
  }
}

/// What a user can want nothing of another one by.
enum Barrier: Int64, Sendable {
  case block = 1
  case mute = 2
}

/// All who follow something, but for those who have muted its owner, and whom a block keeps from it.
struct Followers: AudienceSource {
  let subjects: SubjectRegistry
  let name = Audience.followers(of: SubjectID(IDKind.user, Identifier(rawValue: 0))).source

  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier] {
    guard let subject = SubjectID(parsing: key), let kind = subjects[subject] else { return [] }
    let owner = try kind.facts(of: subject.id, in: reader)?.owner
    return try reader.rows(
      """
      SELECT follower_id FROM social_follows f
      WHERE target_id = $1 AND state = 2 AND target_kind = $2 AND follower_id > $3 AND NOT EXISTS (
        SELECT 1 FROM social_barriers b WHERE b.user_id = f.follower_id AND b.other_id = $4)
        AND NOT EXISTS (
          SELECT 1 FROM social_barriers b WHERE b.user_id = $4 AND b.other_id = f.follower_id AND b.kind = 1)
      ORDER BY follower_id LIMIT $5
      """, subject.id, subject.kind, after ?? Identifier(rawValue: .min), owner ?? Identifier(rawValue: 0), limit
    ) { $0[0] }
  }
}
