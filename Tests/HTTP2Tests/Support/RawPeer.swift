import Glibc
import Testing

/// A client made of bare frames, for what no well-behaved client sends. Blocking, with a time limit on each read: for
/// suites with `.ownThread`.
final class RawPeer {
  struct Frame: Equatable, CustomStringConvertible {
    var type: UInt8
    var flags: UInt8
    var stream: UInt32
    var payload: [UInt8]

    var description: String { "type \(type) flags \(flags) stream \(stream) length \(payload.count)" }

    /// The error code of a RST_STREAM or GOAWAY.
    var errorCode: UInt32? {
      switch type {
      case 3 where payload.count == 4: payload.reduce(0) { $0 << 8 | UInt32($1) }
      case 7 where payload.count >= 8: payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
      default: nil
      }
    }
  }

  enum FrameType {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let pushPromise: UInt8 = 5
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  struct Failure: Error {
    let call: String
    let code: Int32
  }

  private let socket: Int32
  private var buffer: [UInt8] = []

  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// Connects to a port of 127.0.0.1.
  /// - Parameter receiveBuffer: the size of the kernel's buffer; nil leaves it to the kernel.
  init(port: UInt16, receiveBuffer: Int32? = nil) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var size = receiveBuffer {
      setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Failure(call: "connect", code: errno) }
    limitWaits()
  }

  /// Takes a socket that is connected.
  init(connected: Int32) {
    socket = connected
    limitWaits()
  }

  private func limitWaits() {
    Self.limitReads(of: socket)
    setSendLimit(milliseconds: 600_000)
  }

  /// A read waits for ten minutes, and so does accepting a connection: longer than a busy machine takes for all tests.
  fileprivate static func limitReads(of socket: Int32) {
    var limit = timeval(tv_sec: 600, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  fileprivate static func expectOwnThread() {
    if !TestThread.isCurrent { Issue.record("it blocks a thread of the cooperative pool: the suite lacks .ownThread") }
  }

  /// How long `send` waits for a server that does not read.
  func setSendLimit(milliseconds: Int) {
    var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit {
    close(socket)
  }

  /// Connects, and sends preface and empty SETTINGS.
  static func greeted(port: UInt16) throws -> RawPeer {
    let peer = try RawPeer(port: port)
    try peer.send(preface + frame(FrameType.settings, 0, 0, []))
    return peer
  }

  static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    let length = payload.count
    return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
      + (0..<4).map { UInt8(stream >> UInt32(24 - 8 * $0) & 255) } + payload
  }

  /// Takes whole frames apart.
  static func frames(_ octets: [UInt8]) -> [Frame] {
    var frames: [Frame] = []
    var rest = octets[...]
    while rest.count >= 9 {
      let start = rest.startIndex
      let length = Int(rest[start]) << 16 | Int(rest[start + 1]) << 8 | Int(rest[start + 2])
      let stream = rest[(start + 5)..<(start + 9)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
      let payload = Array(rest.dropFirst(9).prefix(length))
      frames.append(Frame(type: rest[start + 3], flags: rest[start + 4], stream: stream, payload: payload))
      rest = rest.dropFirst(9 + length)
    }
    return frames
  }

  /// A header field as an HPACK literal that is not indexed.
  static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0] + string(name) + string(value)
  }

  /// A string as HPACK has it, without Huffman coding.
  static func string(_ text: String) -> [UInt8] {
    let length = text.utf8.count
    if length < 127 { return [UInt8(length)] + Array(text.utf8) }
    var rest = length - 127
    var octets: [UInt8] = [127]
    while rest >= 128 {
      octets.append(UInt8(rest & 127 | 128))
      rest >>= 7
    }
    return octets + [UInt8(rest)] + Array(text.utf8)
  }

  /// The header block of a usual request.
  static func request(_ extra: [(String, String)] = []) -> [UInt8] {
    ([(":method", "POST"), (":scheme", "http"), (":path", "/a/b"), (":authority", "x")] + extra)
      .flatMap { literal($0.0, $0.1) }
  }

  /// HEADERS with END_HEADERS.
  static func headers(_ stream: UInt32, _ block: [UInt8] = request(), endStream: Bool = false) -> [UInt8] {
    frame(FrameType.headers, endStream ? 5 : 4, stream, block)
  }

  /// Ends our direction, as a client does that has said all.
  func finishSending() {
    shutdown(socket, Int32(SHUT_WR))
  }

  /// Resets the connection, as the kernel does for a process that is killed with octets unread.
  func abort() {
    var nowhere = sockaddr()
    nowhere.sa_family = sa_family_t(AF_UNSPEC)
    connect(socket, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
  }

  func send(_ octets: [UInt8]) throws {
    var sent = 0
    while sent < octets.count {
      let count = octets.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Failure(call: "send", code: errno) }
      sent += count
    }
  }

  /// Sends as much as the server takes before it hangs up.
  func sendUntilRefused(_ octets: [UInt8]) {
    try? send(octets)
  }

  /// Sends a PING and reads on until its answer: the server has taken everything before.
  func synchronize() throws {
    try send(Self.frame(FrameType.ping, 0, 0, Array(1...8)))
    while let frame = try next(FrameType.ping) {
      if frame.flags & 1 == 1 { return }
    }
    throw Failure(call: "synchronize", code: 0)
  }

  /// Reads at least `count` octets and forgets them.
  func skip(_ count: Int) throws {
    var left = count
    while left > 0 {
      guard try fill() else { throw Failure(call: "skip", code: 0) }
      left -= buffer.count
      buffer = []
    }
  }

  /// Everything until the end of the connection.
  func readAll() throws -> [UInt8] {
    while try fill() {}
    return buffer
  }

  /// The next line with its end; less at the end of the connection.
  func takeLine() throws -> [UInt8] {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) { return try take(end + 1) }
      guard try fill() else { return try take(buffer.count) }
    }
  }

  /// The next `count` octets; fewer at the end of the connection.
  func take(_ count: Int) throws -> [UInt8] {
    while buffer.count < count, try fill() {}
    defer { buffer.removeFirst(min(count, buffer.count)) }
    return Array(buffer.prefix(count))
  }

  /// The next frame; nil at the end of the connection.
  func next() throws -> Frame? {
    while buffer.count < 9 { guard try fill() else { return nil } }
    let length = Int(buffer[0]) << 16 | Int(buffer[1]) << 8 | Int(buffer[2])
    while buffer.count < 9 + length { guard try fill() else { return nil } }
    let stream = buffer[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    let frame = Frame(type: buffer[3], flags: buffer[4], stream: stream, payload: Array(buffer[9..<(9 + length)]))
    buffer.removeFirst(9 + length)
    return frame
  }

  /// Reads on until a frame of this type; nil at the end of the connection.
  func next(_ type: UInt8) throws -> Frame? {
    while let frame = try next() {
      if frame.type == type { return frame }
    }
    return nil
  }

  fileprivate func expectPreface() throws {
    while buffer.count < Self.preface.count {
      guard try fill() else { throw Failure(call: "preface", code: 0) }
    }
    guard buffer.starts(with: Self.preface) else { throw Failure(call: "preface", code: 0) }
    buffer.removeFirst(Self.preface.count)
  }

  /// Returns false at the end of the connection.
  private func fill() throws -> Bool {
    Self.expectOwnThread()
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(socket, &chunk, chunk.count, 0)
    if count < 0, errno == ECONNRESET { return false }
    guard count >= 0 else { throw Failure(call: "recv", code: errno) }
    buffer += chunk.prefix(count)
    return count > 0
  }
}

/// A listening socket for servers made of bare frames.
final class RawListener {
  private let socket: Int32
  let port: UInt16

  init() throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let (socket, size) = (socket, length)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, size) == 0 && listen(socket, 16) == 0 ? getsockname(socket, $0, &length) : -1
      }
    }
    guard result == 0 else { throw RawPeer.Failure(call: "listen", code: errno) }
    RawPeer.limitReads(of: self.socket)
    port = UInt16(bigEndian: address.sin_port)
  }

  deinit {
    close(socket)
  }

  /// The next client, which has sent its preface.
  /// - Parameter answers: whether it has got empty SETTINGS.
  func accept(answers: Bool = true) throws -> RawPeer {
    RawPeer.expectOwnThread()
    let accepted = Glibc.accept(socket, nil, nil)
    guard accepted >= 0 else { throw RawPeer.Failure(call: "accept", code: errno) }
    let peer = RawPeer(connected: accepted)
    try peer.expectPreface()
    if answers { try peer.send(RawPeer.frame(RawPeer.FrameType.settings, 0, 0, [])) }
    return peer
  }
}
