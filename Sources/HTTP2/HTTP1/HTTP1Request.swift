/// What a session must know of a request beyond the header list that its handler sees.
struct HTTP1Request {
  enum Body: Equatable {
    case none
    /// So many octets, at least one.
    case length(Int)
    case chunked
  }

  var body = Body.none
  /// Whether the answer goes without its body.
  var isHead = false
  /// HTTP/1.0 knows neither chunks nor a persistent connection, for us.
  var isVersion10 = false
  /// Whether the connection may go on after the answer.
  var keepsAlive = true
  /// Whether the client reads trailers (`TE: trailers`).
  var takesTrailers = false
  /// Whether the client waits for a 100 before it sends the body.
  var expectsContinue = false
  /// Whether it is a gRPC call, whose status would have to come in trailers.
  var isGRPC = false
}

/// A request that is answered here and never reaches a handler; the connection ends with it.
struct HTTP1Refusal: Error, Equatable {
  let status: Int
  /// What the user of the client can do about it; the body of the answer.
  let reason: String

  static func malformed(_ reason: String) -> HTTP1Refusal { HTTP1Refusal(status: 400, reason: reason) }
}
