import Base
import ChatAPI
import Cryptography
import DomainKit
import Foundation
import ProtobufRuntime
import RPC
import Refusals
import Storage
import Streaming
import Testing

/// A request as small as there is one with a request_id. Its text may be the id of something.
extension Post: MutatingRequest {
  public var actedOnID: String { text }
}

/// A method that notes what it is asked to; a post of "refuse" is refused.
private func method(
  _ name: String, _ policy: MethodPolicy = MethodPolicy(access: .user, mutates: true)
) -> MethodDescriptor {
  MethodDescriptor(service: "test.Notes", name: name, kind: .unary, policy: policy)
}

private func post(_ text: String, _ requestID: String = UUID().uuidString) -> Post {
  var post = Post()
  post.requestID = requestID
  post.text = text
  return post
}

@Suite struct MutateTests {
  private let put = method("Put")

  @Test func `a database that has closed is UNAVAILABLE, as the server shuts down`() async throws {
    let workshop = try await Workshop()
    await workshop.database.close()
    await #expect(throws: KitError.overloaded) { try await workshop.kit.database.read { _ in } }
    await #expect(throws: KitError.overloaded) { try await workshop.kit.database.write { _ in } }
    await #expect(throws: KitError.overloaded) {
      _ = try await workshop.kit.hub.subscribe(Topic("test", "1"), after: 0)
    }
  }

  /// Notes the text. The reply has the note's number, and a secret that is not stored.
  private func note(
    _ kit: Kit, _ post: Post, _ context: ServerContext, _ scope: RequestScope = .caller
  ) async throws -> ChatMessage {
    let complete: @Sendable (inout ChatMessage, any Writer) throws -> Void = { reply, _ in
      reply.authorName = "secret of \(reply.number)"
    }
    return try await kit.mutate(post, context, scope: scope, complete: complete) { writer in
      if post.text == "refuse" { throw KitError.wrongState("REFUSING") }
      try writer.execute("INSERT INTO notes (text) VALUES ($1)", post.text)
      var reply = ChatMessage()
      reply.number = try writer.first("SELECT COUNT(*) FROM notes") { $0[0] } ?? 0
      return reply
    }
  }

  @Test func `a repeat gets the same reply, and its effect exists once`() async throws {
    let shop = try await Workshop()
    let channel = shop.channel { $0.unary(put) { try await note(shop.kit, $0, $1) } }
    let options = try shop.credentials()
    let request = post("first")
    let replies = try await withThrowingTaskGroup(of: ChatMessage.self) { group in
      for _ in 0..<20 { group.addTask { try await channel.unary(put, request, options: options) } }
      return try await group.reduce(into: [ChatMessage]()) { $0.append($1) }
    }
    #expect(replies.allSatisfy { $0 == replies[0] } && replies[0].number == 1)
    #expect(try await shop.notes == ["first"])
    await expectRefusal(.alreadyExists, "REQUEST_ID_REUSED") {
      try await channel.unary(put, post("second", request.requestID), as: ChatMessage.self, options: options)
    }
    // The same id of another caller, or for another method, is another request.
    let other: ChatMessage = try await channel.unary(
      put, request, options: try shop.credentials(Identifier(rawValue: 2)))
    #expect(other.number == 2)
    await shop.database.close()
  }

  @Test func `a method that keeps its request ids knows a repeat when others do not any more`() async throws {
    let shop = try await Workshop()
    let book = method("Book", MethodPolicy(access: .user, mutates: true, keepsRequestIDs: true))
    let channel = shop.channel { registry in
      for method in [put, book] { registry.unary(method) { try await note(shop.kit, $0, $1) } }
    }
    let sweep = RequestRetention(RequestRetention.shortest, clock: shop.clock)
    while try await sweep.step(shop.database) {}
    let requests = [(put, post("put")), (book, post("book"))]
    for (method, request) in requests {
      _ = try await channel.unary(method, request, as: ChatMessage.self, options: try shop.credentials())
    }
    for _ in 0..<5 * 24 {
      shop.clock.advance(by: .seconds(3600))
      while try await sweep.step(shop.database) {}
    }
    for (method, request) in requests {
      _ = try await channel.unary(method, request, as: ChatMessage.self, options: try shop.credentials())
    }
    #expect(try await shop.notes == ["put", "book", "put"])
    await shop.database.close()
  }

  @Test func `a text that no engine keeps is the client's mistake`() async throws {
    let shop = try await Workshop()
    let channel = shop.channel { $0.unary(put) { try await note(shop.kit, $0, $1) } }
    await expectRefusal(.invalidArgument, "INVALID_TEXT") {
      try await channel.unary(put, post("a\u{0}b"), as: ChatMessage.self, options: try shop.credentials())
    }
    #expect(try await shop.notes.isEmpty)
    await shop.database.close()
  }

  @Test func `what completes a reply is not stored, and the same each time`() async throws {
    let shop = try await Workshop()
    let open = method("Open", MethodPolicy(access: .public, mutates: true))
    let channel = shop.channel { $0.unary(open) { try await note(shop.kit, $0, $1, .client([])) } }
    let request = post("first")
    for _ in 0..<2 {
      let reply: ChatMessage = try await channel.unary(open, request)
      #expect(reply.authorName == "secret of 1")
    }
    let stored: [[UInt8]] = try await shop.database.read { try $0.rows("SELECT reply FROM octet_requests") { $0[0] } }
    #expect(stored.count == 1)
    #expect(try ChatMessage(decoding: stored[0]).authorName.isEmpty)
    await shop.database.close()
  }

  @Test func `the stored reply of a caller opens with the caller's own key only`() async throws {
    let shop = try await Workshop()
    let channel = shop.channel { $0.unary(put) { try await note(shop.kit, $0, $1) } }
    let reply: ChatMessage = try await channel.unary(put, post("first"), options: try shop.credentials())
    let stored: [[UInt8]] = try await shop.database.read { try $0.rows("SELECT reply FROM octet_requests") { $0[0] } }
    var plain = reply
    plain.authorName = ""
    #expect(stored.count == 1 && stored[0].count == plain.encoded().count + SealingKey.overhead)
    #expect(throws: (any Error).self) { try SealingKey(.random()).open(stored[0]) }
    await shop.database.close()
  }

  @Test func `a refusal leaves nothing, not even the request_id`() async throws {
    let shop = try await Workshop()
    let channel = shop.channel { $0.unary(put) { try await note(shop.kit, $0, $1) } }
    let id = UUID().uuidString
    await expectRefusal(.failedPrecondition, "WRONG_STATE") {
      try await channel.unary(put, post("refuse", id), as: ChatMessage.self, options: try shop.credentials())
    }
    let reply: ChatMessage = try await channel.unary(put, post("accept", id), options: try shop.credentials())
    #expect(reply.number == 1)
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await channel.unary(put, post("accept", "no uuid"), as: ChatMessage.self, options: try shop.credentials())
    }
    await shop.database.close()
  }

  @Test func `nothing commits for a session that has ended or a role that was taken, whatever memory says`()
    async throws
  {
    let shop = try await Workshop()
    let staff = method("Staff", MethodPolicy(access: .role, roles: ["ops"], mutates: true))
    let channel = shop.channel { $0.unary(staff) { try await note(shop.kit, $0, $1) } }
    let options = try shop.credentials()
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await channel.unary(staff, post("no role"), as: ChatMessage.self, options: options)
    }
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops")]), inRows: RoleSet())
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await channel.unary(staff, post("role lost"), as: ChatMessage.self, options: options)
    }
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops")]))
    _ = try await channel.unary(staff, post("as ops"), as: ChatMessage.self, options: options)
    shop.doors.endInRows(Workshop.user)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") {
      try await channel.unary(staff, post("session ended"), as: ChatMessage.self, options: options)
    }
    #expect(try await shop.notes == ["as ops"])
    await shop.database.close()
  }

  @Test func `staff who may touch what they do not own are judged again, too; owners need no role`() async throws {
    let shop = try await Workshop()
    let owned = method("Owned", MethodPolicy(access: .owner, roles: ["shop.support"], mutates: true))
    let channel = shop.channel { $0.unary(owned) { try await note(shop.kit, $0, $1) } }
    let options = try shop.credentials()
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "support")]), inRows: RoleSet())
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await channel.unary(owned, post("role lost"), as: ChatMessage.self, options: options)
    }
    shop.doors.setRoles(Workshop.user, RoleSet())
    _ = try await channel.unary(owned, post("as owner"), as: ChatMessage.self, options: options)
    #expect(try await shop.notes == ["as owner"])
    await shop.database.close()
  }

  @Test func `clients of a public method do not see each other's requests`() async throws {
    let shop = try await Workshop()
    let open = method("Open", MethodPolicy(access: .public, mutates: true))
    let channel = shop.channel {
      $0.unary(open) { (request: Post, context) in
        try await note(shop.kit, request, context, .client(Array((context.metadata["client"] ?? "").utf8)))
      }
    }
    let id = UUID().uuidString
    for (number, client) in ["a", "b"].enumerated() {
      var options = CallOptions()
      try options.metadata.add("client", client)
      for _ in 0..<2 {
        let reply: ChatMessage = try await channel.unary(open, post("from \(client)", id), options: options)
        #expect(reply.number == Int64(number + 1))
      }
    }
    await shop.database.close()
  }

  @Test func `a method without a policy is refused, but for services that are open to all`() async throws {
    let shop = try await Workshop()
    let bare = MethodDescriptor(service: "test.Bare", name: "Call", kind: .unary)
    let register: (inout ServiceRegistry) -> Void = { $0.unary(bare) { (request: Post, _) in request } }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await shop.channel(register).unary(bare, post("x"), as: Post.self, options: try shop.credentials())
    }
    _ = try await shop.channel(openServices: ["test.Bare"], register).unary(bare, post("x"), as: Post.self)
    await shop.database.close()
  }
}
