internal import Base
public import ProtobufRuntime
internal import Synchronization

/// One call on the server, whatever its kind: joins a stream of the transport with the task that handles it.
///
/// Confined to the stream's executor like `CallStream`; only the annotations may be touched from elsewhere. It knows
/// messages as bytes only: what is generic over their types is specialised where the method is registered.
@usableFromInline
final class ServerCall: CallStream, ServerStreamHandler, @unchecked Sendable {
  let server: RPCServer
  let route: ServiceRegistry.Route
  let head: RequestHead
  /// Where the head has the credentials.
  let authorization: Range<Int>?
  let deadline: Instant?
  /// When the head came; the distant past if nobody wants to know.
  let began: Instant
  /// When the interceptors and the handler started, if somebody wants to know.
  var started: Instant?
  var handling: Instant?
  let stream: any ServerStream
  /// Set before other threads than the executor's know the call.
  @safe @exclusivity(unchecked) var principal: (any AnyObject & Sendable)?
  /// Made when something is attached first; `isAnnotated` tells the other threads that it is there.
  private var annotations: CallAnnotations?
  private let isAnnotated = Atomic(false)
  @safe @exclusivity(unchecked) var state = ServerCallState()
  @safe @exclusivity(unchecked) var task: Task<Void, Never>?
  /// The only message of a request that is not a stream.
  @safe @exclusivity(unchecked) var request: ArraySlice<UInt8>?
  /// Where `request` came from, if it has to be decompressed.
  var compressedRequest: MessageDeframer.Frame?
  /// Why `request` could not be decompressed, if that was done while its handler waited.
  var inflateFailure: (any Error)?
  /// Whether it has been refused but for what its request may say (`ServerContext.refuse(with:unless:)`).
  @safe @exclusivity(unchecked) @usableFromInline var isRefused = false
  /// What the answer may have to wait for (`ServerContext.hold(_:)`); nil once nothing can hold it.
  var held: HeldAnswer?
  /// Whether there is such.
  @safe @exclusivity(unchecked) @usableFromInline var mayBeHeld = false
  /// Bytes counted in the server's sum: all of a request that is one message and came in pieces; of streamed messages
  /// the one that is not whole yet.
  var gathered = 0
  private var isClosed = false
  @safe @exclusivity(unchecked) private var timer: (any ScheduledWork)?
  @safe @exclusivity(unchecked) private var watchers: Watchers?

  /// What only streaming calls have: one property for all keeps short calls short.
  private struct Watchers {
    var ofEnd: [Suspension] = []
    var ofDrain: (@Sendable () -> Void)?
  }

  /// - Parameter executor: the stream's.
  init(
    _ server: RPCServer, _ route: ServiceRegistry.Route, _ head: RequestHead, _ fields: RequestFields,
    _ stream: any ServerStream, _ executor: any CallExecutor
  ) {
    self.server = server
    self.route = route
    self.head = head
    authorization = fields.authorization
    self.stream = stream
    let timeout = server.limits.timeout(
      route.kind, default: route.defaultDeadline, longest: route.longestDeadline,
      requested: fields.timeout)
    let now = timeout != nil || server.isObserved ? server.now() : Instant(nanoseconds: 0)
    began = now
    deadline = timeout.map { now + $0 }
    super.init(executor: executor, messageBytes: route.messageBytes ?? server.limits.messageBytes)
    inboundEncoding = fields.encoding
    if let timeout {
      timer = executor.schedule(after: timeout) { self.deadlineExceeded() }
    }
    if server.isObserved { server.observer?.began(context) }
  }

  var context: ServerContext { ServerContext(call: self) }

  /// What is attached to the call; nil if that is nothing, as for most calls. From any thread.
  var attached: CallAnnotations? {
    isAnnotated.load(ordering: .acquiring) ? annotations : nil
  }

  /// Makes room for what is to be attached. From any thread.
  func attach() -> CallAnnotations {
    if let attached { return attached }
    return CallAnnotations.making.withLock { _ in
      let made = annotations ?? CallAnnotations()
      annotations = made
      isAnnotated.store(true, ordering: .releasing)
      return made
    }
  }

  /// What decoding one message may cost.
  @usableFromInline var decodeLimits: DecodeLimits { server.limits.decoding }

  // What CallStream asks for.

  // Who waits for room must learn of the end, after which the stream reports no drain any more.
  override var queuedBytes: Int { state.hasEnded ? 0 : stream.queuedBytes }
  override var hasRoom: Bool { state.hasEnded || stream.hasRoom }
  // Not a part of `hasRoom`: it can turn true on another thread, and no drain ends a wait for what only the writer itself does.
  override var isHeld: Bool { mayBeHeld && held?.hold.isDue == true }
  override func awaitRelease() async throws { if isHeld { try await release() } }
  override var waitingSince: Instant? { server.wantsStages ? server.now() : nil }

  override func holdsWithoutWindow(_ count: Int) {
    do throws(RPCError) {
      try countGathered(count - gathered)
    } catch {
      end(failing: error)
    }
  }

  override var turnOwner: InflateTurns.Owner { InflateTurns.Owner(stream.peer) }

  override func returnWindow(_ count: Int) {
    if !isClosed { stream.consumed(count) }
  }

  override func send(_ bytes: [UInt8], compress: Bool) throws {
    switch state.write() {
    case .headFirst: stream.respond(status: 200, headers: responseHead(), endStream: false)
    case .plain: break
    case .refused: throw CancellationError()
    }
    put(compress ? outbound(bytes) : bytes)
  }

  /// Sends the bytes of one message.
  func put(_ bytes: [UInt8]) {
    stream.write(bytes)
    countSent(bytes)
  }

  func countSent(_ bytes: [UInt8]) {
    counts.bytesSent += bytes.count
    counts.messagesSent += 1
  }

  // What the transport says.

  @usableFromInline
  func receive(_ bytes: Span<UInt8>) {
    if route.kind.hasSingleRequest { gather(bytes) } else { buffer(bytes) }
  }

  @usableFromInline
  func receiveEnd() {
    if route.kind.hasSingleRequest { startWithRequest() } else { endInput(.finished) }
  }

  @usableFromInline
  func receiveLast(_ bytes: Span<UInt8>) {
    if !startAtOnce(bytes) {
      receive(bytes)
      receiveEnd()
    }
  }

  @usableFromInline
  func fail(_ error: RPCError) { end(failing: error) }

  @usableFromInline
  var isMidMessage: Bool { !state.hasEnded && (route.kind.hasSingleRequest || holdsPartOfMessage) }

  @usableFromInline
  func drained() {
    wakeWriters()
    tellOfDrain()
  }

  func tellOfDrain() { watchers?.ofDrain?() }

  @usableFromInline
  func closed(_ reason: StreamClosure?) {
    isClosed = true
    timer.take()?.cancel()
    if state.close() { over(.cancelled) }
  }

  // Ending.

  /// The status is decided: nobody waits any longer.
  func over(_ status: StatusCode) {
    finalStatus = status
    // The timer stays until the stream is closed: an answer that the peer does not take falls under the deadline too.
    if gathered > 0 {
      server.gathered.subtract(gathered, ordering: .relaxed)
      gathered = 0
    }
    // What is no longer counted must not be held until its turn comes.
    if awaitsTurn { (request, compressedRequest) = (nil, nil) }
    if status != .ok { task?.cancel() }
    task = nil
    letGo()
    if status != .ok || !isInputRead { dropInput(CancellationError()) }
    wakeWriters()
    if watchers != nil {
      wakeEndWatchers()
      watchers = nil
    }
    var index = server.interceptors.count
    while index > 0 {
      index -= 1
      server.interceptors[index].ended(context, status)
    }
    if server.isObserved, let observer = server.observer {
      observer.ended(
        context, status,
        CallRecord(began: began, started: started, handling: handling, ended: server.now(), counts: counts))
    }
  }

  private var isInputRead: Bool {
    if deframer.unreadCount > 0 || awaitsTurn { return false }
    if route.kind.hasSingleRequest { return true }
    return if case .finished = inboundEnd { true } else { false }
  }

  private func deadlineExceeded() {
    end(failing: RPCError(.deadlineExceeded, "the deadline has passed"))
    guard !isClosed else { return }
    // The status waits behind what the peer does not read; it must not hold the stream for ever.
    timer = executor.schedule(after: server.limits.closingGrace) {
      if !self.isClosed { self.stream.reset(.cancel) }
    }
  }

  // From any thread.

  /// Runs `body` on the executor: at once if this is its thread, soon otherwise.
  func onExecutor(_ body: @escaping @Sendable (ServerCall) -> Void) {
    if executor.isCurrent {
      body(self)
    } else {
      executor.execute { body(self) }
    }
  }

  /// Sets what to call on the executor when the queue has drained; forgotten when the call ends.
  func observeDrain(_ body: @escaping @Sendable () -> Void) {
    onExecutor { call in
      if !call.state.hasEnded { call.watch { $0.ofDrain = body } }
    }
  }

  /// Returns when the call is over or the current task is cancelled.
  func waitUntilEnded() async {
    guard executor.isCurrent else {
      // Only a cancelled hop throws, and then the wait is over.
      _ = try? await executor.hop { await self.waitUntilEnded() }
      return
    }
    await withTaskCancellationHandler {
      await Suspension.wait { suspension in
        if state.hasEnded {
          suspension.resume()
        } else {
          watch { $0.ofEnd.append(suspension) }
        }
      }
    } onCancel: {
      executor.execute { self.wakeEndWatchers() }
    }
  }

  private func watch(_ change: (inout Watchers) -> Void) {
    var watchers = watchers ?? Watchers()
    change(&watchers)
    self.watchers = watchers
  }

  private func wakeEndWatchers() {
    let waiting = watchers?.ofEnd ?? []
    watchers?.ofEnd = []
    for waiter in waiting { waiter.resume() }
  }
}
