internal import CLinux
internal import CNghttp2

/// The pseudo-headers of RFC 9113 §8.3.
struct PseudoHeaders: OptionSet {
  let rawValue: UInt8

  static let method = PseudoHeaders(rawValue: 1)
  static let scheme = PseudoHeaders(rawValue: 2)
  static let authority = PseudoHeaders(rawValue: 4)
  static let path = PseudoHeaders(rawValue: 8)
  static let status = PseudoHeaders(rawValue: 16)
  /// None of them, but it stands in for `authority`.
  static let host = PseudoHeaders(rawValue: 32)
}

/// What makes a section malformed (RFC 9113 §8.1.1). The sets of octets that names and values may hold are nghttp2's.
extension HeaderBlock {
  /// Takes a pseudo-header.
  /// - Returns: false if it is unknown, out of place, repeated or has a value that it cannot have.
  mutating func addPseudoHeader(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
    switch section {
    case .request:
      if Self.equal(name, ":path") {
        path = lastPath.text(value)
        return note(.path) && nghttp2_check_path(value.baseAddress, value.count) != 0
      }
      if Self.equal(name, ":method") {
        method = String(decoding: value, as: UTF8.self)
        return note(.method) && nghttp2_check_method(value.baseAddress, value.count) != 0
      }
      if Self.equal(name, ":scheme") {
        scheme = String(decoding: value, as: UTF8.self)
        return note(.scheme) && Self.isScheme(value)
      }
      if Self.equal(name, ":authority") {
        authority = lastAuthority.text(value)
        return note(.authority) && Self.isAuthority(value)
      }
      return false
    case .response:
      guard Self.equal(name, ":status"), value.count == 3 else { return false }
      for octet in value {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) else { return false }
        status = status * 10 + Int(octet - UInt8(ascii: "0"))
      }
      // HTTP/2 has no upgrade, and so no 101 (§8.6).
      return note(.status) && status >= 100 && status != 101
    case .trailers:
      return false
    }
  }

  private mutating func note(_ field: PseudoHeaders) -> Bool { seen.insert(field).inserted }

  /// Whether a value has only octets that are allowed, and no white space around it (§8.2.1).
  func isAllowed(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    nghttp2_check_header_value_rfc9113(value.baseAddress, value.count) != 0
  }

  /// Whether a field that is not a pseudo-header may stand here. Notes the declared length.
  mutating func isAllowed(name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
    // In lower case, and a token (§8.2.1); a list holds no longer one, whatever the limits are.
    guard name.count <= UInt16.max, nghttp2_check_header_name(name.baseAddress, name.count) != 0 else { return false }
    switch name.count {
    case 2 where Self.equal(name, "te"):
      return Self.equal(value, "trailers")
    case 4 where Self.equal(name, "host"):
      return section == .request && agreesWithAuthority(value)
    case 7 where Self.equal(name, "upgrade"), 10 where Self.equal(name, "connection"),
      10 where Self.equal(name, "keep-alive"), 16 where Self.equal(name, "proxy-connection"),
      17 where Self.equal(name, "transfer-encoding"):
      // They speak of HTTP/1's connection (§8.2.2).
      return false
    case 14 where Self.equal(name, "content-length"):
      guard section != .trailers else { return true }
      guard let length = Self.number(value), contentLength.map({ $0 == length }) ?? true else { return false }
      contentLength = length
      return true
    default:
      return true
    }
  }

  /// Two names for the host that a request is meant for must be one (§8.3.1).
  private mutating func agreesWithAuthority(_ host: UnsafeBufferPointer<UInt8>) -> Bool {
    guard Self.isAuthority(host) else { return false }
    let text = String(decoding: host, as: UTF8.self)
    if !seen.isDisjoint(with: [.authority, .host]) { return authority == text }
    // Pseudo-headers are in front, so none will follow: this is the name, with which another one must agree.
    authority = text
    return note(.host)
  }

  /// The section is complete: sees whether anything is missing.
  mutating func end() {
    switch section {
    case .request:
      if method == "CONNECT" {
        // A tunnel has no scheme and no path (§8.5).
        if seen != [.method, .authority] { isMalformed = true }
      } else if !seen.isSuperset(of: [.method, .scheme, .path]) || !isPathComplete {
        isMalformed = true
      }
    case .response:
      if seen != .status { isMalformed = true }
    case .trailers:
      break
    }
  }

  /// A path begins with a slash, but for `OPTIONS *` (§8.3.1).
  private var isPathComplete: Bool {
    path.utf8.first == UInt8(ascii: "/") || (method == "OPTIONS" && path == "*")
  }

  private static func isScheme(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = value.first, isLetter(first) else { return false }
    return value.allSatisfy {
      isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || [0x2b, 0x2d, 0x2e].contains($0)
    }
  }

  private static func isLetter(_ octet: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(octet | 0x20)
  }

  /// User information has no place in it (§8.3.1).
  private static func isAuthority(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    nghttp2_check_authority(value.baseAddress, value.count) != 0 && !value.contains(UInt8(ascii: "@"))
  }

  /// A decimal number without sign; nil beyond what a length can be.
  private static func number(_ value: UnsafeBufferPointer<UInt8>) -> Int? {
    guard (1...18).contains(value.count) else { return nil }
    var number = 0
    for octet in value {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) else { return nil }
      number = number * 10 + Int(octet - UInt8(ascii: "0"))
    }
    return number
  }

  @inline(__always)
  static func equal(_ octets: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
    guard octets.count == text.utf8CodeUnitCount, let start = octets.baseAddress else { return octets.isEmpty }
    return memcmp(start, text.utf8Start, octets.count) == 0
  }
}
