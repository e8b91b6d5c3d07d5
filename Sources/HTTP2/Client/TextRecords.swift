internal import Base
internal import CLinux

/// TXT records of DNS (RFC 1035), asked by the system's resolver.
enum TextRecords {
  /// The records of a name, each as one text; none if there is no such name.
  ///
  /// Blocks for as long as `HTTP2Limits.nameServerSeconds` and `nameServerTries` allow.
  /// - Parameter nameServer: whom to ask, an IPv4 address; nil for those of the machine.
  /// - Throws: if nobody answers, or not as DNS has it.
  static func lookUp(_ name: String, nameServer: SocketAddress?) throws(SystemError) -> [[UInt8]] {
    var reason: Int32 = 0
    // The longest that a message of DNS can be.
    var answer = [UInt8](repeating: 0, count: 1 << 16)
    let size = Int32(answer.count)
    let length =
      if let nameServer {
        nameServer.withSockaddr { address, _ in
          precondition(nameServer.isIPv4, "the system's resolver takes name servers by IPv4 addresses only")
          return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            octet_query_txt(
              name, $0, HTTP2Limits.nameServerSeconds, HTTP2Limits.nameServerTries, &answer, size, &reason)
          }
        }
      } else {
        octet_query_txt(name, nil, HTTP2Limits.nameServerSeconds, HTTP2Limits.nameServerTries, &answer, size, &reason)
      }
    guard length >= 0 else {
      if reason == HOST_NOT_FOUND || reason == NO_DATA { return [] }
      let words = String(cString: hstrerror(reason))
      throw SystemError(operation: "look up \(name) (\(words))", code: EIO)
    }
    guard let records = parse(answer.prefix(Int(length))) else {
      throw SystemError(operation: "look up \(name) (malformed answer)", code: EBADMSG)
    }
    return records
  }

  /// The TXT records in the answer section of a message; nil if it is malformed.
  static func parse(_ message: some Collection<UInt8>) -> [[UInt8]]? {
    var reader = Reader(octets: Array(message))
    // An id, flags, and the lengths of four sections, of which two count here.
    guard reader.skip(4), let questions = reader.number(), let answers = reader.number(), reader.skip(4) else {
      return nil
    }
    for _ in 0..<questions {
      guard reader.skipName(), reader.skip(4) else { return nil }
    }
    var records: [[UInt8]] = []
    for _ in 0..<answers {
      // Aliases come among the answers too, so that the name is not looked at.
      guard reader.skipName(), let type = reader.number(), let kind = reader.number(), reader.skip(4),
        let length = reader.number(), let data = reader.take(length)
      else { return nil }
      guard type == 16, kind == 1 else { continue }
      guard let text = joined(data) else { return nil }
      records.append(text)
    }
    return records
  }

  /// The strings of a record, each behind its length, as one.
  private static func joined(_ data: ArraySlice<UInt8>) -> [UInt8]? {
    var text: [UInt8] = []
    var rest = data
    while let length = rest.popFirst() {
      guard rest.count >= Int(length) else { return nil }
      text += rest.prefix(Int(length))
      rest = rest.dropFirst(Int(length))
    }
    return text
  }

  private struct Reader {
    let octets: [UInt8]
    var position = 0

    init(octets: [UInt8]) {
      self.octets = octets
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard octets.count - position >= count else { return nil }
      defer { position += count }
      return octets[position..<position + count]
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    mutating func number() -> Int? {
      take(2).map { Int($0[$0.startIndex]) << 8 | Int($0[$0.startIndex + 1]) }
    }

    /// Labels up to the empty one, or to a pointer to where the rest of the name stands.
    mutating func skipName() -> Bool {
      while let length = take(1)?.first {
        if length == 0 { return true }
        if length >= 0xc0 { return skip(1) }
        guard length < 0x40, skip(Int(length)) else { return false }
      }
      return false
    }
  }
}
