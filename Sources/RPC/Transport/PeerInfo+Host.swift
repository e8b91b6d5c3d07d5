extension PeerInfo {
  /// An address without scheme and port: `127.0.0.1`, `::1`; a Unix socket's whole path.
  static func host(of address: String) -> String {
    let text = address.utf8
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { return address }
    let scheme = address[..<colon]
    var rest = address[text.index(after: colon)...]
    guard scheme == "ipv4" || scheme == "ipv6", let port = rest.utf8.lastIndex(of: UInt8(ascii: ":")) else {
      return String(rest)
    }
    rest = rest[..<port]
    return rest.first == "[" && rest.last == "]" ? String(rest.dropFirst().dropLast()) : String(rest)
  }
}
