internal import RPC

/// A unary call in Connect: bare messages, the outcome in the HTTP status. The answer is held until its end is known,
/// because its head says how it went.
final class ConnectUnaryCall: WebCall {
  private static let trailerPrefix = "trailer-"

  private let coding: MessageCoding
  /// Whether caches may keep the answer.
  private let isGet: Bool
  private var head = HeaderList()
  private var body: [UInt8] = []

  init(_ acceptor: WebAcceptor, _ stream: any ServerStream, _ coding: MessageCoding, isGet: Bool, _ grant: CORSGrant?) {
    self.coding = coding
    self.isGet = isGet
    super.init(acceptor, stream, grant)
  }

  override var heldAnswerBytes: Int { body.count }

  override func respond(status: Int, headers: HeaderList, endStream: Bool) {
    if endStream { finish(trailers: headers) } else { head = headers }
  }

  override func write(_ bytes: [UInt8]) {
    if body.isEmpty { body = bytes } else { body.append(contentsOf: bytes) }
  }

  override func finish(trailers: HeaderList?) {
    let trailers = trailers ?? HeaderList()
    answered()
    if let error = StatusHeaders.outcome(trailers: trailers, httpStatus: 200) {
      return answer(error, trailers)
    }
    do throws(RPCError) {
      let (message, isCompressed) = try soleMessage()
      var headers: HeaderList = ["content-type": WebProtocol.connectUnary(coding.format).contentType]
      if isCompressed { headers.append("content-encoding", head.first("grpc-encoding") ?? "identity") }
      answer(200, headers, Array(message), trailers)
    } catch {
      answer(error, trailers)
    }
  }

  private func soleMessage() throws(RPCError) -> (message: ArraySlice<UInt8>, isCompressed: Bool) {
    var deframer = MessageDeframer(limit: body.count)
    deframer.append(body.span)
    body = []
    guard let frame = try deframer.nextFrame(), deframer.unreadCount == 0 else {
      throw RPCError(.internal, "the method did not answer one message")
    }
    return try coding.response(deframer.buffer[frame.payload], isCompressed: frame.isCompressed)
  }

  private func answer(_ error: RPCError, _ trailers: HeaderList) {
    let json = ConnectJSON(codec: coding.codec).error(error)
    answer(error.code.connectHTTPStatus, ["content-type": "application/json"], json, trailers)
  }

  private func answer(_ status: Int, _ fields: HeaderList, _ body: [UInt8], _ trailers: HeaderList) {
    var headers = fields
    headers.append("content-length", String(body.count))
    if isGet { headers.append("vary", "accept-encoding") }
    headers.append(contentsOf: head, where: ConnectHead.isMetadata)
    for field in trailers {
      let name = trailers.name(of: field)
      if ConnectHead.isMetadata(name) { headers.append(Self.trailerPrefix + name, trailers.value(of: field)) }
    }
    grant?.annotate(&headers)
    stream.respond(status: status, headers: headers, endStream: false)
    if !body.isEmpty { stream.write(body) }
    end()
  }
}
