import Base
import ChatAPI
import Foundation
import RPC
import Refusals
import Storage
import Testing

@testable import DomainKit

/// Whoever calls again with the same access token.
@Suite struct SignedInTests {
  private static let look = MethodDescriptor(
    service: "test.Door", name: "Look", kind: .unary, policy: MethodPolicy(access: .user, roles: []))

  private struct Seen: Sendable {
    let user: Identifier?
    let roles: RoleSet?
    let object: ObjectIdentifier?
  }

  /// A server whose method notes who calls it.
  private func open() async throws -> (Workshop, look: (CallOptions) async throws -> Seen) {
    let (workshop, seen) = (try await Workshop(), Locked<[Seen]>([]))
    let channel = workshop.channel { registry in
      registry.unary(Self.look) { (_: Post, context) -> ChatMessage in
        let object = context.principal.map { ObjectIdentifier($0) }
        seen.withLock { $0.append(Seen(user: context.caller?.user, roles: context.caller?.roles, object: object)) }
        return ChatMessage()
      }
    }
    return (
      workshop,
      { options in
        var post = Post()
        (post.requestID, post.text) = (UUID().uuidString, "x")
        let _: ChatMessage = try await channel.unary(Self.look, post, options: options)
        return try #require(seen.withLock { $0.last })
      }
    )
  }

  @Test func `calls with one token share what is known of the caller, and callers in turns are told apart`()
    async throws
  {
    let (workshop, look) = try await open()
    let users = (1...3).map { Identifier(rawValue: $0) }
    for user in users { workshop.doors.setRoles(user, RoleSet()) }
    let credentials = try users.map { try workshop.credentials($0) }
    var objects: [Identifier: ObjectIdentifier] = [:]
    for _ in 0..<3 {
      for (user, options) in zip(users, credentials) {
        for _ in 0..<2 {
          let seen = try await look(options)
          #expect(seen.user == user)
          #expect(objects[user] ?? seen.object == seen.object)
          objects[user] = seen.object
        }
      }
    }
    #expect(Set(objects.values).count == 3)
    await workshop.database.close()
  }

  @Test(arguments: [true, false])
  func `the roles of a call are those of its time, whatever is remembered of the token`(isInMemory: Bool) async throws {
    let (workshop, look) = try await open()
    workshop.doors.remembersRoles = isInMemory
    let options = try workshop.credentials()
    let soon = workshop.clock.now() + .seconds(5)
    let ops = RoleSet([RoleGrant(role: "ops"), RoleGrant(role: "support", expiresAt: soon)])
    for roles in [RoleSet(), ops, RoleSet([RoleGrant(role: "admin")]), RoleSet(), ops] {
      workshop.doors.setRoles(Workshop.user, roles)
      for _ in 0..<2 { #expect(try await look(options).roles == roles) }
    }
    workshop.clock.advance(by: .seconds(5))
    #expect(try await look(options).roles == RoleSet([RoleGrant(role: "ops")]))
    await workshop.database.close()
  }

  @Test(arguments: [true, false])
  func `a token that is remembered lets nobody in when its session or its time is over`(isInMemory: Bool) async throws {
    let (workshop, look) = try await open()
    workshop.doors.remembersRoles = isInMemory
    let (ada, eve) = (Identifier(rawValue: 1), Identifier(rawValue: 2))
    for user in [ada, eve] { workshop.doors.setRoles(user, RoleSet()) }
    let (adas, eves) = (try workshop.credentials(ada), try workshop.credentials(eve))
    for options in [adas, eves] { _ = try await look(options) }
    workshop.doors.end(ada)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { _ = try await look(adas) }
    workshop.clock.advance(by: AccessToken.lifetime - .milliseconds(1))
    #expect(try await look(eves).user == eve)
    workshop.clock.advance(by: .milliseconds(1))
    for options in [adas, eves] {
      await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { _ = try await look(options) }
    }
    await workshop.database.close()
  }

  @Test func `the scheme's name has any case, and only its token counts`() throws {
    func text(_ field: String) -> TokenText? { TokenText(authorization: Array(field.utf8)[...]) }
    let token = "oa1.AbCd_-09.AAAAAAAAAAAAAAAA"
    let plain = try #require(text("Bearer " + token))
    #expect(String(decoding: plain.octets, as: UTF8.self) == token)
    for scheme in ["bearer", "BEARER", "bEaReR"] {
      let other = try #require(text(scheme + " " + token))
      #expect(other == plain && other.hashValue == plain.hashValue)
    }
    for other in ["", "Bearer", "Bearer ", "Basic " + token, token, "Bearer:" + token, "Bearer\t" + token] {
      #expect(text(other) == nil, "\(other)")
    }
    // Each octet counts.
    for index in token.indices {
      var changed = token
      changed.replaceSubrange(index...index, with: token[index] == "x" ? "y" : "x")
      #expect(text("Bearer " + changed) != plain, "\(changed)")
    }
    #expect(text("Bearer " + token + "A") != plain && text("Bearer " + token.dropLast()) != plain)
    // Shorter than what is hashed.
    #expect(text("Bearer a") == text("bearer a") && text("Bearer a") != text("Bearer b"))
  }
}
