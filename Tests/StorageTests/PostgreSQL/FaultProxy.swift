import Base
import Glibc

/// Stands between a client and a server on real sockets, and spoils connections at random points, in the middle of a
/// message or between two: in turn it cuts one, hides for a while that it has cut one, holds one up, and lets all that
/// passes over one vanish.
final class FaultProxy: Sendable {
  /// Where clients connect, on 127.0.0.1.
  let port: Int
  private let listener: Int32
  private let target: Int
  private let random: any RandomSource
  /// How many bytes a connection lives for, at most; nil: as many as its ends want.
  private let longestLife = Locked<Int?>(nil)
  private let spoiledCount = Locked(0)
  /// What the connection to be silenced, or cut, says last.
  private let lastWords = Locked<(words: [UInt8], cuts: Bool)?>(nil)
  private let isOver = Locked(false)

  /// What is done to a connection.
  private enum Fault: CaseIterable {
    case cut
    case silentCut
    case delay
    case drop
  }

  /// How long a connection that was silenced stays so, at most.
  private static let silenceMilliseconds: UInt64 = 400

  /// - Parameter target: the server's port on 127.0.0.1.
  init(target: Int, random: any RandomSource) throws(StartFailure) {
    self.target = target
    self.random = random
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = Self.loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(listener, pointer, length) == 0 && listen(listener, 128) == 0
          && getsockname(listener, pointer, &length) == 0
      }
    }
    guard listener >= 0, result else { throw StartFailure(code: errno) }
    self.listener = listener
    port = Int(UInt16(bigEndian: address.sin_port))
    _ = OSThread(name: "fault-proxy") { [self] in accept() }
  }

  struct StartFailure: Error {
    let code: Int32
  }

  /// From now on connections, also those that are open, live for at most so many bytes more; nil: for ever.
  func spoil(after bytes: Int?) { longestLife.withLock { $0 = bytes } }

  /// The first connection over which the client says this hears nothing any more from then on.
  func silence(after words: String) { lastWords.withLock { $0 = (Array(words.utf8), false) } }

  /// The first connection over which the client says this is cut before the server hears it.
  func cut(before words: String) { lastWords.withLock { $0 = (Array(words.utf8), true) } }

  /// Whether a connection has been silenced, or cut, since it was asked for.
  var hasSilenced: Bool { lastWords.withLock { $0 == nil } }

  /// How many connections were spoiled.
  var spoiled: Int { spoiledCount.withLock { $0 } }

  func stop() {
    isOver.withLock { $0 = true }
    shutdown(listener, Int32(SHUT_RDWR))
  }

  private func accept() {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0, !isOver.withLock({ $0 }) else { break }
      _ = OSThread(name: "fault-pump") { [self] in serve(client) }
    }
    close(listener)
  }

  private func serve(_ client: Int32) {
    defer { close(client) }
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    defer { close(server) }
    var address = Self.loopback(port: target)
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        connect(server, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { return }
    // Drawn as a share, so that a connection that was opened in peace can still be spoiled.
    var share = Int(random.below(1000)) + 1
    var passed = 0
    var drops = false
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      var sockets = [
        pollfd(fd: client, events: Int16(POLLIN), revents: 0), pollfd(fd: server, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&sockets, 2, -1) > 0 || errno == EINTR else { return }
      for (index, socket) in sockets.enumerated() where socket.revents != 0 {
        let life = drops ? nil : longestLife.withLock { $0 }
        let left = life.map { max(1, $0 * share / 1000 - passed) } ?? .max
        let taken = recv(socket.fd, &chunk, min(chunk.count, left), 0)
        guard taken > 0 else { return }
        // The client must find out by itself that nothing comes any more.
        if drops { continue }
        let last = index == 0 ? self.last(chunk[..<taken]) : nil
        if last == .cut { return }
        guard send(index == 0 ? server : client, chunk, taken, Int32(MSG_NOSIGNAL)) == taken else { return }
        passed += taken
        drops = drops || last == .drop
        if taken < left { continue }
        switch nextFault() {
        case .cut: return
        case .silentCut:
          shutdown(server, Int32(SHUT_RDWR))
          pause()
          return
        case .delay:
          pause()
          (share, passed) = (Int(random.below(1000)) + 1, 0)
        case .drop: drops = true
        }
      }
    }
  }

  /// What is to be done to a connection for what its client says.
  private func last(_ chunk: ArraySlice<UInt8>) -> Fault? {
    lastWords.withLock { last in
      guard let wanted = last, chunk.contains(wanted.words) else { return nil }
      last = nil
      return wanted.cuts ? .cut : .drop
    }
  }

  private func nextFault() -> Fault {
    let number = spoiledCount.withLock { count in
      defer { count += 1 }
      return count
    }
    return Fault.allCases[number % Fault.allCases.count]
  }

  private func pause() {
    var none = pollfd(fd: -1, events: 0, revents: 0)
    poll(&none, 1, Int32(random.below(Self.silenceMilliseconds)))
  }

  private static func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    return address
  }
}
