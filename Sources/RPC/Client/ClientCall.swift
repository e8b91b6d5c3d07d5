internal import Base
public import ProtobufRuntime

/// One call on the client, whatever its kind.
///
/// Confined to the call's executor like `CallStream`; `start`, `sendOnly`, `finish` and `cancel` come from any thread.
@usableFromInline
final class ClientCall: CallStream, ClientStreamHandler, @unchecked Sendable {
  private let channel: RPCChannel
  private let method: MethodDescriptor
  private let observation: (any ClientCallObservation)?
  private let deadline: Instant?
  private var stream: (any ClientStream)?
  /// What is written before the interceptors are done and the stream is open.
  private var pending: [(bytes: [UInt8], compress: Bool)] = []
  private var hasFinished = false
  private var httpStatus = 0
  private(set) var head: HeaderList?
  private(set) var outcome: Outcome?
  private var timer: (any ScheduledWork)?
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
    deadline = options.deadline(channel.clock.now())
    super.init(executor: channel.transport.executor(), messageBytes: options.messageBytes)
  }

  /// What decoding one message may cost.
  @usableFromInline var decodeLimits: DecodeLimits { channel.decoding }

  // What CallStream asks for.

  override var queuedBytes: Int {
    if let stream { return outcome == nil ? stream.queuedBytes : 0 }
    return pending.reduce(0) { $0 + $1.bytes.count }
  }

  override var waitingSince: Instant? { nil }

  override func returnWindow(_ count: Int) {
    if outcome == nil { stream?.consumed(count) }
  }

  override func send(_ bytes: [UInt8], compress: Bool) throws {
    if let outcome { throw outcome.error ?? RPCError(.cancelled, "the server has ended the call") }
    precondition(!hasFinished, "a message is written after the last")
    if let stream { put(bytes, compress, on: stream) } else { pending.append((bytes, compress)) }
  }

  private func put(_ bytes: [UInt8], _ compress: Bool, on stream: any ClientStream) {
    let bytes = compress ? outbound(bytes) : bytes
    stream.write(bytes)
    counts.bytesSent += bytes.count
    counts.messagesSent += 1
  }

  // What the transport says.

  @usableFromInline
  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    httpStatus = status
    head = headers
    for field in headers where headers.matches(field, "grpc-encoding") {
      inboundEncoding = MessageEncoding(headers, field.value)
    }
    wakeWaiters()
    if endStream {
      over(trailers: headers, StatusHeaders.outcome(trailers: headers, httpStatus: status))
    } else if !isGRPC(status, headers) {
      // Whatever the body is, it is no message.
      let error = RPCError(StatusCode(httpStatus: status), "HTTP status \(status) and a body that is not gRPC")
      over(trailers: HeaderList(), error, reset: .cancel)
    }
  }

  private func isGRPC(_ status: Int, _ headers: HeaderList) -> Bool {
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
    let error = reason.map { RPCError($0) } ?? RPCError(.internal, "the stream ended without a status")
    over(trailers: HeaderList(), error)
    stream = nil
  }
}

// MARK: - Starting and ending

extension ClientCall {
  /// Sends the head, once the interceptors have had their say.
  func start(_ options: CallOptions) {
    if channel.interceptors.isEmpty {
      onExecutor { $0.open(options) }
      return
    }
    Task(executorPreference: executor) {
      var options = options
      do {
        for interceptor in self.channel.interceptors { try await interceptor.before(self.method, &options) }
        self.open(options)
      } catch {
        self.over(trailers: HeaderList(), Self.callError(error))
      }
    }
    if let deadline { onExecutor { $0.armTimer(deadline) } }
  }

  private func open(_ options: CallOptions) {
    guard outcome == nil else { return }
    var headers: HeaderList = ["te": "trailers", "content-type": ContentType.grpc]
    headers.append("user-agent", channel.userAgent)
    headers.append("grpc-accept-encoding", MessageEncoding.accepted)
    if options.compression != .identity { headers.append("grpc-encoding", options.compression.rawValue) }
    outboundEncoding = options.compression
    if let deadline {
      let left = deadline - channel.clock.now()
      guard left > .zero else { return deadlineExceeded() }
      headers.append("grpc-timeout", TimeoutHeader.format(left))
      armTimer(deadline)
    }
    headers.append(contentsOf: options.metadata.headers)
    let head = RequestHead(
      method: "POST", path: method.path, scheme: channel.scheme, authority: channel.authority, headers: headers)
    let stream = channel.transport.open(head, on: executor, handler: self)
    guard outcome == nil else { return }
    self.stream = stream
    for message in pending { put(message.bytes, message.compress, on: stream) }
    pending = []
    if hasFinished { stream.finish() }
    if stream.queuedBytes <= StreamWaterMarks.high { wakeWriters() }
  }

  private func armTimer(_ deadline: Instant) {
    guard timer == nil, outcome == nil else { return }
    timer = executor.schedule(after: max(deadline - channel.clock.now(), .zero)) { self.deadlineExceeded() }
  }

  private func deadlineExceeded() {
    over(trailers: HeaderList(), RPCError(.deadlineExceeded, "the deadline has passed"), reset: .cancel)
  }

  /// The status is known: nothing more comes.
  private func over(trailers: HeaderList, _ error: RPCError?, reset: ResetCode? = nil) {
    guard outcome == nil else { return }
    // A server may answer before it has read everything; what this side would send yet is of no use then.
    if let reset { stream?.reset(reset) } else if !hasFinished { stream?.reset(.cancel) }
    outcome = Outcome(trailers: trailers, error: error)
    finalStatus = error?.code ?? .ok
    timer?.cancel()
    timer = nil
    pending = []
    endInput(error.map { .failed($0) } ?? .finished)
    wakeWriters()
    wakeWaiters()
    for interceptor in channel.interceptors.reversed() { interceptor.ended(method, error?.code ?? .ok) }
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
  private func onExecutor(_ body: @escaping @Sendable (ClientCall) -> Void) {
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
