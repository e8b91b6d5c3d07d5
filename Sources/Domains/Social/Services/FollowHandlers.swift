import Base
import DomainKit
import ProtobufRuntime
import RPC
import SocialAPI
import Storage
import WellKnownTypes

/// octet.social.v1.FollowService. The lists have a file of their own.
struct FollowHandlers: FollowService, ListsOfUsers {
  let core: SocialCore

  var kit: Kit { core.kit }

  func follow(_ request: FollowRequest, context: ServerContext) async throws -> Follow {
    let caller = try context.requireCaller()
    let target = try kit.subjects.parse(request.targetID, field: "target_id")
    return try await kit.mutate(request, context) { [core] writer in
      Follow(try core.follow(target, by: caller, in: writer))
    }
  }

  func unfollow(_ request: UnfollowRequest, context: ServerContext) async throws -> UnfollowResponse {
    let caller = try context.requireCaller()
    let target = try kit.subjects.parse(request.targetID, field: "target_id")
    return try await kit.mutate(request, context) { [core] writer in
      try core.unfollow(target, by: caller.user, in: writer)
      return UnfollowResponse()
    }
  }

  func respondFollow(_ request: RespondFollowRequest, context: ServerContext) async throws -> RespondFollowResponse {
    let caller = try context.requireCaller()
    let follower = try Identifier(request.followerID, kind: IDKind.user, field: "follower_id")
    return try await kit.mutate(request, context) { [core] writer in
      try core.respond(to: follower, of: caller.user, accept: request.accept, in: writer)
      return RespondFollowResponse()
    }
  }

  func block(_ request: BlockRequest, context: ServerContext) async throws -> BlockResponse {
    try await change(request, request.userID, BlockResponse(), context) { core, other, caller, writer in
      try core.raise(.block, against: other, by: caller, in: writer)
    }
  }

  func unblock(_ request: UnblockRequest, context: ServerContext) async throws -> UnblockResponse {
    try await change(request, request.userID, UnblockResponse(), context) { core, other, caller, writer in
      try core.lower(.block, against: other, by: caller, in: writer)
    }
  }

  func mute(_ request: MuteRequest, context: ServerContext) async throws -> MuteResponse {
    try await change(request, request.userID, MuteResponse(), context) { core, other, caller, writer in
      try core.raise(.mute, against: other, by: caller, in: writer)
    }
  }

  func unmute(_ request: UnmuteRequest, context: ServerContext) async throws -> UnmuteResponse {
    try await change(request, request.userID, UnmuteResponse(), context) { core, other, caller, writer in
      try core.lower(.mute, against: other, by: caller, in: writer)
    }
  }

  /// Changes what the caller wants of another user.
  private func change<Request: MutatingRequest, Response: Message>(
    _ request: Request, _ userID: String, _ response: Response, _ context: ServerContext,
    _ body: @escaping @Sendable (SocialCore, Identifier, Identifier, any Writer) throws -> Void
  ) async throws -> Response {
    let caller = try context.requireCaller()
    let other = try Identifier(userID, kind: IDKind.user, field: "user_id")
    return try await kit.mutate(request, context) { [core] writer in
      try body(core, other, caller.user, writer)
      return response
    }
  }
}
