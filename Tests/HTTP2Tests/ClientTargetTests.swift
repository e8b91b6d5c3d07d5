import Testing

@testable import HTTP2

@Suite struct ClientTargetTests {
  private func addresses(_ text: String) throws -> [String]? {
    guard case .addresses(let addresses) = try #require(ClientTarget(text)).place else { return nil }
    return addresses.map(\.description)
  }

  @Test(arguments: [
    ("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:80", "[::1]:80"), ("example.org:443", "example.org:443"),
    ("unix:/run/x", "localhost"), ("unix-abstract:x", "localhost"), ("dns:///example.org:50", "example.org:50"),
    ("dns:example.org", "example.org"), ("ipv4:10.0.0.1:1,10.0.0.2:2", "10.0.0.1:1"), ("ipv6:[::1]", "[::1]:443"),
  ])
  func `targets know their authority`(text: String, authority: String) {
    #expect(ClientTarget(text)?.authority == authority)
  }

  @Test(arguments: [
    ("ipv4:1.2.3.4:80,1.2.3.5:81", ["1.2.3.4:80", "1.2.3.5:81"]), ("ipv4:1.2.3.4", ["1.2.3.4:443"]),
    ("ipv6:[2001:db8::1]:80,2001:db8::2", ["[2001:db8::1]:80", "[2001:db8::2]:443"]),
    ("dns:///1.2.3.4:80", ["1.2.3.4:80"]), ("dns:[::1]:80", ["[::1]:80"]), ("unix:/run/x", ["unix:/run/x"]),
    ("unix:///run/x", ["unix:/run/x"]), ("unix:x", ["unix:x"]), ("unix-abstract:x", ["unix-abstract:x"]),
  ])
  func `addresses need no resolver`(text: String, expected: [String]) throws {
    #expect(try addresses(text) == expected)
  }

  @Test(arguments: ["dns:///localhost:80", "dns:localhost", "localhost:80"])
  func `names need one`(text: String) throws {
    #expect(try addresses(text) == nil)
    #expect(ClientTarget(text)?.host == "localhost")
  }

  @Test(arguments: [
    "", "host", "host:", ":80", "host:70000", "::1:80", "unix:", "unix-abstract:", "ipv4:", "ipv4:[::1]:80",
    "ipv6:1.2.3.4:80", "ipv4:1.2.3.4:80,", "ipv4:host:80", "dns:", "dns:///", "dns://8.8.8.8/host:80", "dns:host:x",
    "a b:80", "a/b:80", "user@host:80", "unix:a\u{0}b",
  ])
  func `what is no target is refused`(text: String) {
    #expect(ClientTarget(text) == nil)
  }
}
