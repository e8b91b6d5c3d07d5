import Streaming

@testable import Social

/// A world with those whom moderation concerns.
struct Scene {
  let world: World
  let (ada, bob, moe, may): (Somebody, Somebody, Somebody, Somebody)
  let thing: String

  /// Ada has a thing, Bob talks; Moe and May are moderators.
  init(limits: SocialLimits = SocialLimits(), topicLimits: TopicLimits = TopicLimits()) async throws {
    world = try await World.open(limits: limits, topicLimits: topicLimits)
    (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    moe = try await world.user("moe_", roles: ["moderator"])
    may = try await world.user("may_", roles: ["social.moderator"])
    thing = try await world.thing(of: ada)
  }
}
