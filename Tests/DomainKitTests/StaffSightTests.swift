import Base
import ChatAPI
import DomainKit
import Foundation
import RPC
import Refusals
import Storage
import Testing

/// A diary is seen by its owner and by staff, and what is written in it by those who see the diary. It is there unless its
/// number is odd.
private struct Diary: SubjectKind {
  let prefix = "diary"

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    id.rawValue % 2 == 0 ? SubjectFacts(owner: Workshop.user) : nil
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let caller else { return false }
    return caller.user == Workshop.user || caller.roles.isStaff
  }
}

private struct Page: SubjectKind {
  let subjects: SubjectRegistry
  let prefix = "page"

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    SubjectFacts(owner: Workshop.user, parent: SubjectID("diary", id))
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    try subjects.isVisible(beneath: SubjectID("diary", id), to: caller, in: reader)
  }
}

/// A wall that all see, but for those whom its owner has blocked.
private struct Wall: SubjectKind {
  let prefix = "wall"

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? { SubjectFacts(owner: Workshop.user) }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool { true }
}

/// Invariant 12, of what a role of staff shows where no policy asks for one: sight that others in the same place would not
/// have is on record before it is told.
@Suite struct StaffSightTests {
  private static func method(
    _ name: String, _ access: MethodPolicy.Access, _ kind: MethodKind = .unary, mutates: Bool = false
  ) -> MethodDescriptor {
    MethodDescriptor(
      service: "test.Shelf", name: name, kind: kind, policy: MethodPolicy(access: access, mutates: mutates))
  }

  private static let open = method("Open", .public)
  private static let list = method("List", .user)
  private static let watch = method("Watch", .public, .serverStreaming)
  private static let comment = method("Comment", .user, mutates: true)
  private static let talk = method("Talk", .user, .bidirectional, mutates: true)
  private static let crowd = method("Crowd", .user, .bidirectional, mutates: true)
  private static let diary = SubjectID("diary", Identifier(rawValue: 4))
  private static let reader = Identifier(rawValue: 2)

  private let shop: Workshop
  private let channel: RPCChannel

  init() async throws {
    let shop = try await Workshop()
    let subjects = shop.kit.subjects
    subjects.register([Diary(), Page(subjects: subjects), Wall()])
    self.shop = shop
    channel = shop.channel { registry in
      registry.unary(Self.open) { (post: Post, context) async throws -> ChatMessage in
        let subject = try subjects.parse(post.text, field: "text")
        _ = try await shop.kit.database.read { try subjects.visible(subject, to: context.caller, in: $0).facts }
        return ChatMessage()
      }
      registry.unary(Self.list) { (_: Post, context) async throws -> ChatMessage in
        let seen = try await shop.kit.database.read { reader in
          try (4..<8).filter {
            try subjects.isVisible(SubjectID("diary", Identifier(rawValue: $0)), to: context.caller, in: reader)
          }
        }
        var reply = ChatMessage()
        reply.number = Int64(seen.count)
        return reply
      }
      registry.serverStreaming(Self.watch) { (post: Post, responses: ResponseWriter<ChatMessage>, context) in
        for subject in post.text.split(separator: " ").compactMap({ SubjectID(parsing: String($0)) }) {
          _ = try await shop.kit.database.read { try subjects.visible(subject, to: context.caller, in: $0).facts }
          try await responses.write(ChatMessage())
        }
      }
      registry.bidirectional(Self.talk) {
        (posts: RequestReader<Post>, responses: ResponseWriter<ChatMessage>, context) in
        let caller = try context.requireCaller()
        while let post = try await posts.next() {
          let subject = try subjects.parse(post.text, field: "text")
          let reply = try await shop.kit.mutate(post, context) { writer in
            _ = try subjects.visible(subject, to: caller, in: writer)
            return ChatMessage()
          }
          try await responses.write(reply)
        }
      }
      registry.bidirectional(Self.crowd) {
        (posts: RequestReader<Post>, responses: ResponseWriter<ChatMessage>, context) in
        let caller = try context.requireCaller()
        let post = try await posts.next() ?? Post()
        let subject = try subjects.parse(post.text, field: "text")
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<20 {
            var change = post
            change.requestID = UUID().uuidString
            group.addTask { [change] in
              _ = try await shop.kit.mutate(change, context) { writer in
                _ = try subjects.visible(subject, to: caller, in: writer)
                return ChatMessage()
              }
            }
          }
          group.addTask {
            for _ in 0..<20 {
              _ = try await shop.kit.database.read { try subjects.visible(subject, to: caller, in: $0).facts }
              try await responses.write(ChatMessage())
            }
          }
          try await group.waitForAll()
        }
      }
      registry.unary(Self.comment) { (post: Post, context) async throws -> ChatMessage in
        let caller = try context.requireCaller()
        let subject = try subjects.parse(post.text, field: "text")
        return try await shop.kit.mutate(post, context) { writer in
          _ = try subjects.visible(subject, to: caller, in: writer)
          return ChatMessage()
        }
      }
    }
  }

  private func post(_ text: String) -> Post {
    var post = Post()
    (post.requestID, post.text) = (UUID().uuidString, text)
    return post
  }

  @discardableResult
  private func call(_ method: MethodDescriptor, _ text: String, by user: Identifier = reader) async throws
    -> ChatMessage
  {
    try await channel.unary(method, post(text), options: shop.credentials(user))
  }

  private func hire(_ roles: String...) {
    shop.doors.setRoles(Self.reader, RoleSet(roles.map { RoleGrant(role: $0) }))
  }

  private func entry(_ method: MethodDescriptor, on object: SubjectID?, _ roles: String...) -> AuditEntry {
    AuditEntry(.call(method), by: .user(Self.reader), on: object, roles.map { .role($0) })
  }

  private var trail: [AuditEntry] { shop.trail.entries }

  @Test func `what others would not see is on record once, whatever it hangs on`() async throws {
    hire("ops", "shop.clerk")
    try await call(Self.open, Self.diary.text)
    #expect(trail == [entry(Self.open, on: Self.diary, "ops")])
    let page = SubjectID("page", Self.diary.id)
    try await call(Self.open, page.text)
    #expect(trail.dropFirst() == [entry(Self.open, on: page, "ops")])
    #expect(shop.kit.notedCalls.take().entries.isEmpty)
    await shop.database.close()
  }

  @Test func `what others see too is not, nor what nobody sees, nor what is not there`() async throws {
    try await call(Self.open, Self.diary.text, by: Workshop.user)
    await expectRefusal(.notFound, "NOT_FOUND") { try await call(Self.open, Self.diary.text) }
    hire("ops")
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "ops")]))
    try await call(Self.open, Self.diary.text, by: Workshop.user)
    try await call(Self.open, SubjectID("wall", Self.reader).text)
    await expectRefusal(.notFound, "NOT_FOUND") {
      try await call(Self.open, SubjectID("diary", Identifier(rawValue: 5)).text)
    }
    #expect(trail.isEmpty && shop.kit.notedCalls.take().entries.isEmpty)
    await shop.database.close()
  }

  @Test func `a list with such things has one record, of the first of them`() async throws {
    hire("support")
    #expect(try await call(Self.list, "x").number == 2)
    #expect(trail == [entry(Self.list, on: Self.diary, "support")])
    await shop.database.close()
  }

  @Test func `a stream that comes to such a thing is on record before it tells of it`() async throws {
    hire("moderator")
    shop.trail.fill()
    let wall = SubjectID("wall", Identifier(rawValue: 4))
    let stream: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post("\(wall.text) \(Self.diary.text) \(wall.text)"), options: try shop.credentials(Self.reader))
    #expect(try await stream.responses.next() != nil)
    await expectRefusal(.unavailable, "STORAGE_FULL") { _ = try await stream.responses.next() }
    #expect(trail.isEmpty)
    await shop.database.close()
  }

  @Test func `it is recorded once`() async throws {
    hire("moderator")
    let stream: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
      Self.watch, post("\(Self.diary.text) \(Self.diary.text)"), options: try shop.credentials(Self.reader))
    while try await stream.responses.next() != nil {}
    #expect(trail == [entry(Self.watch, on: Self.diary, "moderator")])
    await shop.database.close()
  }

  @Test func `what it lets somebody change is recorded with the change, once for all repeats`() async throws {
    hire("admin")
    let request = post(Self.diary.text)
    for _ in 0..<2 {
      let _: ChatMessage = try await channel.unary(Self.comment, request, options: shop.credentials(Self.reader))
    }
    #expect(trail == [entry(Self.comment, on: Self.diary, "admin")])
    #expect(shop.kit.notedCalls.take().entries.isEmpty)
    await shop.database.close()
  }

  @Test func `of a stream that changes things it is recorded once, and what everybody may do is not`() async throws {
    hire("moderator")
    let talk: BidirectionalCall<Post, ChatMessage> = channel.bidirectional(
      Self.talk, options: try shop.credentials(Self.reader))
    let wall = SubjectID("wall", Identifier(rawValue: 4))
    for subject in [wall, Self.diary, wall, wall] {
      try await talk.requests.write(post(subject.text))
      #expect(try await talk.responses.next() != nil)
    }
    talk.requests.finish()
    while try await talk.responses.next() != nil {}
    #expect(trail == [entry(Self.talk, on: Self.diary, "moderator")])
    #expect(shop.kit.notedCalls.take().entries.isEmpty)
    await shop.database.close()
  }

  @Test func `however much happens in a call at once, it is recorded once`() async throws {
    hire("moderator")
    let crowd: BidirectionalCall<Post, ChatMessage> = channel.bidirectional(
      Self.crowd, options: try shop.credentials(Self.reader))
    try await crowd.requests.write(post(Self.diary.text))
    crowd.requests.finish()
    while try await crowd.responses.next() != nil {}
    #expect(trail == [entry(Self.crowd, on: Self.diary, "moderator")])
    await shop.database.close()
  }

  @Test func `a role that was taken since the call came shows nothing to what changes something`() async throws {
    let moderator = RoleSet([RoleGrant(role: "moderator")])
    shop.doors.setRoles(Self.reader, moderator, inRows: RoleSet())
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(Self.comment, Self.diary.text) }
    let wall = SubjectID("wall", Identifier(rawValue: 4))
    try await call(Self.comment, wall.text)
    // Of a stream it is what memory knew when that began; what all see goes on.
    shop.doors.setRoles(Self.reader, moderator)
    let talk: BidirectionalCall<Post, ChatMessage> = channel.bidirectional(
      Self.talk, options: try shop.credentials(Self.reader))
    for subject in [Self.diary, wall] {
      try await talk.requests.write(post(subject.text))
      #expect(try await talk.responses.next() != nil)
      shop.doors.setRoles(Self.reader, RoleSet())
    }
    try await talk.requests.write(post(Self.diary.text))
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { _ = try await talk.responses.next() }
    // Who sees the thing without the role is not concerned.
    shop.doors.setRoles(Workshop.user, moderator, inRows: RoleSet())
    try await call(Self.comment, Self.diary.text, by: Workshop.user)
    await shop.database.close()
  }

  @Test func `whoever holds no role of staff pays for no look at roles`() async throws {
    shop.doors.setRoles(Self.reader, RoleSet([RoleGrant(role: "shop.clerk")]))
    let before = shop.doors.looksAtRows
    try await call(Self.comment, SubjectID("wall", Identifier(rawValue: 4)).text)
    #expect(shop.doors.looksAtRows == before)
    await shop.database.close()
  }
}
