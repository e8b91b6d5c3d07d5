internal import RPC

/// One request and its answer, of which a connection has one at a time.
struct HTTP1Exchange {
  let request: HTTP1Request
  let streamID: Int32
  /// nil while the acceptor is being asked.
  var stream: HTTP2Stream?
  /// The head of the answer, as the handler gave it.
  var response: Response?
  /// nil until the head is written.
  var framing: Framing?
  var isRequestComplete: Bool
  /// Whether the client waits for a 100.
  var owesContinue: Bool
  /// Why the handler wants the stream to end.
  var resetCode: ResetCode?

  struct Response {
    let status: Int
    let headers: HeaderList
    /// Whether there is no body.
    let endStream: Bool
  }

  /// How the client finds the end of the answer.
  enum Framing {
    /// It ends with its head.
    case none
    /// So many octets are left to send.
    case length(Int)
    case chunked
    /// With the connection: the client speaks HTTP/1.0.
    case untilClose
  }

  init(_ request: HTTP1Request, streamID: Int32) {
    self.request = request
    self.streamID = streamID
    isRequestComplete = request.body == .none
    owesContinue = request.expectsContinue
  }

  /// How the answer, whose head is known, is to be framed.
  /// - Parameter declared: the Content-Length that the handler gave.
  func framing(of response: Response, _ stream: HTTP2Stream, declared: Int?) -> Framing {
    if request.isHead || Self.hasNoBody(response.status) { return .none }
    if response.endStream { return .length(0) }
    if let declared { return .length(declared) }
    if stream.isFinished, !sendsTrailers(of: stream) { return .length(stream.outbound.count) }
    return request.isVersion10 ? .untilClose : .chunked
  }

  /// Whether the client will see the trailers; they are optional in HTTP/1 and dropped otherwise.
  func sendsTrailers(of stream: HTTP2Stream) -> Bool {
    request.takesTrailers && !request.isVersion10 && stream.trailers?.isEmpty == false
  }

  /// RFC 9112 §6.3.
  static func hasNoBody(_ status: Int) -> Bool { status < 200 || status == 204 || status == 304 }
}
