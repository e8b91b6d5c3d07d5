import Refusals
import SocialAPI

extension Somebody {
  @discardableResult
  func follow(_ target: String, requestID: String = newRequestID()) async throws -> Follow {
    var request = FollowRequest()
    request.requestID = requestID
    request.targetID = target
    return try await follows.follow(request)
  }

  func unfollow(_ target: String) async throws {
    var request = UnfollowRequest()
    request.requestID = newRequestID()
    request.targetID = target
    _ = try await follows.unfollow(request)
  }

  func respond(to follower: Somebody, accept: Bool) async throws {
    var request = RespondFollowRequest()
    request.requestID = newRequestID()
    request.followerID = follower.text
    request.accept = accept
    _ = try await follows.respondFollow(request)
  }

  func block(_ user: String) async throws {
    var request = BlockRequest()
    request.requestID = newRequestID()
    request.userID = user
    _ = try await follows.block(request)
  }

  func unblock(_ user: Somebody) async throws {
    var request = UnblockRequest()
    request.requestID = newRequestID()
    request.userID = user.text
    _ = try await follows.unblock(request)
  }

  func mute(_ user: Somebody) async throws {
    var request = MuteRequest()
    request.requestID = newRequestID()
    request.userID = user.text
    _ = try await follows.mute(request)
  }

  func unmute(_ user: Somebody) async throws {
    var request = UnmuteRequest()
    request.requestID = newRequestID()
    request.userID = user.text
    _ = try await follows.unmute(request)
  }

  func followerPage(of target: String, size: Int32 = 0, token: String = "") async throws -> ListFollowersResponse {
    var request = ListFollowersRequest()
    request.targetID = target
    request.pageSize = size
    request.pageToken = token
    return try await follows.listFollowers(request)
  }

  /// The handles of those who follow something, newest first.
  func followers(of target: String) async throws -> [String] {
    try await followerPage(of: target).followers.map { $0.member?.handle ?? "" }
  }

  /// What a user follows, newest first.
  func following(of user: Somebody) async throws -> [String] {
    var request = ListFollowingRequest()
    request.userID = user.text
    return try await follows.listFollowing(request).follows.map(\.targetID)
  }

  func relations(_ kind: RelationKind) async throws -> [Member] {
    var request = ListRelationsRequest()
    request.kind = kind
    return try await follows.listRelations(request).relations.compactMap(\.member)
  }
}
