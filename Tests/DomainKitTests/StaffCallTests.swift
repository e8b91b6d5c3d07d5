import Base
import ChatAPI
import DomainKit
import Foundation
import RPC
import Refusals
import Storage
import Testing

/// Invariant 12: each call of staff has one record, also if it is refused.
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
  private static let talk = method("Talk", .owner, ["support"], .bidirectional, mutates: true)
  private static let own = method("Own", .user, [])
  private static let customer = method("Customer", .owner, ["shop.clerk"])
  private static let write = method("Write", .role, ["ops"], mutates: true)
  private static let subject = SubjectID("user", Identifier(rawValue: 9))

  private let shop: Workshop
  private let channel: RPCChannel

  init() async throws {
    let shop = try await Workshop()
    self.shop = shop
    channel = shop.channel { registry in
      // One that waits and one that does not.
      registry.unary(Self.look) { (post: Post, _) async throws -> ChatMessage in
        if post.text == "refuse" { throw KitError.notFound("thing") }
        return ChatMessage()
      }
      for method in [Self.read, Self.own, Self.customer] {
        registry.unary(method) { (post: Post, _) -> ChatMessage in
          if post.text == "refuse" { throw KitError.notFound("thing") }
          return ChatMessage()
        }
      }
      registry.unary(Self.write) { (post: Post, context) async throws -> ChatMessage in
        try await shop.kit.mutate(post, context) { writer in
          try writer.execute("INSERT INTO notes (text) VALUES ($1)", post.text)
          if post.text == "refuse" { throw KitError.wrongState("REFUSING") }
          return ChatMessage()
        }
      }
      registry.serverStreaming(Self.watch) { (post: Post, responses: ResponseWriter<ChatMessage>, _) in
        if post.text == "refuse" { throw KitError.notFound("thing") }
        try await responses.write(ChatMessage())
        throw KitError.overloaded
      }
      registry.bidirectional(Self.talk) {
        (posts: RequestReader<Post>, responses: ResponseWriter<ChatMessage>, _) in
        while try await posts.next() != nil { try await responses.write(ChatMessage()) }
      }
    }
  }

  private func post(_ text: String) -> Post {
    var post = Post()
    (post.requestID, post.text) = (UUID().uuidString, text)
    return post
  }

  private func call(_ method: MethodDescriptor, _ post: Post) async throws {
    let _: ChatMessage = try await channel.unary(method, post, options: shop.credentials())
  }

  private func hold(_ roles: String...) {
    shop.doors.setRoles(Workshop.user, RoleSet(roles.map { RoleGrant(role: $0) }))
  }

  private func entry(
    _ method: MethodDescriptor, on object: SubjectID? = nil, _ role: String?, refused reason: String? = nil
  ) -> AuditEntry {
    AuditEntry(
      .call(method), by: .user(Workshop.user), on: object, outcome: reason.map { .refused(reason: $0) } ?? .done,
      role.map { [.role($0)] } ?? [])
  }

  /// What was noted and not recorded.
  private var noted: [AuditEntry] { shop.kit.notedCalls.take().entries }

  @Test func `what staff reads is on record once when it is told, with the role and what it is about`() async throws {
    hold("ops", "support")
    try await call(Self.read, post("x"))
    try await call(Self.look, post(Self.subject.text))
    #expect(shop.trail.entries == [entry(Self.read, "ops"), entry(Self.look, on: Self.subject, "support")])
    #expect(noted.isEmpty)
    await shop.database.close()
  }

  @Test func `what cannot be recorded is not told`() async throws {
    hold("ops")
    shop.trail.fill()
    await expectRefusal(.unavailable, "STORAGE_FULL") { try await call(Self.read, post("x")) }
    let watch: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post("x"), options: try shop.credentials())
    await expectRefusal(.unavailable, "STORAGE_FULL") { _ = try await watch.responses.next() }
    // Whoever is no staff is not concerned.
    try await call(Self.own, post("x"))
    await shop.database.close()
  }

  private func watch(_ post: Post) async throws {
    let call: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post, options: try shop.credentials())
    while try await call.responses.next() != nil {}
  }

  @Test func `a stream is on record from its first message on, and once, however it ends`() async throws {
    hold("ops")
    let stream: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post(Self.subject.text), options: try shop.credentials())
    #expect(try await stream.responses.next() != nil)
    #expect(shop.trail.entries == [entry(Self.watch, on: Self.subject, "ops")])
    await expectRefusal(.unavailable, "OVERLOADED") { _ = try await stream.responses.next() }
    #expect(shop.trail.entries.count == 1 && noted.isEmpty)
    await shop.database.close()
  }

  @Test
  func `who only listens on a stream of requests is on record, with what the first of them is about`() async throws {
    hold("support")
    let talk: BidirectionalCall<Post, ChatMessage> = channel.bidirectional(
      Self.talk, options: try shop.credentials())
    try await talk.requests.write(post(Self.subject.text))
    #expect(try await talk.responses.next() != nil)
    #expect(shop.trail.entries == [entry(Self.talk, on: Self.subject, "support")])
    try await talk.requests.write(post("x"))
    talk.requests.finish()
    while try await talk.responses.next() != nil {}
    #expect(shop.trail.entries.count == 1 && noted.isEmpty)
    await shop.database.close()
  }

  @Test func `a refusal of any kind is on record when it is told, with its reason and what it is about`() async throws {
    hold("ops", "support")
    await expectRefusal(.notFound, "NOT_FOUND") { try await call(Self.read, post("refuse")) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await call(Self.look, post("refuse")) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await watch(post("refuse")) }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await call(Self.read, Post()) }
    // What a transaction did is rolled back, and the record of it stays.
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await call(Self.write, post("refuse")) }
    shop.doors.endInRows(Workshop.user)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await call(Self.write, post(Self.subject.text)) }
    #expect(
      shop.trail.entries == [
        entry(Self.read, "ops", refused: "NOT_FOUND"), entry(Self.look, "support", refused: "NOT_FOUND"),
        entry(Self.watch, "ops", refused: "NOT_FOUND"), entry(Self.read, "ops", refused: "INVALID_REQUEST"),
        entry(Self.write, "ops", refused: "WRONG_STATE"),
        entry(Self.write, on: Self.subject, "ops", refused: "SESSION_ENDED"),
      ])
    #expect(noted.isEmpty)
    #expect(try await shop.notes.isEmpty)
    await shop.database.close()
  }

  @Test func `staff without the role of a method are on record with what they wanted`() async throws {
    hold("support")
    for method in [Self.write, Self.read] {
      await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(method, post(Self.subject.text)) }
    }
    // A request that is read when it has been let in names what it is about; others are not read.
    #expect(
      shop.trail.entries == [
        entry(Self.write, on: Self.subject, nil, refused: "PERMISSION_DENIED"),
        entry(Self.read, nil, refused: "PERMISSION_DENIED"),
      ])
    #expect(noted.isEmpty)
    await shop.database.close()
  }

  @Test func `a refusal is told while nothing can be recorded, and waits in memory`() async throws {
    hold("ops")
    shop.trail.fill()
    await expectRefusal(.notFound, "NOT_FOUND") { try await call(Self.read, post("refuse")) }
    #expect(noted == [entry(Self.read, "ops", refused: "NOT_FOUND")])
    await shop.database.close()
  }

  @Test func `what changes something is recorded with it, once for all repeats`() async throws {
    hold("ops")
    let write = post(Self.subject.text)
    for _ in 0..<2 { try await call(Self.write, write) }
    #expect(shop.trail.entries == [entry(Self.write, on: Self.subject, "ops")] && noted.isEmpty)
    await shop.database.close()
  }

  @Test func `what others do, and staff as everybody does, leaves no trace but a refusal by a role`() async throws {
    for method in [Self.own, Self.customer, Self.look] { try await call(method, post("x")) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await call(Self.look, post("refuse")) }
    hold("ops", "shop.clerk")
    for method in [Self.own, Self.customer] { try await call(method, post("x")) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await call(Self.own, post("refuse")) }
    #expect(shop.trail.entries == [] && noted == [])
    hold()
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(Self.read, post("x")) }
    #expect(shop.trail.entries == [] && noted == [entry(Self.read, nil, refused: "PERMISSION_DENIED")])
    await shop.database.close()
  }

  @Test func `what rates keep out costs no commit`() async throws {
    hold("ops")
    let narrow = shop.channel(limits: RateLimits(standard: Rate(perSecond: 1, burst: 1))) { registry in
      registry.unary(Self.read) { (_: Post, _) in ChatMessage() }
    }
    func call() async throws {
      let _: ChatMessage = try await narrow.unary(Self.read, post("x"), options: shop.credentials())
    }
    try await call()
    await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await call() }
    #expect(shop.trail.entries == [entry(Self.read, "ops")])
    #expect(noted == [entry(Self.read, "ops", refused: "RESOURCE_EXHAUSTED")])
    await shop.database.close()
  }
}
