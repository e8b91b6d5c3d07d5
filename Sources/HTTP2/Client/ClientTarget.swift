/// Where a client's servers are, in gRPC's naming syntax (its doc/naming.md):
///
/// - `host:port`, `dns:host:port` or `dns:///host:port`: all addresses of a name; with `dns:`, the port may be missing
///   and is 443 then
/// - `ipv4:1.2.3.4:80,1.2.3.5:80` or `ipv6:[::1]:80`: these addresses, the port as above
/// - `1.2.3.4:80` or `[::1]:80`: this address
/// - `unix:/path`, `unix:path` or `unix:///path`: a socket in the file system
/// - `unix-abstract:name`: a socket in Linux's abstract namespace
///
/// A list of addresses, or a resolver of one's own, makes a target without a text.
public struct ClientTarget: Sendable, CustomStringConvertible {
  enum Place: Sendable {
    case addresses([SocketAddress])
    case resolver(any AddressResolver)
  }

  /// What gRPC takes where no port is said.
  private static let defaultPort: UInt16 = 443

  let place: Place
  /// The name or address that the servers' certificate is to be for.
  let host: String
  /// What to send as `:authority`.
  public let authority: String
  /// As it was given.
  public let description: String

  /// - Returns: nil if the text is none of the forms.
  public init?(_ text: String) {
    let scheme = text.prefix { $0 != ":" }
    switch scheme {
    case "unix", "unix-abstract":
      guard let address = SocketAddress(text) else { return nil }
      self.init(.addresses([address]), host: "localhost", authority: "localhost", text)
    case "ipv4", "ipv6":
      var addresses: [SocketAddress] = []
      let list = text.dropFirst(scheme.count + 1)
      for item in list.split(separator: ",", omittingEmptySubsequences: false) {
        guard let (host, port) = Self.endpoint(String(item)), let address = SocketAddress(host: host, port: port),
          address.isIPv4 == (scheme == "ipv4")
        else { return nil }
        addresses.append(address)
      }
      guard let first = addresses.first, let host = first.host else { return nil }
      self.init(.addresses(addresses), host: host, authority: "\(first)", text)
    case "dns":
      var name = text.dropFirst(scheme.count + 1)
      if name.hasPrefix("///") {
        name = name.dropFirst(3)
      } else if name.hasPrefix("/") {
        // A name server of one's own is not for us to ask: the system's resolver asks those that it knows.
        return nil
      }
      guard let (host, port) = Self.endpoint(String(name)) else { return nil }
      self.init(host: host, port: port, authority: String(name), text)
    default:
      guard let (host, port) = SocketAddress.splitPort(text) else { return nil }
      self.init(host: host, port: port, authority: text, text)
    }
  }

  /// Servers at known addresses.
  /// - Parameters:
  ///   - addresses: at least one.
  ///   - authority: what to send as `:authority`, and, without its port, what their certificate is to be for.
  public init(addresses: [SocketAddress], authority: String) {
    precondition(!addresses.isEmpty, "a target has an address")
    self.init(.addresses(addresses), host: Self.host(of: authority), authority: authority, authority)
  }

  /// Servers whose addresses something else knows.
  /// - Parameters:
  ///   - resolver: asked before the first connection and again when connections are lost.
  ///   - authority: what to send as `:authority`, and, without its port, what their certificate is to be for.
  public init(resolver: any AddressResolver, authority: String) {
    self.init(.resolver(resolver), host: Self.host(of: authority), authority: authority, authority)
  }

  private init(_ place: Place, host: String, authority: String, _ description: String) {
    self.place = place
    self.host = host
    self.authority = authority
    self.description = description
  }

  private init?(host: String, port: UInt16, authority: String, _ description: String) {
    guard host.utf8.allSatisfy(Self.isNameOctet) else { return nil }
    let place: Place =
      if let address = SocketAddress(host: host, port: port) {
        .addresses([address])
      } else {
        .resolver(SystemResolver(host: host, port: port))
      }
    self.init(place, host: host, authority: authority, description)
  }

  /// Whether nothing leaves the machine's kernel.
  var isLocal: Bool {
    guard case .addresses(let addresses) = place else { return false }
    return addresses.allSatisfy { if case .unix = $0 { true } else { false } }
  }

  /// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
  private static func endpoint(_ text: String) -> (host: String, port: UInt16)? {
    if let parts = SocketAddress.splitPort(text) { return parts }
    var host = text
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    // A colon is only left in an IPv6 address; elsewhere it stands before a port that is none.
    guard !host.isEmpty, !host.contains(":") || SocketAddress(host: host, port: 0) != nil else { return nil }
    return (host, defaultPort)
  }

  private static func host(of authority: String) -> String { endpoint(authority)?.host ?? authority }

  /// What may stand in a host's name or address, so that it is a good `:authority`.
  private static func isNameOctet(_ octet: UInt8) -> Bool {
    switch octet {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: ":"), UInt8(ascii: "%"):
      true
    default: false
    }
  }
}
