import Base
import ChatAPI
import DomainKit
import Foundation
import RPC
import Refusals
import Storage
import Testing

/// A till in a store of a merchant.
private struct Trade: SubjectKind {
  let prefix: String
  let above: String?

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    // What has the number 9 is gone.
    id.rawValue == 9 ? nil : SubjectFacts(owner: nil, parent: above.map { SubjectID($0, id) })
  }

  static let kinds = [
    Trade(prefix: "till", above: "store"), Trade(prefix: "store", above: "merchant"),
    Trade(prefix: "merchant", above: nil),
  ]
}

@Suite struct ResourceRoleTests {
  private static let sell = MethodDescriptor(
    service: "test.Notes", name: "Sell", kind: .unary,
    policy: MethodPolicy(access: .role, roles: ["shop.clerk", "shop.ops"], resourceField: "text", mutates: true))
  private static let look = MethodDescriptor(
    service: "test.Notes", name: "Look", kind: .serverStreaming,
    policy: MethodPolicy(access: .role, roles: ["shop.clerk"], resourceField: "text"))

  private func shop(_ access: MethodPolicy.Access = .role) async throws -> (Workshop, RPCChannel) {
    let shop = try await Workshop()
    shop.kit.subjects.register(Trade.kinds)
    let channel = shop.channel { registry in
      registry.unary(Self.sell, about: { (post: Post) in post.text }) { (post: Post, context) in
        try await shop.kit.mutate(post, context) { writer in
          try writer.execute("INSERT INTO notes (text) VALUES ($1)", post.text)
          return ChatMessage()
        }
      }
      registry.serverStreaming(Self.look, about: { (post: Post) in post.text }) {
        (post: Post, responses: ResponseWriter<ChatMessage>, _) in try await responses.write(ChatMessage())
      }
      registry.changePolicy(ofService: Self.sell.service) { $0.access = access }
    }
    return (shop, channel)
  }

  private func call(_ channel: RPCChannel, _ shop: Workshop, _ kind: String, _ number: Int64) async throws {
    var post = Post()
    post.requestID = UUID().uuidString
    post.text = Identifier(rawValue: number).text(kind: kind)
    let _: ChatMessage = try await channel.unary(Self.sell, post, options: shop.credentials())
  }

  private func give(_ shop: Workshop, _ grants: [RoleGrant], inRows: [RoleGrant]? = nil) {
    shop.doors.setRoles(Workshop.user, RoleSet(grants), inRows: inRows.map { RoleSet($0) })
  }

  private func clerk(of kind: String, _ number: Int64) -> RoleGrant {
    RoleGrant(role: "shop.clerk", resource: Identifier(rawValue: number).text(kind: kind))
  }

  @Test func `acceptance 4: a clerk of one merchant does nothing at another`() async throws {
    let (shop, channel) = try await shop()
    give(shop, [clerk(of: "merchant", 1)])
    // A grant covers what lies under its resource, however deep.
    for kind in ["merchant", "store", "till"] { try await call(channel, shop, kind, 1) }
    for kind in ["merchant", "store", "till"] {
      await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(channel, shop, kind, 2) }
    }
    // Not what lies above, nor beside, nor what is gone: that lies under nothing.
    give(shop, [clerk(of: "store", 1), clerk(of: "merchant", 9)])
    try await call(channel, shop, "till", 1)
    for (kind, number) in [("merchant", 1), ("store", 2), ("till", 9), ("store", 9)] as [(String, Int64)] {
      await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(channel, shop, kind, number) }
    }
    // Another role on the right resource, and no kind that there is.
    give(shop, [RoleGrant(role: "shop.cook", resource: Identifier(rawValue: 1).text(kind: "merchant"))])
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(channel, shop, "merchant", 1) }
    give(shop, [clerk(of: "merchant", 1)])
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(channel, shop, "song", 1) }
    #expect(try await shop.notes.count == 4)
    await shop.database.close()
  }

  @Test func `a role on the whole platform covers each resource`() async throws {
    let (shop, channel) = try await shop()
    give(shop, [RoleGrant(role: "ops")])
    for number in [1, 2, 9] as [Int64] { try await call(channel, shop, "till", number) }
    await shop.database.close()
  }

  @Test func `where the operator has opened a method to all users, holders of its roles are let in as well`()
    async throws
  {
    let (shop, channel) = try await shop(.user)
    for grants in [[], [clerk(of: "store", 1)], [RoleGrant(role: "ops")]] {
      give(shop, grants)
      try await call(channel, shop, "till", 1)
    }
    await shop.database.close()
  }

  @Test func `invariant 2: nothing commits for a grant that is over, whatever memory says`() async throws {
    let (shop, channel) = try await shop()
    give(shop, [clerk(of: "merchant", 1)], inRows: [])
    for kind in ["merchant", "till"] {
      await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(channel, shop, kind, 1) }
    }
    give(shop, [clerk(of: "merchant", 1)], inRows: [clerk(of: "merchant", 2)])
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call(channel, shop, "till", 1) }
    #expect(try await shop.notes.isEmpty)
    await shop.database.close()
  }

  @Test func `streams are judged before they begin`() async throws {
    let (shop, channel) = try await shop()
    var post = Post()
    post.requestID = UUID().uuidString
    post.text = Identifier(rawValue: 1).text(kind: "till")
    let request = post
    func look() async throws -> Int {
      let call: ServerStreamingCall<ChatMessage> = channel.serverStreaming(
        Self.look, request, options: try shop.credentials())
      var count = 0
      while try await call.responses.next() != nil { count += 1 }
      return count
    }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await look() }
    give(shop, [clerk(of: "store", 1)])
    #expect(try await look() == 1)
    await shop.database.close()
  }

  @Test func `a chain that goes round in a circle ends`() async throws {
    struct Loop: SubjectKind {
      let prefix: String
      let above: String
      func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
        SubjectFacts(owner: nil, parent: SubjectID(above, Identifier(rawValue: id.rawValue + 1)))
      }
    }
    let shop = try await Workshop()
    shop.kit.subjects.register([Loop(prefix: "hen", above: "egg"), Loop(prefix: "egg", above: "hen")])
    let subjects = shop.kit.subjects
    let chain = try await shop.database.read {
      try subjects.chain(of: SubjectID("hen", Identifier(rawValue: 1)), in: $0)
    }
    #expect(chain.map(\.kind) == ["hen", "egg", "hen", "egg", "hen", "egg", "hen", "egg"])
    await shop.database.close()
  }

  @Test func `a role that the platform's staff would hold unawares is refused`() async {
    await #expect(processExitsWith: .failure) { _ = RoleCatalog([.given("shop.support")]) }
    await #expect(processExitsWith: .failure) {
      _ = RoleCatalog([.resource("shop.admin", of: "store", givenBy: ["admin"])])
    }
    #expect(RoleCatalog([.staff("shop.support")]).isStaff("shop.support"))
  }

  @Test func `policies ask for roles that somebody can hold`() {
    let catalog = RoleCatalog([.staff("shop.ops"), .resource("shop.clerk", of: "store", givenBy: ["shop.ops"])])
    func method(_ access: MethodPolicy.Access, _ roles: [String], _ field: String? = nil) -> MethodDescriptor {
      MethodDescriptor(
        service: "test.Notes", name: "M", kind: .unary,
        policy: MethodPolicy(access: access, roles: roles, resourceField: field))
    }
    #expect(
      catalog.faults(of: [
        method(.role, ["shop.ops", "admin"]), method(.role, ["shop.clerk"], "store_id"), method(.owner, ["shop.clerk"]),
      ]) == [])
    #expect(
      catalog.faults(of: [method(.role, ["shop.clerk"]), method(.owner, ["shop.king"])]) == [
        "/test.Notes/M asks for shop.clerk, which is held on a resource, and names none",
        "/test.Notes/M asks for shop.king, which no domain declares",
      ])
    #expect(catalog.isStaff("shop.ops") && catalog.isStaff("moderator"))
    #expect(!catalog.isStaff("shop.clerk") && !catalog.isStaff("user.verified") && !catalog.isStaff("king.ops"))
  }
}
