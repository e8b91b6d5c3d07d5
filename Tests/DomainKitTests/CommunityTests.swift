import Base
import ChatAPI
import RPC
import Refusals
import Storage
import Testing

@testable import DomainKit

/// What the kit does with blocks and restrictions, whoever keeps them.
@Suite struct CommunityTests {
  /// Users 1 and 2 have blocked each other; user 3 may not post for a minute.
  private struct Quarrel: Community {
    let end: Instant

    func isBlocked(_ a: Identifier, _ b: Identifier, in reader: any Reader) throws -> Bool {
      Set([a, b]) == Set([1, 2].map { Identifier(rawValue: $0) })
    }

    func hasMuted(_ user: Identifier, _ other: Identifier, in reader: any Reader) throws -> Bool { user < other }

    func isFollowing(_ user: Identifier, _ subject: SubjectID, in reader: any Reader) throws -> Bool {
      user == subject.id
    }

    func restriction(of user: Identifier, in reader: any Reader) throws -> Instant? {
      user.rawValue == 3 ? end : nil
    }

    func isRemoved(_ subject: SubjectID, in reader: any Reader) throws -> Bool { false }
  }

  /// Its things belong to the user of their number; all may see them.
  private struct Open: SubjectKind {
    let prefix: String
    let isHiddenByBlocks: Bool

    var traits: SubjectTraits {
      var traits = SubjectTraits()
      traits.isFollowable = true
      traits.isHiddenByBlocks = isHiddenByBlocks
      return traits
    }

    func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? { SubjectFacts(owner: id) }
    func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool { true }
  }

  /// Says what changed.
  private struct Recorder: SubjectObserver {
    let seen: Locked<[SubjectID]>

    func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {
      seen.withLock { $0.append(subject) }
    }
  }

  private func caller(_ user: Int64, _ roles: String...) -> Caller {
    Caller(
      user: Identifier(rawValue: user), session: Identifier(rawValue: user),
      roles: RoleSet(roles.map { RoleGrant(role: $0) }))
  }

  @Test func `what belongs to one who has blocked the caller is not found, but by staff, or what both have made`()
    async throws
  {
    let shop = try await Workshop()
    let kit = shop.kit
    kit.subjects.register([
      Open(prefix: "video", isHiddenByBlocks: true), Open(prefix: "ride", isHiddenByBlocks: false),
    ])
    let (video, ride) = (SubjectID("video", Identifier(rawValue: 2)), SubjectID("ride", Identifier(rawValue: 2)))
    try await shop.database.read { (reader: any Reader) throws in
      // Without a social domain nobody has blocked anybody.
      #expect(try kit.subjects.isVisible(video, to: caller(1), in: reader))
      #expect(try !kit.community.hasMuted(Identifier(rawValue: 1), Identifier(rawValue: 2), in: reader))
      #expect(try !kit.community.isFollowing(Identifier(rawValue: 2), video, in: reader))
      #expect(try kit.community.counts(of: [video], in: reader).isEmpty)
      #expect(try kit.community.followed(by: video.id, kind: "user", after: nil, limit: 9, in: reader).isEmpty)
      #expect(try kit.community.reactions(of: video.id, to: video, in: reader).isEmpty)
    }
    kit.community.link(to: Quarrel(end: shop.clock.now() + .seconds(60)))
    try await shop.database.read { (reader: any Reader) throws in
      for (who, isVisible) in [
        (caller(1), false), (caller(2), true), (caller(3), true), (caller(1, "support"), true),
        (caller(1, "shop.owner"), false),
      ] {
        #expect(try kit.subjects.isVisible(video, to: who, in: reader) == isVisible)
        #expect(try kit.subjects.isVisible(ride, to: who, in: reader))
      }
      #expect(try kit.subjects.isVisible(video, to: nil, in: reader))
      #expect(throws: KitError.notFound("video")) { try kit.subjects.following(video, by: caller(1), in: reader) }
      #expect(try !kit.subjects.following(video, by: caller(3), in: reader).isOnRequest)
      #expect(try kit.community.isFollowing(Identifier(rawValue: 2), video, in: reader))
      #expect(try kit.community.hasMuted(Identifier(rawValue: 1), Identifier(rawValue: 2), in: reader))
    }
    await shop.database.close()
  }

  @Test func `who is restricted cannot post, by no method that posts, until it is over`() async throws {
    let shop = try await Workshop()
    let kit = shop.kit
    kit.community.link(to: Quarrel(end: shop.clock.now() + .seconds(60)))
    func method(_ name: String, posts: Bool) -> MethodDescriptor {
      MethodDescriptor(
        service: "test.Notes", name: name, kind: .unary,
        policy: MethodPolicy(access: .user, mutates: true, posts: posts))
    }
    let (say, keep) = (method("Say", posts: true), method("Keep", posts: false))
    let channel = shop.channel { registry in
      for method in [say, keep] {
        registry.unary(method) { (post: Post, context: ServerContext) -> ChatMessage in
          try await kit.mutate(post, context) { writer in
            try writer.execute("INSERT INTO notes (text) VALUES ($1)", post.text)
            return ChatMessage()
          }
        }
      }
    }
    func send(_ method: MethodDescriptor, as user: Int64, _ requestID: String) async throws {
      var post = Post()
      post.requestID = requestID
      post.text = method.name
      _ = try await channel.unary(
        method, post, as: ChatMessage.self, options: try shop.credentials(Identifier(rawValue: user)))
    }
    let ids = (1...4).map { "0000000\($0)-0000-4000-8000-000000000000" }
    await expectRefusal(.failedPrecondition, "RESTRICTED") { try await send(say, as: 3, ids[0]) }
    try await send(keep, as: 3, ids[1])
    try await send(say, as: 2, ids[2])
    shop.clock.advance(by: .seconds(60))
    try await send(say, as: 3, ids[0])
    #expect(try await shop.notes == ["Keep", "Say", "Say"])
    await shop.database.close()
  }

  @Test func `a change of who may see what is told in its transaction`() async throws {
    let shop = try await Workshop()
    let seen = Locked<[SubjectID]>([])
    shop.kit.subjects.observe(Recorder(seen: seen))
    let subject = SubjectID("video", Identifier(rawValue: 2))
    let subjects = shop.kit.subjects
    try await shop.database.write { try subjects.visibilityChanged(of: subject, in: $0) }
    // Each body of a test runs twice.
    #expect(Set(seen.withLock { $0 }) == [subject])
    // What is gone is seen by nobody.
    let other = SubjectID("video", Identifier(rawValue: 3))
    try await shop.database.write { try subjects.gone(other, in: $0) }
    #expect(Set(seen.withLock { $0 }) == [subject, other])
    await shop.database.close()
  }
}
