internal import RPC

/// A stream for a request of ours; may wait for a connection first.
final class ClientHTTP2Stream: HTTP2Stream, ClientStream {
  let head: RequestHead
  private var handler: (any ClientStreamHandler)?
  /// Nil for a request that belongs to its connection.
  private let channel: ClientChannel?
  /// Whether it waits for a connection also while none can be made.
  let waitsForReady: Bool
  /// Whether it stands in the queue for a connection.
  var isWaiting = false

  init(_ head: RequestHead, channel: ClientChannel?, waitsForReady: Bool, handler: any ClientStreamHandler) {
    self.head = head
    self.channel = channel
    self.waitsForReady = waitsForReady
    self.handler = handler
    super.init(connection: nil, id: 0)
  }

  func finish() {
    finish(trailers: nil)
  }

  override func receiveHeaders(_ block: inout HeaderBlock, endStream: Bool) {
    if block.isTooLarge {
      connection?.reset(self, .enhanceYourCalm)
      return
    }
    if block.status == 0 {
      if endStream { responseEnded { $0.receiveEnd(trailers: block.takeHeaders()) } }
    } else if block.status >= 200 {
      let status = block.status
      let headers = block.takeHeaders()
      if endStream {
        responseEnded { $0.receiveHead(status: status, headers: headers, endStream: true) }
      } else {
        handler?.receiveHead(status: status, headers: headers, endStream: false)
      }
    }
  }

  override var progress: CallProgress { handler?.progress ?? CallProgress() }

  override func receive(_ bytes: UnsafeRawBufferPointer) {
    connection?.noteReceived()
    handler?.receive(bytes.assumingMemoryBound(to: UInt8.self).span)
  }

  override func receiveEnd() {
    responseEnded { $0.receiveEnd(trailers: HeaderList()) }
  }

  /// The answer is whole: what is left of the request is of no use to anybody.
  private func responseEnded(_ tell: (any ClientStreamHandler) -> Void) {
    if let handler { tell(handler) }
    if !isFinished { reset(.noError) }
  }

  override func drained() {
    handler?.drained()
  }

  override func closed(_ reason: StreamClosure?) {
    let handler = handler
    self.handler = nil
    handler?.closed(reason)
    channel?.requestEnded()
  }

  override func resetWhileWaiting(_ code: ResetCode) {
    if isWaiting { channel?.abandon(self, code) }
  }
}
