internal import Base
internal import CLinux

/// Turns names into addresses with getaddrinfo, which blocks and so gets a thread of its own each time: a client
/// resolves only when it connects.
enum NameResolver {
  typealias Answer = Result<[SocketAddress], SystemError>

  /// Calls `completion` on `loop` with at least one address, or with the reason why there is none.
  static func resolve(
    _ host: String, port: UInt16, on loop: EventLoop, completion: @escaping @Sendable (Answer) -> Void
  ) {
    do {
      _ = try OSThread(ifPossible: "octet-resolver") {
        let answer = lookUp(host, port)
        loop.execute { completion(answer) }
      }
    } catch {
      loop.execute { completion(.failure(SystemError(error))) }
    }
  }

  private static func lookUp(_ host: String, _ port: UInt16) -> Answer {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_family = AF_UNSPEC
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else {
      return .failure(SystemError(operation: "resolve \(host) (\(String(cString: gai_strerror(code))))", code: ENOENT))
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let entry = next {
      let octets = UnsafeRawBufferPointer(start: entry.pointee.ai_addr, count: Int(entry.pointee.ai_addrlen))
      if let address = SocketAddress([UInt8](octets)), !addresses.contains(address) { addresses.append(address) }
      next = entry.pointee.ai_next
    }
    return addresses.isEmpty ? .failure(SystemError(operation: "resolve \(host)", code: ENOENT)) : .success(addresses)
  }
}
