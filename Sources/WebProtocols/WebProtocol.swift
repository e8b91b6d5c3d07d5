internal import RPC

/// How a message is written.
enum MessageFormat: String {
  case proto
  case json
}

/// What a request speaks, by its content type.
enum WebProtocol: Equatable {
  /// gRPC's frames with the trailers as a last frame; in text mode all in base 64.
  case grpcWeb(isText: Bool)
  /// Bare messages as bodies.
  case connectUnary(MessageFormat)
  /// Messages behind prefixes, and a last one that tells the outcome.
  case connectStream(MessageFormat)

  /// Reads a content type; nil for one that is not of these protocols.
  init?(contentType: String) {
    let parts = contentType.split(separator: ";", omittingEmptySubsequences: false)
    let type = parts[0].lowercased().filter { $0 != " " }
    switch type {
    case "application/grpc-web", "application/grpc-web+proto": self = .grpcWeb(isText: false)
    case "application/grpc-web-text", "application/grpc-web-text+proto": self = .grpcWeb(isText: true)
    case "application/json": self = .connectUnary(.json)
    case "application/proto": self = .connectUnary(.proto)
    case "application/connect+json": self = .connectStream(.json)
    case "application/connect+proto": self = .connectStream(.proto)
    default: return nil
    }
    // JSON is UTF-8 always (RFC 8259 §8.1); what claims to be something else would be misread.
    for parameter in parts.dropFirst() {
      let pair = parameter.lowercased().filter { $0 != " " && $0 != "\"" }
      if pair.hasPrefix("charset="), pair != "charset=utf-8" { return nil }
    }
  }

  /// The content type of answers.
  var contentType: String {
    switch self {
    case .grpcWeb(isText: false): "application/grpc-web+proto"
    case .grpcWeb(isText: true): "application/grpc-web-text+proto"
    case .connectUnary(let format): "application/\(format.rawValue)"
    case .connectStream(let format): "application/connect+\(format.rawValue)"
    }
  }

  /// The content types of requests for a method; of any kind if that is not known.
  static func accepted(by method: WebMethod?) -> String {
    let unary = "application/json, application/proto"
    let stream = "application/connect+json, application/connect+proto"
    let rest = "application/grpc-web, application/grpc-web-text, application/grpc"
    return switch method?.isUnary {
    case true?: "\(unary), \(rest)"
    case false?: "\(stream), \(rest)"
    case nil: "\(unary), \(stream), \(rest)"
    }
  }

  /// Whether the request is plain gRPC, which needs nothing from here, or pretends to be, which the core judges. Asked
  /// for every request of the server, so that it looks at few octets.
  static func isGRPC(_ headers: HeaderList) -> Bool {
    let octets = headers.octets.span
    for field in headers where field.name.count == 12 && headers.holds(field.name, "content-type") {
      // `application/grpc`, and not `application/grpc-web`.
      let end = field.value.lowerBound + "application/grpc".utf8.count
      guard end <= field.value.upperBound else { return false }
      return octets[end - 4] == UInt8(ascii: "g") && octets[end - 3] == UInt8(ascii: "r")
        && octets[end - 2] == UInt8(ascii: "p") && octets[end - 1] == UInt8(ascii: "c")
        && (end == field.value.upperBound || octets[end] != UInt8(ascii: "-"))
    }
    return false
  }
}
