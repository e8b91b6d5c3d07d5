internal import Base
internal import ProtobufRuntime

/// One call on the server, whatever its kind: joins a stream of the transport with the task that handles it.
///
/// Confined to the stream's executor like `CallStream`; only the annotations have a lock.
class ServerCall: CallStream, ServerStreamHandler, @unchecked Sendable {
  final let server: RPCServer
  final let method: MethodDescriptor
  final let head: RequestHead
  final let peer: PeerInfo
  final let deadline: Instant?
  private final let stream: any ServerStream
  private final let encodingDeclared: Bool
  final private(set) var state = ServerCallState()
  private final var isClosed = false
  private final var annotations = CallAnnotations()
  private final var task: Task<Void, Never>?
  private final var timer: (any ScheduledWork)?
  private final var endWaiters: [CheckedContinuation<Void, Never>] = []
  private final var drainObserver: (@Sendable () -> Void)?

  init(_ setup: ServerCallSetup) {
    server = setup.server
    method = setup.method
    head = setup.head
    stream = setup.stream
    peer = setup.stream.peer
    encodingDeclared = setup.fields.declaresEncoding
    let timeout = setup.timeout
    deadline = timeout.map { setup.server.clock.now() + $0 }
    super.init(
      executor: setup.stream.executor, messageBytes: setup.server.limits.messageBytes,
      decoding: setup.server.limits.decoding)
    if let timeout {
      timer = executor.schedule(after: timeout) { self.deadlineExceeded() }
    }
  }

  final var context: ServerContext { ServerContext(call: self) }

  // Each kind of method does these in its own way.

  /// Called once the call is set up. Streaming requests start their handler here.
  func begin() {}
  func receive(_ bytes: Span<UInt8>) { buffer(bytes) }
  func receiveEnd() { endInput(.finished) }
  /// Handles the call, to the end of a regular answer.
  func handle() async throws { preconditionFailure("overridden by each kind") }

  // What CallStream asks for.

  override final var queuedBytes: Int { isClosed ? 0 : stream.queuedBytes }
  override final var declaresEncoding: Bool { encodingDeclared }

  override final func returnWindow(_ count: Int) {
    if !isClosed { stream.consumed(count) }
  }

  override final func send(_ bytes: [UInt8]) throws {
    switch state.write() {
    case .headFirst:
      stream.respond(status: 200, headers: responseHead(), endStream: false)
      stream.write(bytes)
    case .plain: stream.write(bytes)
    case .refused: throw CancellationError()
    }
  }

  // What the transport says.

  final func drained() {
    wakeWriters()
    drainObserver?()
  }

  final func closed(_ reason: StreamClosure?) {
    isClosed = true
    timer?.cancel()
    timer = nil
    if state.close() { over(.cancelled) }
  }
}

// MARK: - Running the handler

extension ServerCall {
  /// Starts the handler's task, at once and on this thread: a handler that does not wait is done when this returns.
  final func start() {
    let task = Task.immediate(executorPreference: executor) { await self.run() }
    if !state.hasEnded { self.task = task }
  }

  private final func run() async {
    do {
      if let deadline {
        try await CurrentCall.$deadline.withValue(deadline) { try await intercept(server.enclosing[...]) }
      } else if server.enclosing.isEmpty {
        try await admit()
      } else {
        try await intercept(server.enclosing[...])
      }
    } catch {
      end(failing: server.status(for: error, of: self))
    }
  }

  private final func intercept(_ interceptors: ArraySlice<any EnclosingServerInterceptor>) async throws {
    guard let first = interceptors.first else { return try await admit() }
    try await first.around(context) { try await self.intercept(interceptors.dropFirst()) }
  }

  private final func admit() async throws {
    for interceptor in server.interceptors { try await interceptor.before(context) }
    try await handle()
  }

  private final func deadlineExceeded() {
    end(failing: RPCError(.deadlineExceeded, "the deadline has passed"))
    guard !isClosed else { return }
    // The status waits behind what the peer does not read; it must not hold the stream for ever.
    timer = executor.schedule(after: server.limits.closingGrace) {
      if !self.isClosed { self.stream.reset(.cancel) }
    }
  }
}

// MARK: - Answering

extension ServerCall {
  /// Sends the only message of an answer, and its status, in one go.
  final func reply(_ message: EncodedMessage) {
    switch state.write() {
    case .headFirst: stream.respond(status: 200, headers: responseHead(), endStream: false)
    case .plain: break
    case .refused: return
    }
    stream.write(message.bytes)
    end()
  }

  /// Ends the call in good order.
  final func end() {
    let ending = state.end(failed: false)
    guard ending != .nothing else { return }
    if ending == .headFirst { stream.respond(status: 200, headers: responseHead(), endStream: false) }
    let trailing = withAnnotations { $0.trailingMetadata }
    stream.finish(trailers: trailing.isEmpty ? StatusHeaders.ok : StatusHeaders.ok(adding: trailing))
    over(.ok)
  }

  /// Ends the call with an error; nothing happens if it has ended.
  final func end(failing error: RPCError) {
    switch state.end(failed: true) {
    case .trailersOnly:
      var headers = responseHead()
      headers.append(contentsOf: failureTrailers(error))
      stream.respond(status: 200, headers: headers, endStream: true)
    case .trailers, .headFirst: stream.finish(trailers: failureTrailers(error))
    case .nothing: return
    }
    over(error.code)
  }

  final func sendHead() {
    if !state.hasEnded, state.write() == .headFirst {
      stream.respond(status: 200, headers: responseHead(), endStream: false)
    }
  }

  private final func responseHead() -> HeaderList {
    let initial = withAnnotations { $0.initialMetadata }
    return initial.isEmpty ? StatusHeaders.head : StatusHeaders.head(adding: initial)
  }

  private final func failureTrailers(_ error: RPCError) -> HeaderList {
    StatusHeaders.failure(error, adding: withAnnotations { $0.trailingMetadata })
  }

  /// The status is decided: nobody waits any longer.
  private final func over(_ status: StatusCode) {
    timer?.cancel()
    timer = nil
    if status != .ok { task?.cancel() }
    task = nil
    if status != .ok || !isInputFinished { dropInput(CancellationError()) }
    wakeWriters()
    drainObserver = nil
    wakeEndWaiters()
    for interceptor in server.interceptors.reversed() { interceptor.ended(context, status) }
  }

  private final var isInputFinished: Bool {
    if case .finished = inboundEnd, deframer.unreadCount == 0 { true } else { false }
  }
}

// MARK: - From any thread

extension ServerCall {
  final func withAnnotations<Result: Sendable>(_ body: (inout CallAnnotations) -> Result) -> Result {
    CallAnnotations.lock(for: self).withLock { _ in body(&annotations) }
  }

  /// Runs `body` on the executor: at once if this is its thread, soon otherwise.
  final func onExecutor(_ body: @escaping @Sendable (ServerCall) -> Void) {
    if executor.isCurrent {
      body(self)
    } else {
      executor.execute { body(self) }
    }
  }

  /// Sets what to call on the executor when the queue has drained; nil when the call ends.
  final func observeDrain(_ body: @escaping @Sendable () -> Void) {
    onExecutor { if !$0.state.hasEnded { $0.drainObserver = body } }
  }

  /// Returns when the call is over or the current task is cancelled.
  final func waitUntilEnded() async {
    guard executor.isCurrent else {
      // Only a cancelled hop throws, and then the wait is over.
      _ = try? await executor.hop { await self.waitUntilEnded() }
      return
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if state.hasEnded {
          continuation.resume()
        } else {
          endWaiters.append(continuation)
        }
      }
    } onCancel: {
      executor.execute { self.wakeEndWaiters() }
    }
  }

  private final func wakeEndWaiters() {
    let waiting = endWaiters
    endWaiters = []
    for waiter in waiting { waiter.resume() }
  }
}
