internal import RPC

/// Reads the head of one request line by line, and judges it when it is complete.
struct HTTP1HeadReader {
  private var request = HTTP1Request()
  private var hosts = 0
  private var authority = ""
  /// Whether the authority of the target stands in place of the one in Host.
  private var isAbsolute = false
  private var isConnectionClosing = false
  private var length: Int?
  private var isChunked = false

  // MARK: The request line

  /// `method SP request-target SP HTTP-version` (RFC 9112 §3), with exactly these blanks.
  mutating func readRequestLine(
    _ line: [UInt8], isEncrypted: Bool, into block: inout HeaderBlock
  ) throws(HTTP1Refusal) {
    let parts = line.split(separator: HTTP1Octets.space, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(HTTP1Octets.isToken) else {
      throw .malformed("malformed request line")
    }
    try readVersion(parts[2])
    let method = String(decoding: parts[0], as: UTF8.self)
    request.isHead = method == "HEAD"
    let target = String(decoding: parts[1], as: UTF8.self)
    guard !target.isEmpty, parts[1].allSatisfy(HTTP1Octets.isTarget) else {
      throw .malformed("malformed request target")
    }
    guard method != "CONNECT" else { throw HTTP1Refusal(status: 501, reason: "this server is no proxy") }
    let (scheme, path) = try readTarget(target, method, isEncrypted: isEncrypted)
    try Self.add(":method", method, to: &block)
    try Self.add(":scheme", scheme, to: &block)
    try Self.add(":path", path, to: &block)
  }

  private mutating func readVersion(_ text: ArraySlice<UInt8>) throws(HTTP1Refusal) {
    let digits = text.suffix(3)
    guard text.count == 8, text.starts(with: "HTTP/".utf8), let major = digits.first, let minor = digits.last,
      Self.isDigit(major), Self.isDigit(minor), digits[digits.startIndex + 1] == UInt8(ascii: ".")
    else { throw .malformed("malformed HTTP version") }
    guard major == UInt8(ascii: "1") else {
      throw HTTP1Refusal(status: 505, reason: "this port speaks HTTP/1.1 and HTTP/2")
    }
    request.isVersion10 = minor == UInt8(ascii: "0")
  }

  /// origin-form, absolute-form or asterisk-form (RFC 9112 §3.2).
  private mutating func readTarget(
    _ target: String, _ method: String, isEncrypted: Bool
  ) throws(HTTP1Refusal) -> (scheme: String, path: String) {
    let scheme = isEncrypted ? "https" : "http"
    if target.hasPrefix("/") { return (scheme, target) }
    if target == "*" {
      guard method == "OPTIONS" else { throw .malformed("only OPTIONS goes with *") }
      return (scheme, target)
    }
    for scheme in ["http", "https"] where target.lowercased().hasPrefix("\(scheme)://") {
      let rest = target.utf8.dropFirst(scheme.utf8.count + 3)
      let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
      authority = String(decoding: rest[..<end], as: UTF8.self)
      isAbsolute = true
      guard !authority.isEmpty, Self.isAuthority(authority) else { throw .malformed("malformed request target") }
      let path = String(decoding: rest[end...], as: UTF8.self)
      if path.isEmpty { return (scheme, method == "OPTIONS" ? "*" : "/") }
      return (scheme, path.hasPrefix("/") ? path : "/" + path)
    }
    throw .malformed("malformed request target")
  }

  // MARK: Fields

  mutating func readField(_ line: inout [UInt8], into block: inout HeaderBlock) throws(HTTP1Refusal) {
    let (name, range) = try Self.split(&line)
    let isKept = try readSpecial(name) { String(decoding: line[range], as: UTF8.self) }
    if isKept { try Self.add(line, name.utf8.count, range, to: &block) }
  }

  /// Trailers have no meaning for us, but must be well-formed all the same.
  static func readTrailer(_ line: inout [UInt8], into block: inout HeaderBlock) throws(HTTP1Refusal) {
    let (name, range) = try split(&line)
    try add(line, name.utf8.count, range, to: &block)
  }

  /// Name and value of `field-name ":" OWS field-value OWS`; the name is turned into lower case. No blank may stand
  /// before the colon, and a line that begins with one, which once continued the line before, has no name.
  private static func split(_ line: inout [UInt8]) throws(HTTP1Refusal) -> (name: String, value: Range<Int>) {
    var colon = 0
    while colon < line.count, HTTP1Octets.isToken(line[colon]) {
      if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(line[colon]) { line[colon] |= 0x20 }
      colon += 1
    }
    guard colon > 0, colon < line.count, line[colon] == HTTP1Octets.colon else {
      throw .malformed("malformed header field")
    }
    var value = (colon + 1)..<line.count
    while let first = value.first, HTTP1Octets.isBlank(line[first]) { value.removeFirst() }
    while let last = value.last, HTTP1Octets.isBlank(line[last]) { value.removeLast() }
    guard line[value].allSatisfy(HTTP1Octets.isFieldValue) else {
      throw .malformed("a header field holds a control character")
    }
    return (String(decoding: line[..<colon], as: UTF8.self), value)
  }

  /// Takes what concerns the connection and the framing.
  /// - Returns: whether the field is for the handler as well; HTTP/2 does not have the others.
  private mutating func readSpecial(_ name: String, _ value: () -> String) throws(HTTP1Refusal) -> Bool {
    switch name {
    case "host":
      try readHost(value())
    case "content-length":
      try readLength(value())
      return true
    case "transfer-encoding":
      try readTransferEncoding(value())
    case "connection":
      if Self.list(value()).contains("close") { isConnectionClosing = true }
    case "te":
      if Self.list(value()).contains("trailers") { request.takesTrailers = true }
    case "expect":
      guard value().lowercased() == "100-continue" else {
        throw HTTP1Refusal(status: 417, reason: "the only expectation is 100-continue")
      }
      request.expectsContinue = true
    case "content-type":
      if Self.isGRPC(value()) { request.isGRPC = true }
      return true
    case "keep-alive", "proxy-connection", "upgrade", "http2-settings":
      break
    default:
      return true
    }
    return false
  }

  private mutating func readHost(_ value: String) throws(HTTP1Refusal) {
    hosts += 1
    guard hosts == 1, Self.isAuthority(value) else { throw .malformed("there must be one Host, well-formed") }
    if !isAbsolute { authority = value }
  }

  /// Once, and digits only: lists, signs and repetitions are read in more than one way.
  private mutating func readLength(_ value: String) throws(HTTP1Refusal) {
    guard length == nil, (1...HTTP2Limits.contentLengthDigits).contains(value.utf8.count),
      value.utf8.allSatisfy(Self.isDigit), let count = Int(value)
    else { throw .malformed("malformed or repeated Content-Length") }
    length = count
  }

  private mutating func readTransferEncoding(_ value: String) throws(HTTP1Refusal) {
    guard !isChunked else { throw .malformed("repeated Transfer-Encoding") }
    guard value.lowercased() == "chunked" else {
      throw HTTP1Refusal(status: 501, reason: "the only transfer encoding is chunked")
    }
    isChunked = true
  }

  private static func list(_ value: String) -> [String] {
    value.lowercased().utf8.split(separator: UInt8(ascii: ",")).map { part in
      let text = part.drop(while: HTTP1Octets.isBlank)
      let end = text.lastIndex { !HTTP1Octets.isBlank($0) }.map(text.index(after:)) ?? text.startIndex
      return String(decoding: text[..<end], as: UTF8.self)
    }
  }

  /// `application/grpc` and its formats; gRPC-Web is another media type and goes over any HTTP.
  private static func isGRPC(_ value: String) -> Bool {
    let type = value.lowercased().utf8.prefix { $0 != UInt8(ascii: ";") && !HTTP1Octets.isBlank($0) }
    return type.starts(with: "application/grpc".utf8)
      && (type.count == 16 || type.dropFirst(16).first == UInt8(ascii: "+"))
  }

  // MARK: The end

  /// Judges the head as a whole.
  mutating func finish(into block: inout HeaderBlock) throws(HTTP1Refusal) -> HTTP1Request {
    guard hosts == 1 || request.isVersion10 else { throw .malformed("there must be one Host, well-formed") }
    block.authority = authority
    if isChunked {
      // Two lengths, or one that HTTP/1.0 does not know: what request smuggling is made of (RFC 9112 §6.1).
      guard length == nil, !request.isVersion10 else {
        throw .malformed("Transfer-Encoding goes neither with Content-Length nor with HTTP/1.0")
      }
      request.body = .chunked
    } else if let length, length > 0 {
      request.body = .length(length)
    }
    request.keepsAlive = !isConnectionClosing && !request.isVersion10
    if request.isVersion10 || request.body == .none { request.expectsContinue = false }
    return request
  }

  // MARK: Octets

  private static func add(_ name: StaticString, _ value: String, to block: inout HeaderBlock) throws(HTTP1Refusal) {
    var value = value
    let outcome = value.withUTF8 { value in
      block.add(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value)
    }
    guard outcome == .kept else { throw refusal(block) }
  }

  private static func add(
    _ line: [UInt8], _ nameLength: Int, _ value: Range<Int>, to block: inout HeaderBlock
  ) throws(HTTP1Refusal) {
    let outcome = line.withUnsafeBufferPointer { line in
      block.add(UnsafeBufferPointer(rebasing: line[..<nameLength]), UnsafeBufferPointer(rebasing: line[value]))
    }
    guard outcome == .kept else { throw refusal(block) }
  }

  private static func refusal(_ block: HeaderBlock) -> HTTP1Refusal {
    block.isTooLarge ? HTTP1Parser.tooLarge : .malformed("malformed header field")
  }

  private static func isDigit(_ octet: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) }

  private static func isAuthority(_ text: String) -> Bool { text.utf8.allSatisfy(HTTP1Octets.isAuthority) }
}
