import Base
import ChatAPI
import DomainKit
import Foundation
import RPC
import Refusals
import Storage
import Testing

/// A stall, which is there until a note says that it is closed.
private struct Stall: SubjectKind {
  let prefix = "stall"

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    let isClosed = try reader.exists("SELECT 1 FROM notes WHERE text = $1", id.text(kind: prefix))
    return isClosed ? nil : SubjectFacts(owner: nil, parent: SubjectID("market", id))
  }
}

/// Calls that end what their caller needs for another one.
@Suite struct RepeatTests {
  private static let leave = MethodDescriptor(
    service: "test.Market", name: "Leave", kind: .unary, policy: MethodPolicy(access: .user, mutates: true))
  private static let resign = MethodDescriptor(
    service: "test.Market", name: "Resign", kind: .unary,
    policy: MethodPolicy(access: .role, roles: ["ops"], mutates: true))
  private static let close = MethodDescriptor(
    service: "test.Market", name: "Close", kind: .unary,
    policy: MethodPolicy(access: .role, roles: ["market.owner"], resourceField: "text", mutates: true))

  private let shop: Workshop
  private let channel: RPCChannel

  init() async throws {
    let shop = try await Workshop()
    shop.kit.subjects.register([Stall()])
    @Sendable func note(_ post: Post, _ context: ServerContext) async throws -> ChatMessage {
      try await shop.kit.mutate(post, context) { writer in
        try writer.execute("INSERT INTO notes (text) VALUES ($1)", post.text)
        var reply = ChatMessage()
        reply.text = "done: \(post.text)"
        return reply
      }
    }
    self.shop = shop
    channel = shop.channel { registry in
      registry.unary(Self.leave, note)
      registry.unary(Self.resign, note)
      registry.unary(Self.close, about: { (post: Post) in post.text }, note)
    }
  }

  private func post(_ text: String) -> Post {
    var post = Post()
    post.requestID = UUID().uuidString
    post.text = text
    return post
  }

  private func call(_ method: MethodDescriptor, _ post: Post, by user: Identifier = Workshop.user) async throws
    -> String
  {
    let reply: ChatMessage = try await channel.unary(method, post, options: try shop.credentials(user))
    return reply.text
  }

  /// Calls, has something ended, and calls again; then tries what is no repeat.
  private func expectOneReply(
    _ method: MethodDescriptor, _ text: String, then end: () -> Void, _ code: StatusCode, _ reason: String
  ) async throws {
    let request = post(text)
    #expect(try await call(method, request) == "done: \(text)")
    end()
    // Also where memory does not know the caller's roles, and has to wait for them.
    for remembers in [true, false] {
      shop.doors.remembersRoles = remembers
      #expect(try await call(method, request) == "done: \(text)")
      var other = request
      other.text = Identifier(rawValue: 8).text(kind: "stall")
      // What says nothing of a resource is refused for that.
      let bad = method.policy.resourceField == nil ? [Post()] : []
      for new in [post(text), other] + bad {
        await expectRefusal(code, reason) { try await call(method, new) }
      }
    }
    #expect(try await shop.notes == [text])
    await shop.database.close()
  }

  @Test func `whoever has left is answered once more, by the same request alone`() async throws {
    let doors = shop.doors
    doors.setRoles(Workshop.user, RoleSet())
    try await expectOneReply(Self.leave, "left", then: { doors.end(Workshop.user) }, .unauthenticated, "SESSION_ENDED")
  }

  @Test func `whoever has given up a role is answered once more`() async throws {
    let doors = shop.doors
    doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops")]))
    try await expectOneReply(
      Self.resign, "resigned", then: { doors.setRoles(Workshop.user, RoleSet()) }, .permissionDenied,
      "PERMISSION_DENIED")
  }

  @Test func `a role that is lost in the rows alone keeps no reply back either`() async throws {
    let held = RoleSet([RoleGrant(role: "ops")])
    shop.doors.setRoles(Workshop.user, held)
    let request = post("resigned")
    _ = try await call(Self.resign, request)
    shop.doors.setRoles(Workshop.user, held, inRows: RoleSet())
    #expect(try await call(Self.resign, request) == "done: resigned")
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(Self.resign, post("resigned")) }
    await shop.database.close()
  }

  @Test func `whoever has closed a thing is answered once more, although no role leads to it now`() async throws {
    let market = Identifier(rawValue: 7)
    shop.doors.setRoles(
      Workshop.user, RoleSet([RoleGrant(role: "market.owner", resource: market.text(kind: "market"))]))
    // The call itself closes it.
    try await expectOneReply(
      Self.close, market.text(kind: "stall"), then: {}, .permissionDenied, "PERMISSION_DENIED")
  }

  @Test func `whoever was sent away uses up nothing of what the user may call`() async throws {
    let narrow = shop.channel(limits: RateLimits(standard: Rate(perSecond: 1, burst: 2))) { registry in
      registry.unary(Self.leave) { (_: Post, _) async in ChatMessage() }
    }
    shop.doors.setRoles(Workshop.user, RoleSet())
    let stolen = Identifier(rawValue: 99)
    shop.doors.end(stolen)
    for reason in ["SESSION_ENDED", "SESSION_ENDED", "RATE_LIMITED"] {
      let refused = await refusal {
        try await narrow.unary(
          Self.leave, post("left"), as: ChatMessage.self, options: try shop.credentials(session: stolen))
      }
      #expect(refused?.reason == reason)
    }
    for _ in 0..<2 {
      _ = try await narrow.unary(Self.leave, post("left"), as: ChatMessage.self, options: try shop.credentials())
    }
    await shop.database.close()
  }

  @Test func `nobody is given the reply of somebody else`() async throws {
    let other = Identifier(rawValue: 2)
    for user in [Workshop.user, other] { shop.doors.setRoles(user, RoleSet()) }
    let request = post("left")
    _ = try await call(Self.leave, request)
    shop.doors.end(other)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await call(Self.leave, request, by: other) }
    await shop.database.close()
  }
}
