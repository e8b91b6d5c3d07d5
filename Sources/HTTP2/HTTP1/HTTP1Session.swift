internal import RPC

/// HTTP/1.1 as a session engine, for the server: one request after the other, each a stream like those of HTTP/2.
///
/// What HTTP/2 does with windows is done here by not reading: a body goes to its handler up to the stream's window, and
/// what follows waits in `held`, as does a request that came before the last one was answered. `held` is at most one
/// read, because `demand` then tells the connection to read no more.
final class HTTP1Session: SessionEngine {
  // Unsafe because the delegate owns this object.
  unowned(unsafe) let delegate: any SessionDelegate
  private let sharedLimits: SharedLimits
  private var parser: HTTP1Parser
  // Exclusive access is not checked: the acceptor is called with the block, and reaches none of it through here.
  /// The head or the trailers that are arriving.
  @exclusivity(unchecked) private var block: HeaderBlock
  /// Octets received before their time.
  private var held: [UInt8] = []
  /// How many of them are read: with many requests in one read, moving the rest for each would be what they cost.
  private var heldStart = 0
  /// The request under way.
  var exchange: HTTP1Exchange?
  /// How many more octets of a body may be thrown away whose request is answered; nil if there is no such body.
  var discardable: Int?
  /// What is to be said before the connection ends.
  var lastWords: [UInt8] = []
  /// No request is taken after the one under way.
  private(set) var isDraining = false
  /// Nothing more is read.
  private(set) var isClosing = false
  private var requests = 0
  private var bodyOctets = 0
  /// A ping that is to be answered.
  private var ping: UInt64?

  init(limits shared: SharedLimits, isEncrypted: Bool, delegate: any SessionDelegate) {
    sharedLimits = shared
    self.delegate = delegate
    parser = HTTP1Parser(limits: shared.values, isEncrypted: isEncrypted)
    block = HeaderBlock(limits: shared.values)
  }

  var limits: HTTP2Limits { sharedLimits.values }

  // MARK: Reading

  func receive(_ bytes: UnsafeRawBufferPointer) {
    guard held.isEmpty else {
      held.removeFirst(heldStart)
      heldStart = 0
      held.append(contentsOf: bytes)
      return readHeld()
    }
    let input = bytes.assumingMemoryBound(to: UInt8.self)
    let used = read(input.span)
    if !isClosing { held.append(contentsOf: input[used...]) }
  }

  func readHeld() {
    guard !held.isEmpty, wantsOctets else { return }
    let input = held
    held = []
    let used = read(input.span.extracting(heldStart..<input.count))
    heldStart = isClosing ? 0 : heldStart + used
    if heldStart == input.count { heldStart = 0 } else if !isClosing { held = input }
  }

  /// Whether a request may begin or go on.
  private var wantsOctets: Bool {
    if isClosing { return false }
    guard let exchange else { return true }
    // The end of a body takes no window.
    return !exchange.isRequestComplete && exchange.resetCode == nil && (window > 0 || parser.isBodyOver)
  }

  /// Body octets that the handler may be given now.
  private var window: Int {
    // One octet too many tells that it is too much.
    guard let stream = exchange?.stream else { return (discardable ?? 0) + 1 }
    return limits.streamWindow - stream.unconsumed
  }

  /// - Returns: how many octets were taken.
  private func read(_ input: Span<UInt8>) -> Int {
    var offset = 0
    do throws(HTTP1Refusal) {
      while wantsOctets {
        switch try parser.next(input, &offset, bodyLimit: window, into: &block) {
        case .needsMore: return offset
        case .head: try begin(parser.request)
        case .body(let range): take(input.extracting(range))
        case .end: end()
        }
      }
    } catch {
      refuse(error)
    }
    return offset
  }

  private func begin(_ request: HTTP1Request) throws(HTTP1Refusal) {
    if request.isGRPC {
      throw HTTP1Refusal(status: 505, reason: "gRPC needs HTTP/2; gRPC-Web and Connect go over HTTP/1.1 too")
    }
    requests += 1
    let id = Int32(truncatingIfNeeded: requests & 0x3fff_ffff) << 1 | 1
    exchange = HTTP1Exchange(request, streamID: id)
    let stream = delegate.receivedRequest(id, &block, endStream: request.body == .none)
    exchange?.stream = stream
    if stream == nil { endReading() }
  }

  private func take(_ octets: Span<UInt8>) {
    bodyOctets += octets.count
    guard exchange != nil else {
      let left = (discardable ?? 0) - octets.count
      discardable = left
      if left < 0 { endReading() }
      return
    }
    // The client did not wait for the 100.
    exchange?.owesContinue = false
    guard let stream = exchange?.stream else { return }
    stream.unconsumed += octets.count
    stream.received &+= octets.count
    octets.withUnsafeBytes { stream.receive($0) }
  }

  private func end() {
    discardable = nil
    guard let stream = exchange?.stream else { return }
    exchange?.isRequestComplete = true
    stream.receivedEnd = true
    stream.receiveEnd()
  }

  /// The octets are no request: says why, unless an answer has begun, and ends the connection.
  private func refuse(_ refusal: HTTP1Refusal) {
    // A request that is answered gets no second answer, which the client would take for the next request's.
    if discardable != nil { return endReading() }
    abort(.protocolError, refusal)
  }

  func endReading() {
    isClosing = true
    held = []
  }

  // MARK: The connection

  var isFinished: Bool { isClosing && exchange == nil && lastWords.isEmpty }
  var queuedFrames: Int { 0 }
  /// `demand` tells.
  var isInsideHeaderBlock: Bool { false }
  var peerMaxConcurrentStreams: Int { 0 }
  var sendWindow: Int { 0 }
  var receiveWindow: Int { 0 }
  var heldBytes: Int { held.count - heldStart + unconsumed }
  var consumedBytes: Int { bodyOctets - unconsumed }
  private var unconsumed: Int { exchange?.stream?.unconsumed ?? 0 }

  var demand: SessionDemand {
    if isClosing || !held.isEmpty { return .silence }
    if parser.isInsideSection { return .head(served: requests) }
    guard let exchange else {
      return discardable == nil ? .request(served: requests) : .body(received: bodyOctets)
    }
    return exchange.isRequestComplete ? .anything : .body(received: bodyOctets)
  }

  /// HTTP/1 has no such question. It is answered here, so that nobody waits for the peer.
  func ping(_ payload: UInt64) { ping = payload }

  func answerPing() {
    guard let payload = ping else { return }
    ping = nil
    delegate.receivedPong(payload)
  }

  /// The answer under way says that the connection ends with it.
  func announceShutdown() { refuseNewStreams() }

  func refuseNewStreams() {
    isDraining = true
    if exchange == nil { endReading() }
  }

  func terminate(_ code: ResetCode) {
    endReading()
    exchange = nil
  }

  func goAway(_ code: ResetCode, _ why: StaticString) { refuseNewStreams() }

  /// A stream's window is that of the limits.
  func setReceiveWindow(stream: Int, connection: Int) {}

  // MARK: Streams

  /// Requests come from clients only.
  func open(_ head: RequestHead, _ stream: HTTP2Stream) -> Bool { false }

  func respond(_ stream: HTTP2Stream, status: Int, headers: HeaderList, endStream: Bool) {
    guard exchange?.streamID == stream.id else { return }
    exchange?.response = HTTP1Exchange.Response(status: status, headers: headers, endStream: endStream)
  }

  func reset(_ stream: HTTP2Stream, _ code: ResetCode) {
    if exchange?.streamID == stream.id { exchange?.resetCode = code }
  }

  // `produce` looks for itself what there is to send and who has room: the connection calls it after each of these.
  func resume(_ stream: HTTP2Stream) {}
  func consume(_ stream: HTTP2Stream, _ count: Int) {}
}
