internal import ProtobufRuntime
internal import RPC
internal import Synchronization

/// A call in a web protocol: stands between the transport, for which it is the handler of a request, and the core, for
/// which it is a stream of gRPC. What the protocols do in their own way is in the subclasses. Confined to the stream's
/// executor.
class WebCall: ServerStream, ServerStreamHandler {
  /// What all calls of a server share.
  final let acceptor: WebAcceptor
  final let stream: any ServerStream
  /// What the answer says of itself to a script of another origin.
  final let grant: CORSGrant?
  /// The core's end, until the stream is gone; nil as well for a request that was refused before the core saw it.
  private final var core: (any ServerStreamHandler)?
  /// nil if the core understands the body as it comes.
  private final var translator: (any RequestTranslator)?
  private final var ledger = WindowLedger()
  /// The turn for which the translator waits.
  private final var turn: InflateTurns.Turn?
  /// Bytes that came meanwhile and are held: their window stays shut until the turn.
  private final var heldBack = 0
  private final var gathered = 0
  /// The core has the request, but has not returned from taking it; its answer may begin already.
  private final var isBeginning = false
  /// What the call is to end with as soon as the core has returned.
  private final var earlyFailure: RPCError?
  /// The core has given the whole answer: what comes still is of no use.
  private final var hasAnswered = false
  /// The peer has sent everything.
  private final var hasReceivedEnd = false
  /// The end of the answer waits for that of the request. Bytes that came meanwhile.
  private final var lateBytes: Int?
  private final var timer: (any ScheduledWork)?

  init(_ acceptor: WebAcceptor, _ stream: any ServerStream, _ grant: CORSGrant?) {
    self.acceptor = acceptor
    self.stream = stream
    self.grant = grant
  }

  /// Brings the request to the core.
  /// - Parameter translator: nil if the core understands the body as it comes.
  final func begin(_ head: RequestHead, _ translator: (any RequestTranslator)?) {
    self.translator = translator
    isBeginning = true
    let core = acceptor.core.accept(head, on: self)
    self.core = core
    isBeginning = false
    if let earlyFailure {
      self.earlyFailure = nil
      core.fail(earlyFailure)
    }
  }

  /// Answers without the core.
  final func refuse(_ error: RPCError) {
    respond(status: 200, headers: StatusHeaders.failure(error), endStream: true)
  }

  // The answer, which each protocol translates in its own way.

  func respond(status: Int, headers: HeaderList, endStream: Bool) { preconditionFailure("overridden") }
  func write(_ bytes: [UInt8]) { preconditionFailure("overridden") }
  func finish(trailers: HeaderList?) { preconditionFailure("overridden") }
  /// Bytes of the answer that are held here.
  var heldAnswerBytes: Int { 0 }

  /// Called by the subclasses when the core has given the whole answer, before they translate the end of it.
  final func answered() {
    hasAnswered = true
    release()
  }

  /// Ends the answer, after what is queued, once the request has ended or waiting for that takes too long.
  final func end() {
    guard !hasReceivedEnd else { return stream.finish(trailers: nil) }
    lateBytes = 0
    // The stream is confined to the executor, where the timer goes off.
    nonisolated(unsafe) let call = self
    timer = executor.schedule(after: acceptor.limits.lateBodyTime) { unsafe call.endNow() }
  }

  private final func endNow() {
    guard lateBytes != nil else { return }
    lateBytes = nil
    timer?.cancel()
    timer = nil
    stream.finish(trailers: nil)
  }

  /// The call is to end with an error that is found here.
  final func fail(_ error: RPCError) {
    release()
    if isBeginning {
      if earlyFailure == nil { earlyFailure = error }
    } else if let core {
      core.fail(error)
    } else if !hasAnswered {
      refuse(error)
    }
  }

  /// The body is not needed any more.
  private final func release() {
    translator = translator == nil ? nil : DiscardedBody()
    if let turn {
      self.turn = nil
      executor.inflating?.giveUp(turn)
    }
    if heldBack > 0 { stream.consumed(heldBack) }
    heldBack = 0
    acceptor.gathered.subtract(gathered, ordering: .relaxed)
    gathered = 0
  }

  // What the core asks for.

  final var executor: any CallExecutor { stream.executor }
  final var peer: PeerInfo { stream.peer }
  final var queuedBytes: Int { stream.queuedBytes + heldAnswerBytes }
  final var hasRoom: Bool { heldAnswerBytes == 0 ? stream.hasRoom : queuedBytes <= StreamWaterMarks.high }
  final func reset(_ code: ResetCode) {
    // What the core is tired of waiting for is the peer's end, not that the peer takes the answer.
    if lateBytes != nil { endNow() } else { stream.reset(code) }
  }

  final func consumed(_ count: Int) {
    guard let translator else { return stream.consumed(count) }
    stream.consumed(ledger.consume(count))
    // It is less than before, which no limit forbids.
    if gathered > 0 { try? account(min(gathered, translator.heldBytes + ledger.excess)) }
  }

  // What the transport says.

  final func receive(_ bytes: Span<UInt8>) {
    guard let core, lateBytes == nil else {
      stream.consumed(bytes.count)
      return late(bytes.count)
    }
    guard translator != nil else { return core.receive(bytes) }
    passOn(core, bytes.count) { (translator) throws(RPCError) in try translator.take(bytes) }
  }

  private final func late(_ count: Int) {
    guard let before = lateBytes else { return }
    lateBytes = before + count
    if before + count > acceptor.limits.lateBodyBytes { endNow() }
  }

  final func receiveEnd() {
    hasReceivedEnd = true
    endNow()
    guard let core else { return }
    guard translator != nil else { return core.receiveEnd() }
    finishRequest(core)
  }

  private final func finishRequest(_ core: any ServerStreamHandler) {
    guard let given = translate(0, { (translator) throws(RPCError) in try translator.end() }) else { return }
    if waitsForTurn() { return }
    if given.isEmpty { core.receiveEnd() } else { core.receiveLast(given.span) }
  }

  final func receiveLast(_ bytes: Span<UInt8>) {
    hasReceivedEnd = true
    guard let core, translator == nil, lateBytes == nil else {
      receive(bytes)
      return receiveEnd()
    }
    core.receiveLast(bytes)
  }

  final var isMidMessage: Bool {
    guard let core, !hasAnswered, turn == nil else { return false }
    return core.isMidMessage || translator.map { $0.heldBytes > 0 } ?? false
  }

  final var progress: CallProgress { core?.progress ?? CallProgress() }

  final func drained() { core?.drained() }

  final func closed(_ reason: StreamClosure?) {
    hasAnswered = true
    lateBytes = nil
    timer?.cancel()
    timer = nil
    release()
    let core = core
    self.core = nil
    core?.closed(reason)
  }

  /// Gives the core what the translator makes of `received` octets.
  private final func passOn(
    _ core: any ServerStreamHandler, _ received: Int,
    _ body: (inout any RequestTranslator) throws(RPCError) -> [UInt8]
  ) {
    guard let given = translate(received, body) else { return }
    if !given.isEmpty { core.receive(given.span) }
    _ = waitsForTurn()
  }

  /// Whether the translator has to wait for its turn; then it does.
  private final func waitsForTurn() -> Bool {
    guard let translator, translator.awaitsTurn else { return false }
    if turn == nil { turn = executor.inflating?.wait(InflateTurns.Owner(peer)) { self.turnCame() } }
    return true
  }

  private final func turnCame() {
    turn = nil
    guard let core else { return }
    translator?.turnCame()
    passOn(core, 0) { (translator) throws(RPCError) in try translator.take(Span()) }
    if hasReceivedEnd, turn == nil, translator != nil { finishRequest(core) }
  }

  /// What the translator makes of `received` octets, for the core.
  /// - Returns: nil if the call has failed.
  private final func translate(
    _ received: Int, _ body: (inout any RequestTranslator) throws(RPCError) -> [UInt8]
  ) -> [UInt8]? {
    guard var translator else { preconditionFailure("asked for with a translator only") }
    let received = received + heldBack
    heldBack = 0
    do throws(RPCError) {
      // Taken out meanwhile, so that its buffer is not shared.
      self.translator = DiscardedBody()
      let given = try body(&translator)
      self.translator = translator
      if !given.isEmpty {
        ledger.record(received: received, given: given.count)
      } else if translator.awaitsTurn {
        heldBack = received
      } else {
        stream.consumed(received)
      }
      do throws(RPCError) {
        try account(translator.heldBytes + ledger.excess)
      } catch {
        // The core gets nothing of it, and so will not give it back.
        if !given.isEmpty { stream.consumed(ledger.consume(given.count)) }
        return failed(error)
      }
      return given
    } catch {
      stream.consumed(received)
      return failed(error)
    }
  }

  private final func failed(_ error: RPCError) -> [UInt8]? {
    fail(error)
    return nil
  }

  /// Counts into the server's sum what no window bounds: what is held of an unfinished message, and by what the
  /// messages that the core holds have grown in translation.
  private final func account(_ held: Int) throws(RPCError) {
    let change = held - gathered
    guard change != 0 else { return }
    gathered = held
    let sum = acceptor.gathered.add(change, ordering: .relaxed).newValue
    guard change < 0 || sum <= acceptor.limits.gatheredBytes else {
      throw RPCError(.resourceExhausted, "too many requests are unfinished").retryAfter(RPCLimits.retryDelay)
    }
  }
}

/// The rest of a body that nobody needs.
private struct DiscardedBody: RequestTranslator {
  mutating func take(_ bytes: Span<UInt8>) throws(RPCError) -> [UInt8] { [] }
  mutating func end() throws(RPCError) -> [UInt8] { [] }
  var heldBytes: Int { 0 }
}
