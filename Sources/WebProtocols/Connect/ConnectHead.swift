internal import RPC

/// The fields of a Connect request, and what gRPC has for them.
struct ConnectHead {
  /// Where Connect says how messages are compressed, and what may be: for streams it has names of its own, as HTTP's
  /// would speak of the whole body.
  struct EncodingNames {
    let used: String
    let accepted: String

    static let unary = EncodingNames(used: "content-encoding", accepted: "accept-encoding")
    static let stream = EncodingNames(used: "connect-content-encoding", accepted: "connect-accept-encoding")
  }

  let head: RequestHead
  /// The path without a query.
  let path: String
  let names: EncodingNames
  /// The name of the request's encoding; nil if there is none.
  let encodingName: String?

  /// - Parameter encodingName: given elsewhere than in the header.
  init(_ head: RequestHead, path: Substring, _ names: EncodingNames, encodingName: String? = nil) {
    self.head = head
    self.path = String(path)
    self.names = names
    self.encodingName = encodingName ?? head.headers.first(names.used)
  }

  /// Whether a field is the caller's own, and not the protocol's or HTTP's.
  static func isMetadata(_ name: String) -> Bool {
    !protocolNames.contains(name) && !name.hasPrefix("grpc-")
  }

  private static let protocolNames: Set = [
    "accept-encoding", "connect-accept-encoding", "connect-content-encoding", "connect-protocol-version",
    "connect-timeout-ms", "content-encoding", "content-length", "content-type", "te", "trailer", "transfer-encoding",
  ]

  /// How messages of the request are compressed.
  func encoding() throws(RPCError) -> MessageEncoding {
    guard let encodingName, !encodingName.isEmpty else { return .identity }
    guard let encoding = MessageEncoding(rawValue: encodingName) else {
      throw RPCError(
        .unimplemented, "the compression \"\(encodingName)\" is not known; known are: \(MessageEncoding.accepted)")
    }
    return encoding
  }

  /// The head of the same request in gRPC.
  /// - Parameter coding: says whether the core gets compressed messages.
  /// - Throws: if a field of the protocol is malformed.
  func grpc(_ coding: MessageCoding) throws(RPCError) -> RequestHead {
    if let version = head.headers.first("connect-protocol-version"), version != "1" {
      throw RPCError(.invalidArgument, "connect-protocol-version must be 1, not \"\(version)\"")
    }
    var headers: HeaderList = ["content-type": "application/grpc"]
    if let milliseconds = head.headers.first("connect-timeout-ms") {
      headers.append("grpc-timeout", try Self.timeout(milliseconds))
    }
    if coding.format == .proto, coding.requestEncoding != .identity {
      headers.append("grpc-encoding", coding.requestEncoding.rawValue)
    }
    if let accepted = head.headers.first(names.accepted) { headers.append("grpc-accept-encoding", accepted) }
    headers.append(contentsOf: head.headers, where: Self.isMetadata)
    return RequestHead(method: "POST", path: path, scheme: head.scheme, authority: head.authority, headers: headers)
  }

  /// `grpc-timeout` for one to ten digits of milliseconds.
  private static func timeout(_ text: String) throws(RPCError) -> String {
    guard (1...10).contains(text.utf8.count), text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
      let milliseconds = Int64(text)
    else { throw RPCError(.invalidArgument, "connect-timeout-ms must be 1 to 10 digits, not \"\(text)\"") }
    return TimeoutHeader.format(.milliseconds(milliseconds))
  }
}
