/// Where a client's server is: `host:port` (a name, IPv4, or IPv6 in brackets) or `unix:/path`.
public struct ClientTarget: Sendable, Hashable, CustomStringConvertible {
  enum Place: Hashable {
    case address(SocketAddress)
    case name(String, port: UInt16)
  }

  let place: Place
  /// As it was given.
  public let description: String

  /// - Returns: nil if the text is none of the forms.
  public init?(_ text: String) {
    if let address = SocketAddress(text) {
      place = .address(address)
    } else if let (host, port) = SocketAddress.splitPort(text) {
      place = .name(host, port: port)
    } else {
      return nil
    }
    description = text
  }

  /// What to send as `:authority`.
  public var authority: String {
    if case .address(.unix) = place { return "localhost" }
    return description
  }

  /// The name or address that the server's certificate is to be for.
  var host: String {
    switch place {
    case .name(let host, _): host
    case .address(.unix): "localhost"
    case .address: SocketAddress.splitPort(description)?.host ?? description
    }
  }
}
