import Base
import Cryptography
import RPC
import Testing

@testable import DomainKit

@Suite struct AccessPartsTests {
  @Test func `a bucket lets a burst pass, then one per interval, and says how long to wait`() {
    let clock = ManualClock()
    var bucket = TokenBucket(now: clock.now())
    let rate = Rate(perSecond: 2, burst: 3)
    for _ in 0..<3 { #expect(bucket.take(rate, now: clock.now()) == nil) }
    #expect(bucket.take(rate, now: clock.now()) == .milliseconds(500))
    clock.advance(by: .milliseconds(499))
    #expect(bucket.take(rate, now: clock.now()) == .milliseconds(1))
    clock.advance(by: .milliseconds(1))
    #expect(bucket.take(rate, now: clock.now()) == nil)
    clock.advance(by: .seconds(3600))
    for _ in 0..<3 { #expect(bucket.take(rate, now: clock.now()) == nil) }
    #expect(bucket.take(rate, now: clock.now()) != nil)
  }

  @Test func `a cache stays within its bound and keeps what is used`() {
    var cache = BoundedCache<Int, Int>(capacity: 10)
    for number in 0..<1000 {
      cache[number] = number
      #expect(cache[0] == 0)
      #expect(cache.count <= 10)
    }
    #expect(cache[500] == nil && cache[999] == 999)
    cache[0] = nil
    #expect(cache[0] == nil)
  }

  @Test func `grants cover the platform or one resource, until they expire`() {
    let clock = ManualClock()
    let roles = RoleSet([
      RoleGrant(role: "ops"), RoleGrant(role: "shop.clerk", resource: "store_1"),
      RoleGrant(role: "support", expiresAt: clock.now() + .seconds(1)),
    ])
    #expect(roles.holds("ops") && roles.holds("rides.ops") && !roles.holds("rides.laptops"))
    #expect(!roles.holds("shop.clerk") && roles.holds("shop.clerk", on: "store_1"))
    #expect(!roles.holds("shop.clerk", on: "store_2") && roles.holds("shop.ops", on: "store_2"))
    #expect(!RoleSet([RoleGrant(role: "rides.ops")]).holds("ops"))
    #expect(roles.inForce(at: clock.now()).holds("support"))
    clock.advance(by: .seconds(1))
    #expect(!roles.inForce(at: clock.now()).holds("support"))
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

  @Test(arguments: [
    ("ipv4:127.0.0.1:4711", "127.0.0.1"), ("ipv6:[::1]:4711", "::1"), ("unix:/run/octet.sock", "/run/octet.sock"),
    ("inprocess:", ""),
  ])
  func `the host of a peer is its address without the port`(address: String, host: String) {
    #expect(PeerInfo(address: address, isEncrypted: false).host == host)
  }
}
