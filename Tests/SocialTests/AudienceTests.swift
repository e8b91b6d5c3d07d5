import DomainKit
import IdentityAPI
import Notify
import Storage
import Testing

@testable import Social

/// Whom a notice to many reaches, by what it is about.
@Suite struct AudienceTests {
  private func tell(_ world: World, _ audience: Audience, about thing: String) async throws {
    let subject = try world.kit.subjects.parse(thing, field: "")
    let notices = world.notify.notices
    try await world.database.write { writer in
      let notice = DomainKit.Notice(SocialNotices.reportSettled, key: "news", about: subject)
      try notices.notify(audience, notice, in: writer)
    }
    try await world.settle()
  }

  @Test func `invariant 7: of a thing that all see those are told whom no block keeps from it`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let (eve, joe) = (try await world.user("eve"), try await world.user("joe"))
    let thing = try await world.thing(of: ada)
    try await ada.block(bob.text)
    try await joe.block(ada.text)
    try await tell(world, .everybody, about: thing)
    for (user, count) in [(ada, 1), (bob, 0), (eve, 1), (joe, 0)] {
      #expect(try await user.notices().count == count, "\(user.handle)")
    }
    await world.close()
  }

  @Test func `staff are told of what they see as others do, and not of what their role alone shows`() async throws {
    let world = try await World.open()
    let (ada, moe) = (try await world.user("ada"), try await world.user("moe_", roles: ["moderator"]))
    let seen = try await world.thing(of: ada)
    try await ada.show(profileTo: .private)
    #expect(try await moe.profile(of: ada).handle == "ada")
    for audience in [Audience.everybody, .holders(of: "moderator")] { try await tell(world, audience, about: ada.text) }
    #expect(try await moe.notices().isEmpty)
    #expect(try await ada.notices().count == 1)
    try await tell(world, .holders(of: "moderator"), about: seen)
    #expect(try await moe.notices().count == 1)
    await world.close()
  }

  @Test func `of a thing that few see they alone are told, and of one that is gone nobody`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let (hidden, gone) = (try await world.thing(of: ada), try await world.thing(of: ada))
    for user in [ada, bob] {
      for thing in [hidden, gone] { try await user.follow(thing) }
    }
    try await world.hide(hidden)
    let subject = try world.kit.subjects.parse(hidden, field: "")
    try await tell(world, .followers(of: subject), about: hidden)
    #expect(try await ada.notices().count == 1)
    #expect(try await bob.notices().isEmpty)
    try await world.remove(gone, isTold: false)
    try await tell(world, .everybody, about: gone)
    #expect(try await ada.notices().count == 1)
    await world.close()
  }
}
