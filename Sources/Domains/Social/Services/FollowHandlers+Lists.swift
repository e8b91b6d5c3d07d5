import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage
import WellKnownTypes

extension FollowHandlers {
  func listFollowers(_ request: ListFollowersRequest, context: ServerContext) async throws -> ListFollowersResponse {
    let caller = context.caller
    let page = try kit.page(request, context)
    let target = try kit.subjects.parse(request.targetID, field: "target_id")
    return try await kit.database.read { [core] reader in
      _ = try core.kit.subjects.visible(target, to: caller, in: reader)
      let rows = try reader.rows(
        """
        SELECT \(FollowRow.columns) FROM social_follows
        WHERE target_id = $1 AND state = 2 AND target_kind = $2 AND id < $3 ORDER BY id DESC LIMIT $4
        """, target.id, target.kind, page.before, page.fetch, make: FollowRow.init)
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListFollowersResponse()
      response.nextPageToken = next
      for row in items where try !core.isHidden(row.follower, from: caller, in: reader) {
        var follower = Follower()
        follower.member = try core.member(row.follower, in: reader)
        follower.createTime = Timestamp(row.createdAt)
        response.followers.append(follower)
      }
      return response
    }
  }

  func listFollowing(_ request: ListFollowingRequest, context: ServerContext) async throws -> ListFollowingResponse {
    let caller = context.caller
    let page = try kit.page(request, context)
    let user = try Self.userMeant(request.userID, caller)
    return try await kit.database.read { [core] reader in
      _ = try core.kit.subjects.visible(SubjectID(IDKind.user, user), to: caller, in: reader)
      let rows = try reader.rows(
        """
        SELECT \(FollowRow.columns) FROM social_follows
        WHERE follower_id = $1 AND state = 2 AND id < $2 ORDER BY id DESC LIMIT $3
        """, user, page.before, page.fetch, make: FollowRow.init)
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListFollowingResponse()
      response.nextPageToken = next
      response.follows = try items.filter {
        try core.kit.subjects.isVisible($0.target, to: caller, in: reader)
      }.map { Follow($0) }
      return response
    }
  }

  func listRelations(_ request: ListRelationsRequest, context: ServerContext) async throws -> ListRelationsResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    guard let list = RelationList(request.kind) else { throw SocialError.noRelationKind }
    return try await kit.database.read { [core] reader in
      let rows: [(other: Identifier, id: Identifier, at: Instant)] = try reader.rows(
        list.sql + " AND id < $2 ORDER BY id DESC LIMIT $3", caller.user, page.before, page.fetch
      ) { ($0[0], $0[1], $0[2]) }
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListRelationsResponse()
      response.nextPageToken = next
      response.relations = try items.map { item in
        var relation = Relation()
        relation.member =
          try list == .received || core.mayKnow(item.other, caller, in: reader)
          ? core.member(item.other, in: reader) : Member(id: item.other)
        relation.createTime = Timestamp(item.at)
        return relation
      }
      return response
    }
  }
}

/// Shows what one user has said, to others or the same.
protocol ListsOfUsers {}

extension ListsOfUsers {
  /// The user whom a public method is asked about: the caller, if nobody is named.
  static func userMeant(_ text: String, _ caller: Caller?) throws(KitError) -> Identifier {
    if !text.isEmpty { return try Identifier(text, kind: IDKind.user, field: "user_id") }
    guard let caller else {
      throw .invalid(FieldViolation(field: "user_id", description: "required without credentials"))
    }
    return caller.user
  }
}

/// The lists of relations, each by the caller as $1.
private enum RelationList {
  case received, sent, blocked, muted

  init?(_ kind: RelationKind) {
    switch kind {
    case .requestReceived: self = .received
    case .requestSent: self = .sent
    case .blocked: self = .blocked
    case .muted: self = .muted
    case .unspecified, .unrecognized: return nil
    }
  }

  var sql: String {
    switch self {
    case .received:
      """
      SELECT follower_id, id, created_at FROM social_follows WHERE target_id = $1 AND state = 1 AND target_kind = 'user'
      """
    case .sent:
      """
      SELECT target_id, id, created_at FROM social_follows WHERE follower_id = $1 AND state = 1 AND target_kind = 'user'
      """
    case .blocked: "SELECT other_id, id, created_at FROM social_barriers WHERE user_id = $1 AND kind = 1"
    case .muted: "SELECT other_id, id, created_at FROM social_barriers WHERE user_id = $1 AND kind = 2"
    }
  }
}

extension SocialCore {
  /// Whether somebody may know a user's name. The caller's own block, which can be taken back, hides it from nobody.
  fileprivate func mayKnow(_ other: Identifier, _ caller: Caller, in reader: any Reader) throws -> Bool {
    guard try kit.subjects.mayView(SubjectID(IDKind.user, other), by: caller, in: reader) else { return false }
    return try !hasBlocked(other, caller.user, in: reader)
  }
}

extension Member {
  /// Somebody whose name is not told.
  init(id: Identifier) {
    self.init()
    userID = id.text(kind: IDKind.user)
  }
}
