internal import Base
public import ProtobufRuntime

/// One call on the client, whatever its kind.
///
/// Confined to the call's executor like `CallStream`; `start`, `sendOnly`, `finish` and `cancel` come from any thread.
@usableFromInline
final class ClientCall: CallStream, ClientStreamHandler, @unchecked Sendable {
  let channel: RPCChannel
  let method: MethodDescriptor
  private let observation: (any ClientCallObservation)?
  /// The channel's service config, and what it says of the method.
  var methods: MethodConfigTable?
  var methodConfig: MethodConfigTable.Entry?
  /// When the call began, as long as its service config is not known.
  var awaitsConfigSince: Instant?
  var deadline: Instant?
  var stream: (any ClientStream)?
  /// What is written before the interceptors are done and the stream is open.
  var pending: [(bytes: [UInt8], compress: Bool)] = []
  /// The request so far, as long as it can be sent once more without a policy's buffer.
  var replay = Replay()
  var unseen = TransparentRetries()
  /// The metadata to send, and whether to wait for a connection.
  var request: (metadata: HeaderList, waitsForReady: Bool) = (HeaderList(), false)
  private(set) var hasFinished = false
  private var httpStatus = 0
  private(set) var head: HeaderList?
  private(set) var outcome: Outcome?
  var timer: (any ScheduledWork)?
  var waiters: [CheckedContinuation<Void, Never>] = []

  struct Outcome {
    var trailers: HeaderList
    var error: RPCError?
  }

  init(
    _ channel: RPCChannel, _ method: MethodDescriptor, _ options: CallOptions,
    _ observation: (any ClientCallObservation)? = nil
  ) {
    self.channel = channel
    self.method = method
    self.observation = observation
    let now = channel.clock.now()
    methods = channel.methods
    if let live = channel.liveConfig {
      let known = live.known
      methods = known?.table
      if known == nil { awaitsConfigSince = now }
    }
    methodConfig = methods?.entry(method)
    deadline = options.deadline(now, atMost: methodConfig?.config.timeout)
    let messageBytes = min(options.messageBytes, methodConfig?.config.maxResponseMessageBytes ?? .max)
    super.init(executor: channel.transport.executor(), messageBytes: messageBytes)
  }

  /// What decoding one message may cost.
  @usableFromInline var decodeLimits: DecodeLimits { channel.decoding }

  // What CallStream asks for.

  override var queuedBytes: Int {
    if let stream { return outcome == nil ? stream.queuedBytes : 0 }
    return pending.reduce(0) { $0 + $1.bytes.count }
  }

  override var hasRoom: Bool {
    if let stream { return outcome != nil || stream.hasRoom }
    return queuedBytes <= StreamWaterMarks.high
  }

  override var waitingSince: Instant? { nil }

  // A program calls few servers, and trusts them alike.
  override var turnOwner: InflateTurns.Owner { InflateTurns.Owner(host: "client", connection: 0) }

  override func returnWindow(_ count: Int) {
    if outcome == nil { stream?.consumed(count) }
  }

  override func send(_ bytes: [UInt8], compress: Bool) throws {
    if let outcome { throw outcome.error ?? RPCError(.cancelled, "the server has ended the call") }
    precondition(!hasFinished, "a message is written after the last")
    if let error = lengthError(bytes) {
      over(trailers: HeaderList(), error, reset: .cancel)
      throw error
    }
    if let stream { put(bytes, compress, on: stream) } else { pending.append((bytes, compress)) }
  }

  /// Why a message is not to be sent: the service config forbids it.
  func lengthError(_ bytes: [UInt8]) -> RPCError? {
    guard let most = methodConfig?.config.maxRequestMessageBytes, bytes.count - EncodedMessage.prefixLength > most
    else { return nil }
    return RPCError(.resourceExhausted, "the message is longer than the \(most) bytes of the service config")
  }

  func put(_ bytes: [UInt8], _ compress: Bool, on stream: any ClientStream) {
    let bytes = compress ? outbound(bytes) : bytes
    replay.sent(bytes, budget: channel.retryBuffers)
    stream.write(bytes)
    counts.bytesSent += bytes.count
    counts.messagesSent += 1
  }

  // What the transport says.

  @usableFromInline
  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    httpStatus = status
    head = headers
    replay.forget()
    for field in headers where headers.matches(field, "grpc-encoding") {
      inboundEncoding = MessageEncoding(headers, field.value)
    }
    wakeWaiters()
    if !channel.interceptors.isEmpty, !endStream {
      let metadata = Metadata(received: headers)
      for interceptor in channel.interceptors.reversed() { interceptor.received(method, initialMetadata: metadata) }
    }
    if endStream {
      over(trailers: headers, StatusHeaders.outcome(trailers: headers, httpStatus: status))
    } else if !Self.isGRPC(status, headers) {
      // Whatever the body is, it is no message.
      let error = RPCError(StatusCode(httpStatus: status), "HTTP status \(status) and a body that is not gRPC")
      over(trailers: HeaderList(), error, reset: .cancel)
    }
  }

  static func isGRPC(_ status: Int, _ headers: HeaderList) -> Bool {
    status == 200
      && headers.contains { headers.matches($0, "content-type") && ContentType.isGRPC(headers, $0.value) }
  }

  @usableFromInline
  func receive(_ bytes: Span<UInt8>) {
    if outcome == nil { buffer(bytes) }
  }

  @usableFromInline
  func receiveEnd(trailers: HeaderList) {
    over(trailers: trailers, StatusHeaders.outcome(trailers: trailers, httpStatus: httpStatus))
  }

  @usableFromInline
  func drained() { wakeWriters() }

  @usableFromInline
  func closed(_ reason: StreamClosure?) {
    if let reason, retryUnseen(reason) { return }
    let error = reason.map { RPCError($0) } ?? RPCError(.internal, "the stream ended without a status")
    over(trailers: HeaderList(), error)
    stream = nil
  }
}

// MARK: - Ending

extension ClientCall {
  func deadlineExceeded() {
    over(trailers: HeaderList(), RPCError(.deadlineExceeded, "the deadline has passed"), reset: .cancel)
  }

  /// The status is known: nothing more comes.
  func over(trailers: HeaderList, _ error: RPCError?, reset: ResetCode? = nil) {
    guard outcome == nil else { return }
    // A server may answer before it has read everything; what this side would send yet is of no use then.
    if let reset { stream?.reset(reset) } else if !hasFinished { stream?.reset(.cancel) }
    outcome = Outcome(trailers: trailers, error: error)
    finalStatus = error?.code ?? .ok
    timer?.cancel()
    timer = nil
    pending = []
    replay.forget()
    endInput(error.map { .failed($0) } ?? .finished)
    wakeWriters()
    wakeWaiters()
    if !channel.interceptors.isEmpty {
      let metadata = Metadata(received: trailers)
      for interceptor in channel.interceptors.reversed() {
        interceptor.ended(method, error?.code ?? .ok, trailingMetadata: metadata)
      }
    }
    if error == nil { methods?.throttle?.succeeded() }
    if let observation {
      var counts = counts
      // They have come, though nobody has read them yet.
      counts.messagesReceived += deframer.waitingCount
      observation.ended(error?.code ?? .ok, counts)
    }
  }

  /// Any error as the caller sees it.
  @usableFromInline
  static func callError(_ error: any Error) -> RPCError {
    switch error {
    case let error as RPCError: error
    case let error as any RPCErrorConvertible: error.rpcError
    case is CancellationError: RPCError(.cancelled, "the caller cancelled the call")
    default: RPCError(.unknown, "\(error)")
    }
  }
}

// MARK: - From any thread

extension ClientCall {
  func onExecutor(_ body: @escaping @Sendable (ClientCall) -> Void) {
    if executor.isCurrent {
      body(self)
    } else {
      executor.execute { body(self) }
    }
  }

  /// Sends the one message of a request.
  @usableFromInline
  func sendOnly(_ message: EncodedMessage) {
    onExecutor { call in
      // It throws only if the call is over, and then the reader learns why.
      try? call.send(message.bytes, compress: true)
      call.finishNow()
    }
  }

  /// Half-closes after what was written.
  @usableFromInline
  func finish() {
    onExecutor { $0.finishNow() }
  }

  private func finishNow() {
    guard !hasFinished else { return }
    hasFinished = true
    if outcome == nil { stream?.finish() }
  }

  /// Gives the call up.
  @usableFromInline
  func cancel() {
    onExecutor {
      $0.over(trailers: HeaderList(), RPCError(.cancelled, "the caller cancelled the call"), reset: .cancel)
    }
  }
}
