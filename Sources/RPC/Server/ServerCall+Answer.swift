extension ServerCall {
  /// Sends the only message of an answer, and its status, in one go.
  func reply(_ message: EncodedMessage) {
    switch state.write() {
    case .headFirst:
      // The head settles the compression of the message.
      let head = responseHead()
      let bytes = outbound(message.bytes)
      countSent(bytes)
      _ = state.end(failed: false)
      stream.respond(status: 200, headers: head, body: bytes, trailers: okTrailers)
      over(.ok)
    case .plain:
      put(outbound(message.bytes))
      end()
    case .refused: break
    }
  }

  /// Ends the call in good order.
  func end() {
    let ending = state.end(failed: false)
    guard ending != .nothing else { return }
    if ending == .headFirst { stream.respond(status: 200, headers: responseHead(), endStream: false) }
    stream.finish(trailers: okTrailers)
    over(.ok)
  }

  /// Ends the call with an error; nothing happens if it has ended.
  func end(failing error: RPCError) {
    let ending = state.end(failed: true)
    guard ending != .nothing else { return }
    let trailing = attached?.with { $0.trailingMetadata } ?? Metadata()
    let trailers = StatusHeaders.failure(error, adding: trailing)
    if ending == .trailersOnly {
      var headers = plainHead
      headers.append(contentsOf: trailers)
      stream.respond(status: 200, headers: headers, endStream: true)
    } else {
      stream.finish(trailers: trailers)
    }
    over(error.code)
  }

  /// Sends the head if it was not sent yet.
  func sendHead() {
    if !state.hasEnded, state.write() == .headFirst {
      stream.respond(status: 200, headers: responseHead(), endStream: false)
    }
  }

  /// The head of an answer with messages: settles how they are compressed.
  func responseHead() -> HeaderList {
    let attached = attached
    guard attached != nil || server.limits.responseCompression != .identity else { return StatusHeaders.head }
    let wanted = attached?.with { $0.responseCompression } ?? server.limits.responseCompression
    guard wanted != .identity, wanted.isAccepted(by: head.headers) else { return plainHead }
    outboundEncoding = wanted
    var headers = plainHead
    headers.append("grpc-encoding", wanted.rawValue)
    headers.append("grpc-accept-encoding", MessageEncoding.accepted)
    return headers
  }

  private var plainHead: HeaderList {
    guard let initial = attached?.with({ $0.initialMetadata }), !initial.isEmpty else {
      return StatusHeaders.head
    }
    return StatusHeaders.head(adding: initial)
  }

  private var okTrailers: HeaderList {
    guard let trailing = attached?.with({ $0.trailingMetadata }), !trailing.isEmpty else { return StatusHeaders.ok }
    return StatusHeaders.ok(adding: trailing)
  }
}
