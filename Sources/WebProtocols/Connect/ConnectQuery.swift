internal import Base
internal import RPC

/// The query of a Connect GET: a whole unary call in a URL.
struct ConnectQuery: Equatable {
  let format: MessageFormat
  /// As it came, perhaps compressed.
  let message: [UInt8]
  /// The name of its compression; nil if it has none.
  let encodingName: String?

  /// - Throws: for a query that is no call.
  init(_ query: Substring) throws(RPCError) {
    var values: [String: [UInt8]] = [:]
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(decoding: try Self.decode(parts[0]), as: UTF8.self)
      // Of several, the first counts.
      if values[name] == nil { values[name] = parts.count == 2 ? try Self.decode(parts[1]) : [] }
    }
    func text(_ name: String) -> String? { values[name].map { String(decoding: $0, as: UTF8.self) } }
    if let version = text("connect"), version != "v1" {
      throw RPCError(.invalidArgument, "connect must be v1, not \"\(version)\"")
    }
    guard let name = text("encoding") else {
      throw RPCError(.invalidArgument, "the query lacks encoding, which is json or proto")
    }
    guard let format = MessageFormat(rawValue: name) else {
      throw RPCError(.invalidArgument, "encoding must be json or proto, not \"\(name)\"")
    }
    guard let value = values["message"] else { throw RPCError(.invalidArgument, "the query lacks message") }
    self.format = format
    encodingName = text("compression")
    switch text("base64") {
    case nil, "0": message = value
    case "1":
      // Clients pad or not, and some use the alphabet that is not made for URLs.
      guard let bytes = Base64.decodeLeniently(String(decoding: value, as: UTF8.self)) else {
        throw RPCError(.invalidArgument, "message is not valid base 64")
      }
      message = bytes
    case let other?: throw RPCError(.invalidArgument, "base64 must be 1, not \"\(other)\"")
    }
  }

  /// `+` is a blank, as forms and URLSearchParams write it.
  private static func decode(_ text: Substring) throws(RPCError) -> [UInt8] {
    var result: [UInt8] = []
    var octets = text.utf8[...]
    result.reserveCapacity(octets.count)
    while let octet = octets.popFirst() {
      switch octet {
      case UInt8(ascii: "+"): result.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard let high = octets.popFirst()?.hexDigit, let low = octets.popFirst()?.hexDigit else {
          throw RPCError(.invalidArgument, "the query has a % that no two hexadecimal digits follow")
        }
        result.append(high << 4 | low)
      default: result.append(octet)
      }
    }
    return result
  }
}

extension UInt8 {
  fileprivate var hexDigit: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
