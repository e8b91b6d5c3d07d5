/// Whom the connections of one client are counted for: an IPv4 address, or the /64 of an IPv6 address, within which one
/// host can take any address it likes.
struct PeerNetwork: Hashable, Sendable {
  private let prefix: UInt64

  /// - Returns: nil for peers whose connections are not counted: Unix sockets, and loopback unless `countsLoopback`.
  init?(_ address: SocketAddress, countsLoopback: Bool) {
    switch address {
    case .ipv4(let octets, _):
      guard countsLoopback || octets.first != 127 else { return nil }
      // The top of the IPv6 space is multicast, so that no /64 has this prefix.
      prefix = octets.reduce(0xff << 56) { $0 & 0xff << 56 | ($0 << 8 | UInt64($1)) & 0xffff_ffff }
    case .ipv6(let octets, _):
      let isLoopback = octets.last == 1 && octets.dropLast().allSatisfy { $0 == 0 }
      guard countsLoopback || !isLoopback else { return nil }
      prefix = octets.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    case .unix:
      return nil
    }
  }
}
