internal import CLinux

/// Where a socket is bound or connected to: an IPv4 or IPv6 address with a port, or a Unix socket.
public enum SocketAddress: Sendable, Hashable {
  /// Four octets in network order, and the port.
  case ipv4([UInt8], port: UInt16)
  /// Sixteen octets in network order, and the port.
  case ipv6([UInt8], port: UInt16)
  /// The path of a Unix socket; one that begins with NUL is a name without a file (unix(7), "abstract").
  case unix(path: String)

  /// Reads `127.0.0.1:8080`, `[::1]:8080`, `unix:/path` (also `unix:///path`) or `unix-abstract:name`. Names are not
  /// resolved here; see `AddressResolver`.
  /// - Returns: nil for anything else.
  public init?(_ text: String) {
    if text.hasPrefix("unix-abstract:") {
      let name = String(text.dropFirst(14))
      guard !name.isEmpty, name.utf8.count + 1 < Self.pathCapacity else { return nil }
      self = .unix(path: "\0" + name)
      return
    }
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(text.hasPrefix("unix:///") ? 7 : 5))
      guard !path.isEmpty, !path.utf8.contains(0), path.utf8.count < Self.pathCapacity else { return nil }
      self = .unix(path: path)
      return
    }
    guard let (host, port) = Self.splitPort(text) else { return nil }
    self.init(host: host, port: port)
  }

  /// Reads a literal IPv4 or IPv6 address, without brackets.
  init?(host: String, port: UInt16) {
    var octets = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, host, &octets) == 1 {
      self = .ipv4(Array(octets.prefix(4)), port: port)
    } else if inet_pton(AF_INET6, host, &octets) == 1 {
      self = .ipv6(octets, port: port)
    } else {
      return nil
    }
  }

  /// Takes `host:port` apart; an IPv6 host stands in brackets, which are removed.
  static func splitPort(_ text: String) -> (host: String, port: UInt16)? {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
    guard let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    return host.isEmpty ? nil : (String(host), port)
  }

  /// The port, or nil for a Unix socket.
  public var port: UInt16? {
    switch self {
    case .ipv4(_, let port), .ipv6(_, let port): port
    case .unix: nil
    }
  }

  /// Whether it is the name of an abstract Unix socket, which is no file.
  var isAbstract: Bool {
    if case .unix(let path) = self { path.utf8.first == 0 } else { false }
  }

  var isIPv4: Bool {
    if case .ipv4 = self { true } else { false }
  }

  /// The address without its port; nil for a Unix socket.
  var host: String? {
    switch self {
    case .ipv4, .ipv6: Self.splitPort(description)?.host
    case .unix: nil
    }
  }

  private static let pathCapacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
}

extension SocketAddress: CustomStringConvertible {
  /// The form that `init(_:)` reads.
  public var description: String {
    switch self {
    case .ipv4(let octets, let port): "\(octets.map(String.init).joined(separator: ".")):\(port)"
    case .ipv6(let octets, let port): "[\(Self.ipv6Text(octets))]:\(port)"
    case .unix(let path): isAbstract ? "unix-abstract:\(path.dropFirst())" : "unix:\(path)"
    }
  }

  /// The form of `PeerInfo.address`: `ipv4:127.0.0.1:4711`, `ipv6:[::1]:4711`, `unix:/path`, `unix-abstract:name`.
  var peerText: String {
    switch self {
    case .ipv4: "ipv4:\(self)"
    case .ipv6: "ipv6:\(self)"
    case .unix: description
    }
  }

  private static func ipv6Text(_ octets: [UInt8]) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      let result = inet_ntop(AF_INET6, octets, text.baseAddress, socklen_t(text.count))
      precondition(result != nil, "sixteen octets always have a text")
      return String(cString: result.unsafelyUnwrapped)
    }
  }
}

extension SocketAddress {
  /// The protocol family for `socket`.
  var family: Int32 {
    switch self {
    case .ipv4: AF_INET
    case .ipv6: AF_INET6
    case .unix: AF_UNIX
    }
  }

  /// Hands the address to C in its own form; the pointer is valid inside `body` only.
  func withSockaddr<Result, Failure: Error>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var storage = sockaddr_storage()
    let length: Int
    switch self {
    case .ipv4(let octets, let port):
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: octets.prefix($0.count)) }
      length = MemoryLayout<sockaddr_in>.size
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
    case .ipv6(let octets, let port):
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: octets.prefix($0.count)) }
      length = MemoryLayout<sockaddr_in6>.size
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
    case .unix(let path):
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
      // A name without a file ends with the address; a path ends with NUL.
      length =
        isAbstract
        ? MemoryLayout<sa_family_t>.size + min(path.utf8.count, Self.pathCapacity - 1) : MemoryLayout<sockaddr_un>.size
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_un.self) }
    }
    let result: Swift.Result<Result, Failure> = withUnsafePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        do throws(Failure) {
          return .success(try body(pointer, socklen_t(length)))
        } catch {
          return .failure(error)
        }
      }
    }
    return try result.get()
  }

  /// Reads the form of C, of which `length` octets are filled.
  /// - Returns: nil for a family other than the three.
  init?(_ storage: sockaddr_storage, length: socklen_t) {
    self.init(withUnsafeBytes(of: storage) { [UInt8]($0.prefix(Int(length))) })
  }

  /// Reads the octets of a `sockaddr`.
  init?(_ octets: [UInt8]) {
    let parsed: SocketAddress? = octets.withUnsafeBytes { bytes in
      guard bytes.count >= MemoryLayout<sa_family_t>.size else { return nil }
      switch Int32(bytes.loadUnaligned(as: sa_family_t.self)) {
      case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
        let address = bytes.loadUnaligned(as: sockaddr_in.self)
        return .ipv4(withUnsafeBytes(of: address.sin_addr) { [UInt8]($0) }, port: UInt16(bigEndian: address.sin_port))
      case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
        let address = bytes.loadUnaligned(as: sockaddr_in6.self)
        return .ipv6(withUnsafeBytes(of: address.sin6_addr) { [UInt8]($0) }, port: UInt16(bigEndian: address.sin6_port))
      case AF_UNIX:
        // The peer of a Unix socket is mostly unnamed.
        let name = bytes.dropFirst(MemoryLayout<sa_family_t>.size)
        let path = name.first == 0 ? name : name.prefix { $0 != 0 }
        return .unix(path: String(decoding: path, as: UTF8.self))
      default:
        return nil
      }
    }
    guard let parsed else { return nil }
    self = parsed
  }
}
