internal import Base

/// Heads and trailers of answers. Those of a plain success are made once.
package enum StatusHeaders {
  static let head: HeaderList = ["content-type": ContentType.grpc]
  static let ok: HeaderList = ["grpc-status": "0"]

  static func head(adding metadata: Metadata) -> HeaderList {
    var headers = head
    headers.append(contentsOf: metadata.headers)
    return headers
  }

  static func ok(adding metadata: Metadata) -> HeaderList {
    var headers = ok
    headers.append(contentsOf: metadata.headers)
    return headers
  }

  package static func failure(_ error: RPCError, adding metadata: Metadata = Metadata()) -> HeaderList {
    var headers = HeaderList()
    headers.append("grpc-status", String(error.code.rawValue))
    if !error.message.isEmpty {
      headers.append("grpc-message", PercentEncoding.encode(error.message.truncated(RPCLimits.statusMessageBytes)))
    }
    if !error.details.isEmpty {
      let details = error.encodedStatus
      if details.count <= RPCLimits.statusDetailsBytes {
        headers.append("grpc-status-details-bin", Base64.standard.encode(details))
      }
    }
    headers.append(contentsOf: error.trailers.headers)
    headers.append(contentsOf: metadata.headers)
    return headers
  }

  /// The status at the end of an answer.
  /// - Parameter httpStatus: decides if there is no `grpc-status`.
  static func code(trailers: HeaderList, httpStatus: Int) -> StatusCode {
    trailers.first("grpc-status").map(StatusCode.init(headerValue:)) ?? StatusCode(httpStatus: httpStatus)
  }

  /// Reads the end of an answer.
  /// - Parameter httpStatus: decides if there is no `grpc-status`.
  /// - Returns: nil for success.
  package static func outcome(trailers: HeaderList, httpStatus: Int) -> RPCError? {
    let metadata = Metadata(received: trailers)
    guard trailers.first("grpc-status") != nil else {
      return RPCError(
        StatusCode(httpStatus: httpStatus), "HTTP status \(httpStatus) without a gRPC status", trailers: metadata)
    }
    let code = code(trailers: trailers, httpStatus: httpStatus)
    guard code != .ok else { return nil }
    let message = trailers.first("grpc-message").map(PercentEncoding.decode) ?? ""
    let details = (try? metadata.binary("grpc-status-details-bin"))?.first.map(RPCError.details(ofStatus:)) ?? []
    return RPCError(code, message, details: details, trailers: metadata)
  }
}

extension String {
  /// The text without this character at its ends.
  func trimmed(_ character: Character) -> String {
    guard first == character || last == character else { return self }
    let head = drop { $0 == character }
    return String(head[..<(head.lastIndex { $0 != character }.map(head.index(after:)) ?? head.startIndex)])
  }

  /// The text cut to at most `count` octets of UTF-8, between two characters.
  func truncated(_ count: Int) -> String {
    guard utf8.count > count else { return self }
    var end = utf8.index(startIndex, offsetBy: count)
    while String.Index(end, within: self) == nil { end = utf8.index(before: end) }
    return String(self[..<end])
  }
}
