internal import RPC

/// A stream on which a request came.
final class ServerHTTP2Stream: HTTP2Stream, ServerStream {
  var handler: (any ServerStreamHandler)?
  private let loop: EventLoop
  let peer: PeerInfo
  private var pace = MessagePace()

  init(connection: ServerConnection, id: Int32) {
    loop = connection.loop
    peer = connection.peer
    super.init(connection: connection, id: id)
  }

  var executor: any CallExecutor { loop }

  func respond(status: Int, headers: HeaderList, endStream: Bool) {
    guard !isClosed, !isResetByCore, let connection else { return }
    if endStream { isFinished = true }
    connection.session.respond(self, status: status, headers: headers, endStream: endStream)
    connection.hasSentForStream = true
    connection.needsFlush()
  }

  /// Does what `respond`, `write` and `finish` do, with one look at the connection and its session: each costs every call
  /// two reference counts.
  func respond(status: Int, headers: HeaderList, body: [UInt8], trailers: HeaderList) {
    guard !isClosed, !isResetByCore, let connection else { return }
    precondition(!isFinished, "a second answer")
    let session: any SessionEngine = connection.session
    session.respond(self, status: status, headers: headers, endStream: false)
    outbound.append(body)
    connection.noteQueued(body.count)
    self.trailers = trailers
    isFinished = true
    connection.hasSentForStream = true
    if isDeferred {
      isDeferred = false
      session.resume(self)
    }
    connection.needsFlush()
  }

  /// The client's trailers have no meaning for us; they end the request.
  override func receiveHeaders(_ block: inout HeaderBlock, endStream: Bool) {
    if endStream { handler?.receiveEnd() }
  }

  override var progress: CallProgress { handler?.progress ?? CallProgress() }

  override func receive(_ bytes: UnsafeRawBufferPointer) {
    connection?.noteReceived()
    handler?.receive(bytes.assumingMemoryBound(to: UInt8.self).span)
  }

  override func receiveEnd() {
    handler?.receiveEnd()
  }

  override func receiveLast(_ bytes: UnsafeRawBufferPointer) {
    connection?.noteReceived()
    handler?.receiveLast(bytes.assumingMemoryBound(to: UInt8.self).span)
  }

  override func isTooSlow(_ rule: MessagePace.Rule, canSend: Bool) -> Bool {
    // Without window it is us for whom the peer waits.
    guard let handler, !receivedEnd, unconsumed == 0, canSend, handler.isMidMessage else {
      pace = MessagePace()
      return false
    }
    return pace.isTooSlow(rule, messages: handler.progress.counts.messagesReceived, bytes: received)
  }

  override func endForSlowness() { handler?.fail(.slowMessage) }

  override func drained() {
    handler?.drained()
  }

  override func closed(_ reason: StreamClosure?) {
    handler.take()?.closed(reason)
  }
}
