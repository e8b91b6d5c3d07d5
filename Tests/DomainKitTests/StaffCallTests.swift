import Base
import ChatAPI
import DomainKit
import Foundation
import RPC
import Refusals
import Storage
import Testing

/// Invariant 12: each call of staff has one record. Those that change something are recorded where they do.
@Suite struct StaffCallTests {
  private static let service = "test.Desk"

  private static func method(
    _ name: String, _ access: MethodPolicy.Access, _ roles: [String], _ kind: MethodKind = .unary,
    mutates: Bool = false
  ) -> MethodDescriptor {
    MethodDescriptor(
      service: service, name: name, kind: kind, policy: MethodPolicy(access: access, roles: roles, mutates: mutates))
  }

  private static let read = method("Read", .role, ["ops"])
  private static let look = method("Look", .owner, ["support"])
  private static let watch = method("Watch", .role, ["ops"], .serverStreaming)
  private static let own = method("Own", .user, [])
  private static let customer = method("Customer", .owner, ["shop.clerk"])
  private static let write = method("Write", .role, ["ops"], mutates: true)
  private static let subject = SubjectID("user", Identifier(rawValue: 9))

  private func shop() async throws -> (Workshop, RPCChannel) {
    let shop = try await Workshop()
    let channel = shop.channel { registry in
      for method in [Self.read, Self.look, Self.own, Self.customer, Self.write] {
        registry.unary(method) { (post: Post, context) -> ChatMessage in
          if post.text == "refuse" { throw KitError.notFound("thing") }
          if post.text == "about" { context.audited = Self.subject }
          return ChatMessage()
        }
      }
      registry.serverStreaming(Self.watch) { (post: Post, responses: ResponseWriter<ChatMessage>, _) in
        if post.text == "refuse" { throw KitError.notFound("thing") }
        try await responses.write(ChatMessage())
        throw KitError.overloaded
      }
    }
    return (shop, channel)
  }

  private func post(_ text: String) -> Post {
    var post = Post()
    (post.requestID, post.text) = (UUID().uuidString, text)
    return post
  }

  private func call(_ method: MethodDescriptor, _ text: String, _ channel: RPCChannel, _ shop: Workshop) async throws {
    let _: ChatMessage = try await channel.unary(method, post(text), options: shop.credentials())
  }

  @Test func `what staff reads is on record once when it is told, with the role and whom it is about`() async throws {
    let (shop, channel) = try await shop()
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops"), RoleGrant(role: "support")]))
    try await call(Self.read, "x", channel, shop)
    try await call(Self.look, "about", channel, shop)
    let expected = [
      AuditEntry(.call(Self.read), by: .user(Workshop.user), on: nil, [.role("ops")]),
      AuditEntry(.call(Self.look), by: .user(Workshop.user), on: Self.subject, [.role("support")]),
    ]
    #expect(shop.trail.entries == expected && shop.kit.notedCalls.take().entries.isEmpty)
    await shop.database.close()
  }

  @Test func `what cannot be recorded is not told`() async throws {
    let (shop, channel) = try await shop()
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops")]))
    shop.trail.fill()
    await expectRefusal(.unavailable, "STORAGE_FULL") { try await call(Self.read, "x", channel, shop) }
    let watch: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post("x"), options: try shop.credentials())
    await expectRefusal(.unavailable, "STORAGE_FULL") { _ = try await watch.responses.next() }
    // Whoever is no staff is not concerned.
    try await call(Self.own, "x", channel, shop)
    await shop.database.close()
  }

  private func watch(_ post: Post, _ channel: RPCChannel, _ shop: Workshop) async throws {
    let call: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post, options: try shop.credentials())
    while try await call.responses.next() != nil {}
  }

  @Test
  func `a stream is on record from its first message on, one that has told nothing and a read that failed are not`()
    async throws
  {
    let (shop, channel) = try await shop()
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops")]))
    let stream: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post("x"), options: try shop.credentials())
    #expect(try await stream.responses.next() != nil)
    #expect(shop.trail.entries.map(\.action) == [.call(Self.watch)])
    await expectRefusal(.unavailable, "OVERLOADED") { _ = try await stream.responses.next() }
    await expectRefusal(.notFound, "NOT_FOUND") { try await watch(post("refuse"), channel, shop) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await watch(Post(), channel, shop) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await self.call(Self.read, "refuse", channel, shop) }
    #expect(shop.trail.entries.count == 1 && shop.kit.notedCalls.take().entries.isEmpty)
    await shop.database.close()
  }

  @Test func `what others read, and what staff changes, is not noted here; a refusal is`() async throws {
    let (shop, channel) = try await shop()
    for method in [Self.own, Self.customer, Self.look] { try await call(method, "x", channel, shop) }
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops"), RoleGrant(role: "shop.clerk")]))
    for method in [Self.own, Self.customer, Self.write] { try await call(method, "x", channel, shop) }
    #expect(shop.trail.entries == [] && shop.kit.notedCalls.take().entries == [])
    shop.doors.setRoles(Workshop.user, RoleSet())
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(Self.read, "x", channel, shop) }
    #expect(
      shop.kit.notedCalls.take().entries == [
        AuditEntry(
          .call(Self.read), by: .user(Workshop.user), on: nil, outcome: .refused(reason: "PERMISSION_DENIED"))
      ])
    await shop.database.close()
  }
}
