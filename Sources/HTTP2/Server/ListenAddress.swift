/// Where a server listens, whether under TLS, and how it accepts.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  public var address: SocketAddress
  public var isEncrypted: Bool

  /// Whether each event loop listens with a socket of its own and keeps what it accepts (SO_REUSEPORT). The kernel
  /// spreads connections by a hash, which with few of them leaves loops idle; with very many short ones it saves handing
  /// each over. Other processes of the same user can then listen at the address too, say a new version beside the old.
  /// Has no meaning for Unix sockets.
  public var acceptsOnEveryLoop = false

  /// The permission bits of a Unix socket's file, such as 0o660; nil leaves it to the umask.
  public var fileMode: UInt32?

  public init(_ address: SocketAddress, isEncrypted: Bool) {
    self.address = address
    self.isEncrypted = isEncrypted
  }

  /// HTTP/2 with prior knowledge at `127.0.0.1:8080`, `[::1]:8080`, `unix:/path` or `unix-abstract:name`; port 0
  /// lets the kernel choose.
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
