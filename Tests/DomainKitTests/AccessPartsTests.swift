import Base
import Cryptography
import RPC
import Testing

@testable import DomainKit

@Suite struct AccessPartsTests {
  @Test func `grants cover the platform or one resource, until they expire`() {
    let clock = ManualClock()
    let (store, other) = (SubjectID("store", Identifier(rawValue: 1)), SubjectID("store", Identifier(rawValue: 2)))
    let roles = RoleSet([
      RoleGrant(role: "ops"), RoleGrant(role: "shop.clerk", resource: store.text),
      RoleGrant(role: "support", expiresAt: clock.now() + .seconds(1)),
    ])
    #expect(roles.holds("ops") && roles.holds("rides.ops") && !roles.holds("rides.laptops"))
    #expect(!roles.holds("shop.clerk") && roles.holds(anyOf: ["shop.clerk"], onAnyOf: [store, other]))
    #expect(!roles.holds(anyOf: ["shop.clerk"], onAnyOf: [other]) && roles.holds(anyOf: ["shop.ops"], onAnyOf: [other]))
    #expect(roles.holdsSomewhere(anyOf: ["shop.clerk"]) && !roles.holdsSomewhere(anyOf: ["shop.owner"]))
    #expect(!RoleSet([RoleGrant(role: "rides.ops")]).holds("ops"))
    #expect(roles.inForce(at: clock.now()).holds("support"))
    clock.advance(by: .seconds(1))
    #expect(!roles.inForce(at: clock.now()).holds("support"))
  }

  @Test func `a machine calls what its roles allow, and nothing that is for users`() {
    func judge(_ access: MethodPolicy.Access, _ roles: [RoleGrant]) -> KitError? {
      let caller = Caller(
        user: Identifier(rawValue: 5), session: Identifier(rawValue: 6), roles: RoleSet(roles), isMachine: true)
      do throws(KitError) {
        try AccessInterceptor.judge(caller, by: MethodPolicy(access: access, roles: ["shop.clerk"]))
        return nil
      } catch {
        return error
      }
    }
    let (platform, resource) = (RoleGrant(role: "shop.clerk"), RoleGrant(role: "shop.clerk", resource: "store_1"))
    #expect(judge(.public, []) == nil)
    #expect(judge(.role, [platform]) == nil && judge(.owner, [platform]) == nil && judge(.owner, [resource]) == nil)
    #expect(judge(.role, [resource]) == .permissionDenied && judge(.owner, []) == .permissionDenied)
    #expect(judge(.owner, [RoleGrant(role: "shop.owner", resource: "store_1")]) == .permissionDenied)
    // No role is named, so none lets it in.
    #expect(judge(.user, [RoleGrant(role: "admin")]) == .permissionDenied)
  }

  @Test func `a machine's token is no user's`() throws {
    let keys = try ServerKeys(root: .random())
    let (user, session) = (Identifier(rawValue: 5), Identifier(rawValue: 6))
    let machine = AccessToken(user: user, session: session, epoch: 0, expiresAt: ManualClock().now(), isMachine: true)
    let text = AccessToken.sign(machine.unsignedText, keys: keys)
    #expect(AccessToken(text, keys: keys) == machine)
    #expect(AccessToken("oa1." + text.dropFirst(4), keys: keys) == nil)
  }

  @Test func `a token is read back, and every changed character is refused`() throws {
    let keys = try ServerKeys(root: .random())
    let token = AccessToken(
      user: Identifier(rawValue: 5), session: Identifier(rawValue: .max), epoch: 3, expiresAt: ManualClock().now())
    let text = AccessToken.sign(token.unsignedText, keys: keys)
    #expect(AccessToken(text, keys: keys) == token)
    #expect(AccessToken(text, keys: try ServerKeys(root: .random())) == nil)
    #expect(AccessToken(token.unsignedText, keys: keys) == nil)
    for index in text.indices {
      var changed = text
      changed.replaceSubrange(index...index, with: text[index] == "A" ? "B" : "A")
      #expect(AccessToken(changed, keys: keys) == nil, "\(changed)")
    }
  }
}
