/// A request and its response between two ends in one process. Confined to its executor, hence unchecked.
final class InProcessExchange: @unchecked Sendable {
  let executor: any CallExecutor
  private var client: (any ClientStreamHandler)?
  private var server: (any ServerStreamHandler)?
  private var request = InProcessPipe()
  private var response = InProcessPipe()
  private var head: (status: Int, headers: HeaderList, endStream: Bool)?
  private var trailers = HeaderList()
  private var isHeadDelivered = false
  private var isRequestDelivered = false
  private var isPumpScheduled = false
  private var isClosed = false
  private let onEnd: @Sendable () -> Void

  init(executor: any CallExecutor, client: any ClientStreamHandler, onEnd: @escaping @Sendable () -> Void) {
    self.executor = executor
    self.client = client
    self.onEnd = onEnd
  }

  /// Brings the head to the server; without an acceptor the request is refused.
  func begin(_ head: RequestHead, acceptor: (any RequestAcceptor)?) {
    executor.execute {
      guard !self.isClosed else { return }
      guard let acceptor else {
        self.close(client: .refused, server: nil)
        return
      }
      self.server = acceptor.accept(head, on: InProcessServerStream(self))
      self.pump()
    }
  }

  private func schedulePump() {
    guard !isPumpScheduled else { return }
    isPumpScheduled = true
    executor.execute {
      self.isPumpScheduled = false
      self.pump()
    }
  }

  /// Delivers what can be delivered.
  private func pump() {
    guard !isClosed, server != nil else { return }
    pumpRequest()
    pumpResponse()
    if !isClosed, isHeadDelivered, response.isExhausted {
      if let head, !head.endStream { client?.receiveEnd(trailers: trailers) }
      close(client: nil, server: nil)
    }
  }

  private func pumpRequest() {
    let before = request.queuedBytes
    while !isClosed, let bytes = request.take() {
      if request.isExhausted {
        isRequestDelivered = true
        server?.receiveLast(bytes.span)
      } else {
        server?.receive(bytes.span)
      }
    }
    if !isClosed, crossedLowMark(before, request.queuedBytes) { client?.drained() }
    if !isClosed, request.isExhausted, !isRequestDelivered {
      isRequestDelivered = true
      server?.receiveEnd()
    }
  }

  private func pumpResponse() {
    guard !isClosed, let head else { return }
    if !isHeadDelivered {
      isHeadDelivered = true
      client?.receiveHead(status: head.status, headers: head.headers, endStream: head.endStream)
    }
    let before = response.queuedBytes
    while !isClosed, let bytes = response.take() { client?.receive(bytes.span) }
    if !isClosed, crossedLowMark(before, response.queuedBytes) { server?.drained() }
  }

  private func crossedLowMark(_ before: Int, _ after: Int) -> Bool {
    before > StreamWaterMarks.low && after <= StreamWaterMarks.low
  }

  /// Ends both ends, once, after the present call.
  private func close(client clientReason: StreamClosure?, server serverReason: StreamClosure?) {
    guard !isClosed else { return }
    isClosed = true
    request.close()
    response.close()
    executor.execute {
      self.server?.closed(serverReason)
      self.client?.closed(clientReason)
      self.server = nil
      self.client = nil
      self.onEnd()
    }
  }

  // MARK: The client's end

  func writeRequest(_ bytes: [UInt8]) {
    request.write(bytes)
    schedulePump()
  }

  func finishRequest() {
    request.finish()
    schedulePump()
  }

  var queuedRequestBytes: Int { request.queuedBytes }

  func consumedResponse(_ count: Int) {
    response.open(window: count)
    schedulePump()
  }

  // MARK: The server's end

  func respond(status: Int, headers: HeaderList, endStream: Bool) {
    precondition(head == nil, "a response has one head")
    head = (status, headers, endStream)
    if endStream { response.finish() }
    schedulePump()
  }

  func writeResponse(_ bytes: [UInt8]) {
    response.write(bytes)
    schedulePump()
  }

  func finishResponse(_ trailers: HeaderList?) {
    self.trailers = trailers ?? HeaderList()
    response.finish()
    schedulePump()
  }

  var queuedResponseBytes: Int { response.queuedBytes }

  func consumedRequest(_ count: Int) {
    request.open(window: count)
    schedulePump()
  }

  /// Either end gives up; the other learns the code.
  func reset(_ code: ResetCode) {
    close(client: code == .refusedStream ? .refused : .reset(code), server: .reset(code))
  }
}

/// The server's end of an exchange.
private final class InProcessServerStream: ServerStream {
  private static let peerInfo = PeerInfo(address: "inprocess:", isEncrypted: false)
  private let exchange: InProcessExchange

  init(_ exchange: InProcessExchange) {
    self.exchange = exchange
  }

  var executor: any CallExecutor { exchange.executor }
  var peer: PeerInfo { Self.peerInfo }
  var queuedBytes: Int { exchange.queuedResponseBytes }
  func respond(status: Int, headers: HeaderList, endStream: Bool) {
    exchange.respond(status: status, headers: headers, endStream: endStream)
  }
  func write(_ bytes: [UInt8]) { exchange.writeResponse(bytes) }
  func finish(trailers: HeaderList?) { exchange.finishResponse(trailers) }
  func reset(_ code: ResetCode) { exchange.reset(code) }
  func consumed(_ count: Int) { exchange.consumedRequest(count) }
}

/// The client's end of an exchange.
final class InProcessClientStream: ClientStream {
  private let exchange: InProcessExchange

  init(_ exchange: InProcessExchange) {
    self.exchange = exchange
  }

  var queuedBytes: Int { exchange.queuedRequestBytes }
  func write(_ bytes: [UInt8]) { exchange.writeRequest(bytes) }
  func finish() { exchange.finishRequest() }
  func reset(_ code: ResetCode) { exchange.reset(code) }
  func consumed(_ count: Int) { exchange.consumedResponse(count) }
}
