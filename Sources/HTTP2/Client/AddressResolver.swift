internal import Base
internal import CLinux
internal import RPC

/// Knows the addresses of the servers of a target.
public protocol AddressResolver: Sendable {
  /// The addresses, the best first. Runs on a thread of its own and may block. An empty answer counts as a failure.
  func addresses() throws -> [SocketAddress]
}

extension AddressResolver {
  /// Calls `completion` on `loop` with at least one address, or with the reason why there is none. A client resolves
  /// only when it connects, so a thread each time costs nothing that counts.
  /// - Parameter serviceConfig: finds the config that goes with the addresses; nil if nobody wants it.
  func resolve(
    on loop: EventLoop, serviceConfig: (@Sendable () throws -> ServiceConfig?)?,
    completion: @escaping @Sendable (Result<Resolved, ResolutionFailure>) -> Void
  ) {
    do {
      _ = try OSThread(ifPossible: "octet-resolver") {
        let answer = Result { try addresses() }
          .mapError { ResolutionFailure($0) }
          .flatMap { found in
            found.isEmpty ? .failure(ResolutionFailure(description: "no addresses")) : .success(found)
          }
          .map { found in
            Resolved(
              addresses: found,
              serviceConfig: serviceConfig.map { find in Result { try find() }.mapError { ResolutionFailure($0) } })
          }
        loop.execute { completion(answer) }
      }
    } catch {
      loop.execute { completion(.failure(ResolutionFailure(description: "\(SystemError(error))"))) }
    }
  }
}

/// What is known of a target.
struct Resolved: Sendable {
  let addresses: [SocketAddress]
  /// nil if nobody wanted it; inside, nil if there is none.
  let serviceConfig: Result<ServiceConfig?, ResolutionFailure>?
}

/// Why there are no addresses, or no service config.
struct ResolutionFailure: Error, CustomStringConvertible {
  let description: String
}

extension ResolutionFailure {
  init(_ error: any Error) {
    self.init(description: "\(error)")
  }
}

/// The system's resolver, getaddrinfo: /etc/hosts, DNS and what else the machine is set up for. The order is that of
/// RFC 6724.
struct SystemResolver: AddressResolver {
  let host: String
  let port: UInt16

  func addresses() throws -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_family = AF_UNSPEC
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else {
      throw SystemError(operation: "resolve \(host) (\(String(cString: gai_strerror(code))))", code: ENOENT)
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let entry = next {
      let octets = UnsafeRawBufferPointer(start: entry.pointee.ai_addr, count: Int(entry.pointee.ai_addrlen))
      if let address = SocketAddress([UInt8](octets)), !addresses.contains(address) { addresses.append(address) }
      next = entry.pointee.ai_next
    }
    return addresses
  }
}
