extension PeerInfo {
  /// The address without scheme and port: `127.0.0.1`, `::1`; a Unix socket's whole path.
  public var host: String {
    guard let colon = address.firstIndex(of: ":") else { return address }
    let scheme = address[..<colon]
    var rest = address[address.index(after: colon)...]
    guard scheme == "ipv4" || scheme == "ipv6", let port = rest.lastIndex(of: ":") else { return String(rest) }
    rest = rest[..<port]
    return rest.first == "[" && rest.last == "]" ? String(rest.dropFirst().dropLast()) : String(rest)
  }
}
