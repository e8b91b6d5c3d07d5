/// Where a NATS server is, and who asks.
struct NATSAddress: Equatable {
  enum Credentials: Equatable {
    case none
    case token(String)
    case password(user: String, password: String)
  }

  let host: String
  let port: UInt16
  let credentials: Credentials
  /// Whether the connection must be encrypted.
  var usesTLS = false

  static let standardPort: UInt16 = 4222

  /// Reads `nats://[user:password@|token@]host[:port]`, or `tls://…` for TLS, several separated by commas. What is special in a user, password
  /// or token is written as `%40`.
  static func parse(_ urls: String) throws(NATSError) -> [NATSAddress] {
    // The URL may contain a password, so errors do not show it.
    var addresses: [NATSAddress] = []
    for url in urls.split(separator: ",", omittingEmptySubsequences: false) { addresses.append(try parse(one: url)) }
    guard addresses.count <= NATSLimits().servers else { throw wrong("too many servers") }
    return addresses
  }

  private static func wrong(_ message: String) -> NATSError {
    NATSError(operation: "read the URL", message: message)
  }

  private static func parse(one url: Substring) throws(NATSError) -> NATSAddress {
    guard let scheme = ["nats://", "tls://"].first(where: { url.hasPrefix($0) }) else {
      throw wrong("it does not begin with nats:// or tls://")
    }
    var rest = url.dropFirst(scheme.count)
    if rest.last == "/" { rest.removeLast() }
    var credentials = Credentials.none
    if let at = rest.lastIndex(of: "@") {
      let words = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let user = try decoded(words[0])
      credentials = words.count == 2 ? .password(user: user, password: try decoded(words[1])) : .token(user)
      rest = rest[rest.index(after: at)...]
    }
    var host = rest
    var port = standardPort
    // The colons of an IPv6 address are inside its brackets.
    if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("]") {
      guard let number = UInt16(rest[rest.index(after: colon)...]), number > 0 else {
        throw wrong("a port is no number")
      }
      port = number
      host = rest[..<colon]
    }
    if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "/") }) else {
      throw wrong("a host is missing")
    }
    return NATSAddress(host: String(host), port: port, credentials: credentials, usesTLS: scheme == "tls://")
  }

  private static func decoded(_ text: Substring) throws(NATSError) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2 else {
        throw wrong("a % is not followed by two digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The line that introduces the client to the server.
  func connectLine(name: String) -> String {
    var fields = [
      #""verbose":false,"pedantic":false,"echo":false,"protocol":1,"lang":"swift","version":"1""#,
      #""name":"# + Self.quoted(name),
    ]
    switch credentials {
    case .none: break
    case .token(let token): fields.append(#""auth_token":"# + Self.quoted(token))
    case .password(let user, let password):
      fields.append(#""user":"# + Self.quoted(user) + #","pass":"# + Self.quoted(password))
    }
    return "CONNECT {\(fields.joined(separator: ","))}\r\n"
  }

  /// A string of JSON.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
