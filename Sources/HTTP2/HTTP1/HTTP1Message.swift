internal import RPC

/// Writes the heads, chunks and trailers of answers.
enum HTTP1Message {
  /// The head of an answer.
  /// - Parameter connectionCloses: whether the connection ends after it.
  static func writeHead(
    _ response: HTTP1Exchange.Response, _ framing: HTTP1Exchange.Framing, declared: Int?, connectionCloses: Bool,
    to output: OutputBuffer
  ) {
    var octets: [UInt8] = []
    octets.reserveCapacity(response.headers.octets.count + 128)
    appendStatusLine(response.status, to: &octets)
    appendFields(response.headers, to: &octets)
    switch framing {
    case .none:
      // What a GET would have got.
      if let declared, response.status >= 200, response.status != 204 { appendLength(declared, to: &octets) }
    case .length(let count): appendLength(count, to: &octets)
    case .chunked: octets.append(contentsOf: "transfer-encoding: chunked\r\n".utf8)
    case .untilClose: break
    }
    if connectionCloses { octets.append(contentsOf: "connection: close\r\n".utf8) }
    octets.append(contentsOf: "\r\n".utf8)
    output.append(octets)
  }

  /// A whole answer that no handler gave; the connection ends with it.
  static func refusal(_ refusal: HTTP1Refusal) -> [UInt8] {
    let text = "\(refusal.status) \(reasonPhrase(refusal.status)): \(refusal.reason)\n"
    var octets: [UInt8] = []
    appendStatusLine(refusal.status, to: &octets)
    octets.append(contentsOf: "content-type: text/plain; charset=utf-8\r\n".utf8)
    appendLength(text.utf8.count, to: &octets)
    octets.append(contentsOf: "connection: close\r\n\r\n\(text)".utf8)
    return octets
  }

  static let continueResponse = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  /// The last chunk, and the trailers if the client takes any.
  static func writeEnd(trailers: HeaderList?, to output: OutputBuffer) {
    var octets = Array("0\r\n".utf8)
    if let trailers { appendFields(trailers, to: &octets) }
    octets.append(contentsOf: "\r\n".utf8)
    output.append(octets)
  }

  /// The body length that a handler declared, if it did so in a usable way.
  static func declaredLength(_ headers: HeaderList) -> Int? {
    guard let text = headers.first("content-length"), let length = Int(text), length >= 0 else { return nil }
    return length
  }

  private static func appendStatusLine(_ status: Int, to octets: inout [UInt8]) {
    precondition((100..<1000).contains(status), "a status has three digits")
    octets.append(contentsOf: "HTTP/1.1 \(status) \(reasonPhrase(status))\r\n".utf8)
  }

  private static func appendLength(_ length: Int, to octets: inout [UInt8]) {
    octets.append(contentsOf: "content-length: \(length)\r\n".utf8)
  }

  /// All fields but those that the connection itself decides. What would end a line early is made harmless, whatever
  /// a handler lets through: it would be an answer of the attacker's making.
  private static func appendFields(_ headers: HeaderList, to octets: inout [UInt8]) {
    for field in headers {
      let name = headers.octets[field.name]
      guard !name.isEmpty, name.allSatisfy(HTTP1Octets.isToken), !isOfConnection(headers.name(of: field)) else {
        continue
      }
      octets.append(contentsOf: name)
      octets.append(contentsOf: ": ".utf8)
      octets.append(
        contentsOf: headers.octets[field.value].lazy.map { HTTP1Octets.isFieldValue($0) ? $0 : HTTP1Octets.space })
      octets.append(contentsOf: "\r\n".utf8)
    }
  }

  private static func isOfConnection(_ name: String) -> Bool {
    switch name {
    case "connection", "content-length", "keep-alive", "proxy-connection", "trailer", "transfer-encoding", "upgrade":
      true
    default: false
    }
  }

  /// For people; clients go by the number.
  private static func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 204: "No Content"
    case 206: "Partial Content"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 499: "Client Closed Request"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: ""
    }
  }
}
