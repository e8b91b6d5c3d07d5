/// Where a server listens, and whether under TLS.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  public var address: SocketAddress
  public var isEncrypted: Bool

  public init(_ address: SocketAddress, isEncrypted: Bool) {
    self.address = address
    self.isEncrypted = isEncrypted
  }

  /// HTTP/2 with prior knowledge at `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`; port 0 lets the kernel choose.
  /// - Returns: nil if the text is none of these.
  public static func cleartext(_ text: String) -> ListenAddress? {
    SocketAddress(text).map { ListenAddress($0, isEncrypted: false) }
  }

  /// HTTP/2 over TLS; the text is as for `cleartext`.
  public static func tls(_ text: String) -> ListenAddress? {
    SocketAddress(text).map { ListenAddress($0, isEncrypted: true) }
  }

  public var description: String { isEncrypted ? "\(address) (TLS)" : "\(address)" }
}
